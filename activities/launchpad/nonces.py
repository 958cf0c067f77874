"""Durable nonces for what a wallet signs: lent before it is asked, given back when it is not asked any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from domain.launchpad.launch_messages import Lent, StepRef
from domain.launchpad.steps import named, plan_key

if TYPE_CHECKING:
    from storage.launchpad.nonces import NonceStore


class NonceActivities:
    """Each method is one transaction."""

    def __init__(self, store: NonceStore) -> None:
        self.store = store

    @activity.defn
    async def lend_nonce(self, command: StepRef) -> Lent:
        """Lend a nonce to the step's transaction, or plan one for it.

        Effect: the loan, and perhaps a plan: one transaction.
        Again:  what has a nonce keeps it.
        """
        return await self.store.lend(plan_key(command.launch_id, named(command.step)))

    @activity.defn
    async def return_nonce(self, command: StepRef) -> None:
        """The step's transaction waits for no wallet any more.

        Effect: loan and issued message end: one transaction.
        Again:  nothing is left to end.
        """
        await self.store.give_back(plan_key(command.launch_id, named(command.step)))
