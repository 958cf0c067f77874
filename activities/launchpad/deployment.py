"""Bringing a program onto the chain: what to write next, compared with what stands there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.beating import beating
from domain.launchpad.deployment import (
    CHUNK,
    SUBJECT,
    CheckPublished,
    DeploymentEnded,
    DeploymentFacts,
    DeploymentRef,
    Effect,
    Missing,
    PlanChunks,
    PlanEffect,
    ToLand,
    buffer_difference,
    chunk_key,
    key,
    missing,
    piece,
    program_difference,
)
from domain.launchpad.transactions import Plan
from domain.shared.errors import Broken

if TYPE_CHECKING:
    from domain.launchpad.solana import Account
    from gateways.protocols import SolanaNodes
    from gateways.solana.loader import Act, LoaderProgram
    from storage.launchpad.deployments import DeploymentStore, Program

_STEP = {Effect.BUFFER: "buffer", Effect.PUBLISH: "publish", Effect.FINAL: "authority"}


class DeploymentActivities:
    def __init__(self, store: DeploymentStore, nodes: SolanaNodes, loader: LoaderProgram, at_once: int) -> None:
        self.store, self.nodes, self.loader, self.at_once = store, nodes, loader, at_once

    @activity.defn
    async def read_deployment(self, ref: DeploymentRef) -> DeploymentFacts:
        """Where it stands.

        Effect: none.
        Again:  reads again.
        """
        facts = await self.store.facts(ref.deployment_id)
        return facts.model_copy(update={"at_once": self.at_once})

    @activity.defn
    async def plan_effect(self, command: PlanEffect) -> ToLand:
        """What has to be done once: open the buffer, publish, make final, close the buffer.

        Effect: a plan and the operation's step, one transaction.
        Again:  the same key is the same plan.
        """
        program = await self.store.program(command.deployment_id)
        act = self._act(command, program)
        plan = self._plan(command.deployment_id, key(command.deployment_id, command.effect), act)
        if command.effect is Effect.CLOSE:
            return await self.store.plan_close(command.deployment_id, plan)
        return await self.store.plan(command.deployment_id, _STEP[command.effect], [plan])

    def _act(self, command: PlanEffect, program: Program) -> Act:
        size = len(program.content)
        if command.effect is Effect.BUFFER:
            return self.loader.open_buffer(command.deployment_id, size)
        if command.effect is Effect.PUBLISH:
            return self.loader.publish(program.name, program.buffer, size)
        if command.effect is Effect.FINAL:
            return self.loader.make_final(program.program_id)
        return self.loader.close(program.buffer)

    @activity.defn
    async def plan_chunks(self, command: PlanChunks) -> ToLand:
        """Writes of these pieces.

        Effect: plans and the operation's step, one transaction.
        Again:  the same keys are the same plans.
        """
        program = await self.store.program(command.deployment_id)
        plans = [
            self._plan(
                command.deployment_id,
                chunk_key(command.deployment_id, number, command.turn),
                self.loader.write(program.buffer, number * CHUNK, piece(program.content, number)),
            )
            for number in command.numbers
        ]
        return await self.store.plan(command.deployment_id, "chunks", plans)

    @activity.defn
    async def compare_buffer(self, ref: DeploymentRef) -> Missing:
        """Which pieces do not stand in the buffer, as a node sees it that has seen everything we know to have landed.

        Effect: none.
        Again:  reads again.
        Raises: Broken deployment_stuck when the buffer is not ours any more.
        """
        async with beating():
            program = await self.store.program(ref.deployment_id)
            found = await self._account(ref.deployment_id, program.buffer)
        facts = self.loader.read_buffer(found.owner, found.data)
        wrong = buffer_difference(facts, self.loader.platform, len(program.content))
        if wrong is not None:
            raise Broken("deployment_stuck", f"the buffer {program.buffer} is not ours: {wrong}")
        return Missing(numbers=missing(program.content, facts.content))

    @activity.defn
    async def check_published(self, command: CheckPublished) -> None:
        """The program that stands there is the one of the file; the platform alone can change it, or nobody.

        Effect: the operation's step, one transaction.
        Again:  reads again.
        Raises: Broken deployment_stuck when it is another one.
        """
        async with beating():
            program = await self.store.program(command.deployment_id)
            at = await self._account(command.deployment_id, program.program_id)
            found = await self._account(command.deployment_id, self.loader.data_address(program.program_id))
        self.loader.read_program(program.program_id, at.owner, at.data)
        nobody: set[str | None] = {None} if program.final else set()
        may = nobody if command.sealed else nobody | {self.loader.platform}
        wrong = program_difference(self.loader.read_data(found.owner, found.data), program.content, may)
        if wrong is not None:
            raise Broken("deployment_stuck", f"what stands at {program.program_id} differs: {wrong}")
        await self.store.reach(command.deployment_id, "authority" if command.sealed else "verify")

    @activity.defn
    async def end_deployment(self, ended: DeploymentEnded) -> None:
        """Book how it ended.

        Effect: deployment and operation, one transaction.
        Again:  sets the same values.
        """
        await self.store.end(ended)

    async def _account(self, deployment_id: str, address: str) -> Account:
        slot = await self.store.newest_slot(deployment_id)
        found = await self.nodes.account(address, commitment="confirmed", min_slot=slot)
        if found is None:
            raise Broken("deployment_stuck", f"there is no account at {address}")
        return found

    def _plan(self, deployment_id: str, name: str, act: Act) -> Plan:
        return Plan(
            key=name,
            subject_kind=SUBJECT,
            subject_id=deployment_id,
            payer=self.loader.platform,
            instructions=act.instructions,
            most_lamports=act.most_lamports,
        )
