"""Corrections of the ledger: asked for by one person, booked once another one has agreed."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from activities.operations.corrections import CorrectionActivities
from domain.operations.corrections import (
    ENDED,
    PENDING,
    CorrectionRef,
    CorrectionState,
    CorrectionVerdict,
    DecideCorrection,
    ExpireCorrection,
    Message,
)
from domain.shared.processes import Start
from workflows import policies
from workflows.failures import STEP_FAILED, code_of, failure_of
from workflows.parking import Parking


@workflow.defn(name="Correction")
class CorrectionWorkflow(Parking):
    """A compensating entry, by two persons.

    Waits for: another person's word, seven days at most; `retry` when something is Broken.
    Ends when: booked, rejected, expired, or refused by the books (operators are called).
    Undo:      nothing: before the booking nothing has moved, after it the opposite correction undoes it.
    """

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__()
        self.ref = CorrectionRef(correction_id=start.subject_id)
        self.state: CorrectionState | None = None

    @workflow.run
    async def run(self, start: Start) -> CorrectionState:
        return await self.to_the_end(self._correct, start.operation_id)

    async def _correct(self) -> CorrectionState:
        state = await self._step(CorrectionActivities.read_correction, self.ref, "What was asked for?")
        while state.status == PENDING:
            await self._until_decided(state)
            if self.now_known.status == PENDING:
                expire = ExpireCorrection(correction_id=self.ref.correction_id, at=workflow.now())
                await self._step(CorrectionActivities.expire_correction, expire, "Nobody decided in time")
            state = self.now_known
        if state.status == "approved":
            await self._step(CorrectionActivities.book_correction, self.ref, "Book it")
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.now_known

    @property
    def now_known(self) -> CorrectionState:
        assert self.state is not None
        return self.state

    async def _until_decided(self, state: CorrectionState) -> None:
        left = state.expires_at - workflow.now()
        if left > timedelta(0):
            with contextlib.suppress(asyncio.TimeoutError):
                await workflow.wait_condition(
                    lambda: self.now_known.status != PENDING, timeout=left, timeout_summary="Another person decides"
                )

    async def _step(self, step: Any, command: Message, summary: str) -> CorrectionState:
        found: CorrectionState = await workflow.execute_local_activity_method(
            step, command, summary=summary, **policies.LOCAL
        )
        if self.state is None or self.state.status not in ENDED:  # an answer may come after a later one
            self.state = found
        workflow.set_current_details(self.state.summary)
        return self.state

    @workflow.update(description="Approve or reject; approval by another person than who asked.")
    async def decide(self, verdict: CorrectionVerdict) -> CorrectionState:
        await workflow.wait_condition(lambda: self.state is not None)
        command = DecideCorrection(correction_id=self.ref.correction_id, verdict=verdict)
        try:
            return await self._step(CorrectionActivities.decide_correction, command, "Another person's word")
        except STEP_FAILED as error:
            raise ApplicationError(str(failure_of(error)), type=code_of(error), non_retryable=True) from error
