"""The chain trigger: one listener of the chain the venue settles on."""

from __future__ import annotations

from temporalio import workflow

from activities.copytrade.chain import ChainTriggerActivities
from domain.copytrade.chain_messages import FollowPolygon
from workflows import policies


@workflow.defn(name="ChainTrigger")
class ChainTriggerWorkflow:
    """Listens for fills and moves of followed wallets, so that the feed looks at once. Never the truth.

    Waits for: logs and heads of the chain.
    Ends when: never; it continues as new.
    Undo:      nothing: its rows move no portfolio, and what the chain takes back is marked.
    """

    @workflow.run
    async def run(self, follow: FollowPolygon) -> None:
        workflow.set_current_details(f"Listens to chain {follow.chain_id} for what leaders do")
        while not workflow.info().is_continue_as_new_suggested():
            await workflow.execute_activity_method(
                ChainTriggerActivities.follow_polygon, follow, summary="Listen to the chain", **policies.FOLLOW
            )
        workflow.continue_as_new(follow)
