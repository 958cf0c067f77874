"""What cannot go on by itself waits here for an operator instead of failing: nothing is lost, `retry` resumes.

Every process re-derives its state from the books, so resuming means running it again from the top.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.operations.parking import ParkingActivities
from domain.shared.processes import ParkOperation, RetryProcess
from workflows import policies, search
from workflows.failures import code_of

T = TypeVar("T")


class Parking:
    """Mix into a workflow: `to_the_end` runs the process, parks it on a failure that time does not heal, resumes it."""

    def __init__(self) -> None:
        self.poked = False

    async def to_the_end(self, process: Callable[[], Awaitable[T]], operation_id: str | None) -> T:
        """Run `process` until it returns; a Broken activity parks it until the signal `retry`."""
        while True:
            try:
                return await process()
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise
                await self._park(operation_id, code_of(error), str(error.cause))

    async def _park(self, operation_id: str | None, code: str, detail: str) -> None:
        workflow.set_current_details(
            f"NEEDS AN OPERATOR ({code}): {detail}. Follow runbooks/{code}.md, then send `retry`"
        )
        workflow.upsert_search_attributes([search.NEEDS_OPERATOR.value_set(True)])
        self.poked = False
        await self._tell_operators(ParkOperation(operation_id=operation_id, code=code, detail=detail))
        await workflow.wait_condition(lambda: self.poked)
        self.poked = False
        workflow.upsert_search_attributes([search.NEEDS_OPERATOR.value_set(False)])
        await self._tell_operators(ParkOperation(operation_id=operation_id, code="", detail="An operator resumed it"))

    async def _tell_operators(self, command: ParkOperation) -> None:
        await workflow.execute_local_activity_method(
            ParkingActivities.park_operation, command, summary="Tell operators", **policies.LOCAL
        )

    @workflow.signal(name="retry", description="Go on now: an operator has followed the runbook, or a refill arrived.")
    def retry(self, poke: RetryProcess) -> None:
        self.poked = True
