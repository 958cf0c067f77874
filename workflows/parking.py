"""What cannot go on by itself waits here for an operator instead of failing: nothing is lost, `retry` resumes.

Every process re-derives its state from the books, so resuming means running it again from the top.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception

from activities.operations.parking import ParkingActivities
from domain.shared.problems import for_operators
from domain.shared.processes import ParkOperation, RetryProcess
from workflows import policies, search
from workflows.failures import STEP_FAILED, code_of, failure_of

T = TypeVar("T")


class Parking:
    """Mix into a workflow: `to_the_end` runs the process, parks it on a failure that time does not heal, resumes it.

    `resumed` is for processes that wait before they look: an operator wants them to look now.
    """

    def __init__(self) -> None:
        self.poked = False
        self.resumed = False

    async def to_the_end(self, process: Callable[[], Awaitable[T]], operation_id: str | None) -> T:
        """Run `process` until it returns; a Broken step parks it until the signal `retry`."""
        while True:
            try:
                return await process()
            except STEP_FAILED as error:
                if is_cancelled_exception(error):
                    raise
                await self._park(operation_id, error)

    async def _park(self, operation_id: str | None, error: FailureError) -> None:
        failure, code = failure_of(error), for_operators(code_of(error))
        detail = str(failure)  # "code: what happened"
        if isinstance(failure, ApplicationError) and failure.type == code:
            detail = failure.message
        workflow.set_current_details(
            f"NEEDS AN OPERATOR ({code}): {detail}. Follow runbooks/{code}.md, then send `retry`"
        )
        workflow.upsert_search_attributes([search.NEEDS_OPERATOR.value_set(True)])
        self.poked = False
        await self._tell_operators(ParkOperation(operation_id=operation_id, code=code, detail=detail))
        await workflow.wait_condition(lambda: self.poked)
        self.poked, self.resumed = False, True
        workflow.upsert_search_attributes([search.NEEDS_OPERATOR.value_set(False)])
        await self._tell_operators(ParkOperation(operation_id=operation_id, code="", detail="An operator resumed it"))

    async def _tell_operators(self, command: ParkOperation) -> None:
        await workflow.execute_local_activity_method(
            ParkingActivities.park_operation, command, summary="Tell operators", **policies.LOCAL
        )

    @workflow.signal(name="retry", description="Go on now: an operator has followed the runbook, or a refill arrived.")
    def retry(self, poke: RetryProcess) -> None:
        self.poked = True
