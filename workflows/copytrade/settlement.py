"""Settlement of resolved markets, every two minutes."""

from __future__ import annotations

from temporalio import workflow

from activities.copytrade.settlement import SettlementActivities
from domain.copytrade.feed_messages import MarketSettled, ResolutionsRead, SettlementDone, Unresolved
from workflows import policies


@workflow.defn(name="Settlement")
class SettlementWorkflow:
    """Asks how far the markets have come that anybody holds, and pays out those that are resolved.

    Waits for: the venue.
    Ends when: every market that was due has been asked for, and every resolved one is settled.
    Undo:      nothing: a settlement is one transaction and happens once per holding.
    """

    @workflow.run
    async def run(self) -> SettlementDone:
        due: Unresolved = await workflow.execute_local_activity_method(
            SettlementActivities.list_unresolved, summary="Which markets are held?", **policies.LOCAL
        )
        if not due.condition_ids:
            return SettlementDone()
        read: ResolutionsRead = await workflow.execute_activity_method(
            SettlementActivities.read_resolutions, due, summary="Ask the venue", **policies.EFFECT
        )
        resolved: Unresolved = await workflow.execute_local_activity_method(
            SettlementActivities.keep_resolutions, read, summary="Keep what it said", **policies.LOCAL
        )
        positions = 0
        for condition_id in resolved.condition_ids:
            workflow.set_current_details(f"Settles {condition_id}")
            settled: MarketSettled = await workflow.execute_activity_method(
                SettlementActivities.settle_market,
                MarketSettled(condition_id=condition_id),
                summary="Pay out",
                **policies.EFFECT,
            )
            positions += settled.positions
        workflow.set_current_details(f"Asked for {len(due.condition_ids)} markets, settled {positions} positions")
        return SettlementDone(looked=len(due.condition_ids), resolved=len(resolved.condition_ids), positions=positions)
