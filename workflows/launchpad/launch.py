"""The launch of a token: from turn to turn, undone before the mint, forward after it. The steps are launch_steps.py."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError, TimeoutError, is_cancelled_exception

from activities.launchpad.launches import LaunchActivities
from domain.launchpad import steps
from domain.launchpad.launch_messages import Done, GiveUp, Go, LaunchState, Signed, Turn, Undone
from domain.launchpad.steps import STEPS, Step
from domain.shared.problems import for_operators
from domain.shared.processes import Start
from workflows.failures import STEP_FAILED, code_of, failure_of
from workflows.launchpad.launch_steps import LaunchSteps
from workflows.saga import to_the_end

LOOK_AGAIN: Final = timedelta(seconds=5)
"""While launches are held by the kill switch."""


@workflow.defn(name="TokenLaunch")
class TokenLaunchWorkflow(LaunchSteps):
    """From the request to a live sale; every effect once, whatever dies on the way.

    Waits for: the kill switch; the creator's signatures; finality; an operator's or creator's `retry` when it is stuck.
    Ends when: live, or undone before the mint.
    Undo:      before the mint everything in reverse: pins, and what was paid is owed back; after it nothing.
    """

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__(start.subject_id)
        self.at = 0
        self.ended: str | None = None
        self.done = Done()

    @workflow.run
    async def run(self, start: Start) -> LaunchState:
        state = await self.to_the_end(self._launch, start.operation_id)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return state

    async def _launch(self) -> LaunchState:
        while self.state is None and self.giving_up is None:
            step = await self._begin()
            if step is not None:
                await self._through(step)
        if self.state is None:
            self.state = await self._undone()
        return self.state

    async def _begin(self) -> Step | None:
        """The step that begins, by the books; None: the launch has ended, is given up, or has to wait a while."""
        turn = Turn(launch_id=self.ref.launch_id, begins=STEPS[self.at].name, ended=self.ended, done=self.done)
        go: Go = await self.books(LaunchActivities.turn_launch, turn, f"Begin {turn.begins}")
        self.ended, self.done, self.signing = None, Done(), go.signing
        step = steps.named(go.step)
        self.at = STEPS.index(step)
        if go.answer == "go":
            return step
        if go.answer == "ended":
            self.state = LaunchState(status=go.status)
        elif go.answer == "cancelled":
            self.giving_up = Undone(launch_id=self.ref.launch_id)
        else:
            workflow.set_current_details("Waits: launches are switched off (control launchpad.launches)")
            self.poked = False
            await self.wait(lambda: self.poked, LOOK_AGAIN, "Launches are switched off")
        return None

    async def _through(self, step: Step) -> None:
        workflow.set_current_details(f"{step.title} ({self.at + 1} of {len(STEPS)})")
        try:
            done = await self.carry_out(step)
        except STEP_FAILED as error:
            if is_cancelled_exception(error):
                raise
            await self._decide(step, error)
            return
        if self.giving_up is None and self.state is None:
            self.ended, self.done, self.at = step.name, done, self.at + 1

    async def _decide(self, step: Step, error: FailureError) -> None:
        """Give up while no mint can land; else an operator decides, and `retry` goes on here."""
        code, detail = code_of(error), str(failure_of(error))
        ordinary = for_operators(code) != code or isinstance(failure_of(error), TimeoutError)
        await workflow.wait_condition(workflow.all_handlers_finished)  # a `cancel` on its way is decided first
        free = steps.reversible(step.name) and await self.nothing_signed()
        if free and self.cancel_asked:
            self.giving_up = Undone(launch_id=self.ref.launch_id)
            return
        if free and ordinary and (free := await self.stopped()):
            self.giving_up = Undone(launch_id=self.ref.launch_id, code=code, detail=detail)
            return
        after = f"`retry` goes on with {step.name}" + (", `cancel` undoes the launch" if free else "")
        said = f"{self.ref.launch_id} stopped at {step.name} ({step.title}): {detail}. Next: {after}"
        raise ApplicationError(said, type="launch_parked", non_retryable=True) from error

    async def _undone(self) -> LaunchState:
        """Everything in reverse, each to its end, whatever comes meanwhile."""
        assert self.giving_up is not None
        workflow.set_current_details(f"Undoing: {self.giving_up.code or 'cancelled'}")
        for undo in dict.fromkeys(step.undo for step in steps.to_undo(STEPS[self.at].name)):
            await to_the_end(self.take_back(undo))
        state: LaunchState = await self.books(LaunchActivities.end_undone, self.giving_up, "Book the end")
        return state

    @workflow.update(description="The creator's wallet has signed; the books hold the transaction.")
    async def submit_signature(self, signed: Signed) -> LaunchState:
        self.signed = signed.key
        return LaunchState(status="running")

    @submit_signature.validator
    def _awaits(self, signed: Signed) -> None:
        if signed.key != self.awaited:
            raise ApplicationError(f"{signed.key} is not awaited", type="signature_not_awaited", non_retryable=True)

    @workflow.update(description="Give the launch up; possible until the mint is signed, which the books know.")
    async def cancel(self, asked: GiveUp) -> LaunchState:
        try:
            state: LaunchState = await self.books(LaunchActivities.request_cancel, asked, "Note that it is given up")
        except STEP_FAILED as error:
            raise ApplicationError(str(failure_of(error)), type=code_of(error), non_retryable=True) from error
        self.cancel_asked = self.poked = True
        return state

    @cancel.validator
    def _is_reversible(self, asked: GiveUp) -> None:
        if self.state is not None or not steps.reversible(STEPS[self.at].name):
            detail = "the mint is on the chain: it only goes forward"
            raise ApplicationError(detail, type="launch_not_cancellable", non_retryable=True)
