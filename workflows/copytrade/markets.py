"""Facts of markets, every hour; at first sight the feed reads them itself."""

from __future__ import annotations

from temporalio import workflow

from activities.copytrade.market_facts import MarketFactsActivities
from domain.copytrade.feed_messages import MarketsRead
from workflows import policies


@workflow.defn(name="MarketFacts")
class MarketFactsWorkflow:
    """Reads the facts of every market that is not over, and books what had waited for facts.

    Waits for: the venue, and the Polygon node for conversions.
    Ends when: each has been read once; what the venue does not list is asked for again by the next round.
    Undo:      nothing.
    """

    @workflow.run
    async def run(self) -> MarketsRead:
        workflow.set_current_details("Reads facts of markets")
        read: MarketsRead = await workflow.execute_activity_method(
            MarketFactsActivities.read_market_facts, summary="Read facts", **policies.FOLLOW
        )
        workflow.set_current_details(f"Read {read.markets} markets; {read.applied} events had waited")
        return read
