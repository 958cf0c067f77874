"""Periodic proof that the books say of every sale what Solana says."""

from __future__ import annotations

from temporalio import workflow

from activities.launchpad.reconcile import ReconcileActivities
from domain.launchpad.reconcile import Reconcile, Reconciled
from workflows import policies


@workflow.defn(name="LaunchpadReconcile")
class LaunchpadReconcileWorkflow:
    """One comparison of every sale with the chain.

    Waits for: nothing; a schedule starts it.
    Ends when: what differs is known to operators, and the feed knows what it has not read.
    Undo:      nothing; a difference is an operator's affair (runbooks/chain_differs.md).
    """

    @workflow.run
    async def run(self, command: Reconcile) -> Reconciled:
        found: Reconciled = await workflow.execute_activity_method(
            ReconcileActivities.reconcile_launchpad, command, summary="Books against Solana", **policies.FOLLOW
        )
        workflow.set_current_details(found.summary)
        return found
