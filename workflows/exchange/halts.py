"""A halt of the trade in one asset, until its time is over or an operator ends it."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from activities.exchange.pricing import HaltActivities
from domain.exchange.messages import Message
from domain.exchange.price_messages import EndHalt, ExtendHalt, HaltRef, HaltState, LengthenHalt, ResumeTrading
from domain.shared.processes import Start
from workflows import policies
from workflows.failures import STEP_FAILED, code_of, failure_of
from workflows.parking import Parking


@workflow.defn(name="AssetHalt")
class AssetHaltWorkflow(Parking):
    """Trading stands still, then goes on by itself.

    Waits for: the halt's end; operators' `extend` and `resume`; `retry` when something is Broken.
    Ends when: trading goes on.
    Undo:      nothing: the asset was halted before this began, and is not halted when it ends.
    """

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__()
        self.halt_id = start.subject_id
        self.state: HaltState | None = None

    @workflow.run
    async def run(self, start: Start) -> HaltState:
        return await self.to_the_end(self._stand, start.operation_id)

    async def _stand(self) -> HaltState:
        state = await self._change(HaltActivities.read_halt, HaltRef(halt_id=self.halt_id), "Until when?")
        while not state.ended:
            await self._until_changed(state)
            if workflow.now() >= self.now_known.until and not self.now_known.ended:
                end = EndHalt(halt_id=self.halt_id, at=workflow.now())
                await self._change(HaltActivities.end_halt, end, "Trading goes on")
            state = self.now_known
        await workflow.wait_condition(workflow.all_handlers_finished)
        return state

    @property
    def now_known(self) -> HaltState:
        assert self.state is not None
        return self.state

    async def _until_changed(self, state: HaltState) -> None:
        """Until its end, or until an operator changes that."""
        left = state.until - workflow.now()
        if left > timedelta(0):
            with contextlib.suppress(asyncio.TimeoutError):
                await workflow.wait_condition(
                    lambda: self.state != state, timeout=left, timeout_summary="Until trading goes on"
                )

    async def _change(self, step: Any, command: Message, summary: str) -> HaltState:
        state: HaltState = await workflow.execute_local_activity_method(
            step, command, summary=summary, **policies.LOCAL
        )
        self.state = state
        why = "the circuit breaker tripped" if state.cause == "circuit_breaker" else state.cause
        how = "by itself" if state.ended_by == "time" else f"by operator {state.ended_by}"
        until = f"{state.until:%Y-%m-%d %H:%M:%S} UTC"
        shown = f"goes on, resumed {how}" if state.ended else f"is halted until {until}: {why}"
        workflow.set_current_details(f"Trading in {state.symbol} {shown}")
        return state

    async def _ask(self, step: Any, command: Message, summary: str) -> HaltState:
        """A change that an operator asks for; what the books refuse becomes the update's failure, with its code."""
        try:
            return await self._change(step, command, summary)
        except STEP_FAILED as error:
            raise ApplicationError(str(failure_of(error)), type=code_of(error), non_retryable=True) from error

    @workflow.update(description="An operator lets trading go on now.")
    async def resume(self, asked: ResumeTrading) -> HaltState:
        end = EndHalt(halt_id=self.halt_id, at=workflow.now(), principal=asked.principal, note=asked.note)
        return await self._ask(HaltActivities.end_halt, end, "An operator resumes trading")

    @workflow.update(description="An operator makes the halt longer.")
    async def extend(self, asked: LengthenHalt) -> HaltState:
        await workflow.wait_condition(lambda: self.state is not None)
        longer = ExtendHalt(
            halt_id=self.halt_id,
            until=self.now_known.until + timedelta(seconds=asked.seconds),
            principal=asked.principal,
            note=asked.note,
        )
        return await self._ask(HaltActivities.extend_halt, longer, "An operator makes it longer")
