"""Periodic look at the platform's wallet, the nodes, and landings that nobody waits for."""

from __future__ import annotations

from temporalio import workflow

from activities.launchpad.upkeep import SolanaUpkeepActivities
from domain.launchpad.transactions import LookedAfter
from workflows import policies


@workflow.defn(name="SolanaUpkeep")
class SolanaUpkeepWorkflow:
    """One round of looking after Solana.

    Waits for: nothing; a schedule starts it.
    Ends when: the round is done.
    Undo:      nothing.
    """

    @workflow.run
    async def run(self) -> LookedAfter:
        done: LookedAfter = await workflow.execute_activity_method(
            SolanaUpkeepActivities.look_after_solana, summary="Wallet, nodes, forgotten landings", **policies.EFFECT
        )
        workflow.set_current_details(done.summary)
        return done
