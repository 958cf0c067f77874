"""A program onto the chain through the upgradeable loader, piece by piece."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from activities.launchpad.deployment import DeploymentActivities
from domain.launchpad.deployment import (
    ROUNDS,
    CheckPublished,
    Deployed,
    DeploymentEnded,
    DeploymentFacts,
    DeploymentRef,
    Effect,
    Missing,
    PlanChunks,
    PlanEffect,
    ToLand,
)
from domain.launchpad.transactions import Outcome
from domain.shared.processes import Start
from workflows import policies
from workflows.launchpad.landing import land
from workflows.parking import Parking


class Undone(Exception):
    """Cancelling was asked for before the program was published."""


@workflow.defn(name="ProgramDeployment")
class ProgramDeploymentWorkflow(Parking):
    """Writes a program into a buffer, publishes it from there, checks it, and makes it final if that was asked.

    Waits for: the chain; an operator's `retry` when the buffer or the program is not what was written.
    Ends when: the program stands there as in the file, or the buffer is closed.
    Undo:      until its publication is planned the buffer is closed and its rent returns; after it there is none.
    """

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__()
        self.start = start
        self.ref = DeploymentRef(deployment_id=start.subject_id)

    @workflow.run
    async def run(self, start: Start) -> Deployed:
        return await self.to_the_end(self._deploy, start.operation_id)

    async def _deploy(self) -> Deployed:
        facts: DeploymentFacts = await workflow.execute_local_activity_method(
            DeploymentActivities.read_deployment, self.ref, summary="Where does it stand?", **policies.LOCAL
        )
        cancelled = facts.cancelled
        if not facts.ended:
            try:
                await self._publish(facts)
            except Undone:
                await self._undo()
                cancelled = True
            await self._end(cancelled=cancelled)
        return Deployed(program_id=facts.program_id, cancelled=cancelled)

    async def _publish(self, facts: DeploymentFacts) -> None:
        if not facts.published:
            await self._effect(Effect.BUFFER)
            await self._write(facts)
        await self._effect(Effect.PUBLISH)
        await self._check("Is it the program of the file?")
        if facts.final:
            await self._effect(Effect.FINAL)
            await self._check("Can nobody change it?", sealed=True)

    async def _write(self, facts: DeploymentFacts) -> None:
        """Until the buffer holds the file: each piece once, again only what a fork took back."""
        for turn in range(ROUNDS):
            missing: Missing = await workflow.execute_activity_method(
                DeploymentActivities.compare_buffer,
                self.ref,
                summary="What is missing in the buffer?",
                **policies.SWIFT,
            )
            if not missing.numbers:
                return
            there = facts.chunks - len(missing.numbers)
            for first in range(0, len(missing.numbers), facts.at_once):
                workflow.set_current_details(f"Writes {facts.name}: {there + first} of {facts.chunks} pieces")
                await self._write_some(missing.numbers[first : first + facts.at_once], turn)
                if workflow.info().is_continue_as_new_suggested():
                    workflow.continue_as_new(self.start)
        raise ApplicationError("the buffer does not keep what is written", type="deployment_stuck", non_retryable=True)

    async def _write_some(self, numbers: tuple[int, ...], turn: int) -> None:
        command = PlanChunks(deployment_id=self.ref.deployment_id, numbers=numbers, turn=turn)
        planned: ToLand = await workflow.execute_local_activity_method(
            DeploymentActivities.plan_chunks, command, summary=f"Plan {len(numbers)} writes", **policies.LOCAL
        )
        await self._land(planned)

    async def _effect(self, effect: Effect) -> None:
        """Plan it and land it; but for the buffer, wait until nothing can take it back."""
        workflow.set_current_details(f"Carries out: {effect}")
        command = PlanEffect(deployment_id=self.ref.deployment_id, effect=effect)
        planned: ToLand = await workflow.execute_local_activity_method(
            DeploymentActivities.plan_effect, command, summary=f"Plan: {effect}", **policies.LOCAL
        )
        await self._land(planned, finalized=effect is not Effect.BUFFER)

    async def _land(self, planned: ToLand, *, finalized: bool = False) -> None:
        """All of them to the chain, each to its own end, before a failure of one counts."""
        landings = await asyncio.gather(
            *(land(key, finalized=finalized, again=self.resumed) for key in planned.keys), return_exceptions=True
        )
        for landing in landings:
            if isinstance(landing, BaseException):
                raise landing
            if landing.outcome is not Outcome.LANDED:
                raise ApplicationError(
                    f"{landing.key} {landing.outcome}: {landing.err}", type="deployment_stuck", non_retryable=True
                )
        if planned.cancelled:
            raise Undone

    async def _check(self, question: str, *, sealed: bool = False) -> None:
        await workflow.execute_activity_method(
            DeploymentActivities.check_published,
            CheckPublished(deployment_id=self.ref.deployment_id, sealed=sealed),
            summary=question,
            **policies.SWIFT,
        )

    async def _undo(self) -> None:
        """The buffer is there, or was never asked for: what was planned has landed."""
        facts: DeploymentFacts = await workflow.execute_local_activity_method(
            DeploymentActivities.read_deployment, self.ref, summary="Is there a buffer?", **policies.LOCAL
        )
        if facts.created:
            await self._effect(Effect.CLOSE)

    async def _end(self, *, cancelled: bool) -> None:
        ended = DeploymentEnded(
            deployment_id=self.ref.deployment_id, operation_id=self.start.operation_id, cancelled=cancelled
        )
        await workflow.execute_local_activity_method(
            DeploymentActivities.end_deployment, ended, summary="Book how it ended", **policies.LOCAL
        )
        workflow.set_current_details("Undone" if cancelled else "Published")
