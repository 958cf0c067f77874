"""A launch on the books: turns from step to step, validation, activation, giving up. Chain steps are in minting.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from domain.launchpad import steps
from domain.launchpad.launch_messages import (
    Awaited,
    Done,
    Found,
    GiveUp,
    Go,
    LaunchRef,
    LaunchState,
    StepRef,
    Turn,
    Undone,
)

if TYPE_CHECKING:
    from gateways.solana.launching import LaunchWire
    from storage.launchpad.launch_plans import LaunchPlans
    from storage.launchpad.launches import LaunchStore


class LaunchActivities:
    """Each method is one transaction."""

    def __init__(self, store: LaunchStore, plans: LaunchPlans, wire: LaunchWire, *, signature_s: int) -> None:
        """`signature_s`: how long a creator's signature is awaited."""
        self.store = store
        self.plans = plans
        self.wire = wire
        self.signature_s = signature_s

    @activity.defn
    async def turn_launch(self, command: Turn) -> Go:
        """Book the step that ended, and let the next one begin if it may.

        Effect: two steps, the launch's step and status, an event: one transaction.
        Again:  sets the same values; an ended launch answers that it has ended.
        """
        return await self.store.turn(command)

    @activity.defn
    async def validate_launch(self, command: LaunchRef) -> Done:
        """Look at the request and its pictures again, now.

        Effect: none.
        Again:  looks again.
        """
        return await self.store.validate(command.launch_id)

    @activity.defn
    async def request_cancel(self, command: GiveUp) -> LaunchState:
        """Note that the launch is to be given up.

        Effect: a mark on the launch, audit entry: one transaction.
        Again:  it is noted once.
        """
        return await self.store.request_cancel(command)

    @activity.defn
    async def begin_undoing(self, command: LaunchRef) -> Found:
        """Let no mint be signed from here on, unless one is.

        Effect: a mark on the launch.
        Again:  it is marked once.
        """
        return Found(done=await self.store.begin_undoing(command.launch_id))

    @activity.defn
    async def await_signature(self, command: StepRef) -> Awaited:
        """Show that the creator's signature is awaited; it may have come while nobody listened.

        Effect: status, operation, event: one transaction.
        Again:  a launch that waits already waits on.
        """
        signed = await self.plans.wallet_signed(command.launch_id, steps.named(command.step))
        if not signed:
            await self.store.wait_for_signature(command, self.signature_s)
        return Awaited(signed=signed, for_s=self.signature_s)

    @activity.defn
    async def signature_came(self, command: StepRef) -> None:
        """Show that the launch goes on.

        Effect: status, operation, event: one transaction.
        Again:  sets the same values.
        """
        await self.store.signature_came(command)

    @activity.defn
    async def activate_launch(self, command: LaunchRef) -> LaunchState:
        """Open the sale's row and process, show the project, start the promotion that was paid for.

        Effect: sale, its operation, project, promotion, launch, events: one transaction.
        Again:  a launch that is live answers so; a sale is opened once for a project.
        """
        launch = await self.store.launch(command.launch_id)
        return await self.store.activate(command.launch_id, self.wire.wanted(launch))

    @activity.defn
    async def end_undone(self, command: Undone) -> LaunchState:
        """Book the end of a launch whose every effect was undone.

        Effect: launch, project, operation, events: one transaction.
        Again:  an ended launch answers its status.
        """
        return await self.store.undone(command)
