"""From trades to prices: one feed for all assets, one engine per asset."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

from temporalio import workflow

from activities.exchange.pricing import FeedActivities, PricingActivities
from domain.exchange.oracle_messages import OracleNews
from domain.exchange.price_messages import AssetNews, PriceEngineState, RecordTick, TickRecorded
from workflows import policies
from workflows.parking import Parking


@workflow.defn(name="PriceFeed")
class PriceFeedWorkflow:
    """Tells price engines of trades.

    Waits for: events (LISTEN/NOTIFY, and every second).
    Ends when: never; it continues as new.
    Undo:      nothing: it only signals.
    """

    @workflow.run
    async def run(self) -> None:
        workflow.set_current_details("Tells price engines what was traded")
        while not workflow.info().is_continue_as_new_suggested():
            await workflow.execute_activity_method(
                FeedActivities.feed_prices, summary="Events to price engines", **policies.FOLLOW
            )
        workflow.continue_as_new()


@workflow.defn(name="PriceEngine")
class PriceEngineWorkflow(Parking):
    """Prices one asset for as long as it trades.

    Waits for: news of trades and of oracle signals; without any, the next heartbeat; `retry` when something is Broken.
    Ends when: the asset has no price (it does not trade); else never, it continues as new.
    Undo:      nothing: ticks are observations.
    """

    @workflow.init
    def __init__(self, state: PriceEngineState) -> None:
        super().__init__()
        self.state = state
        self.news = True

    @workflow.run
    async def run(self, state: PriceEngineState) -> PriceEngineState:
        return await self.to_the_end(self._price, None)

    async def _price(self) -> PriceEngineState:
        while True:
            self.news = False
            done = await self._tick()
            workflow.set_current_details(done.summary)
            if done.ended and not self.news:
                return self.state
            with contextlib.suppress(asyncio.TimeoutError):
                longest = timedelta(milliseconds=done.again_in_ms)
                await workflow.wait_condition(lambda: self.news, timeout=longest, timeout_summary="Heartbeat")
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self.state)

    async def _tick(self) -> TickRecorded:
        return await workflow.execute_local_activity_method(
            PricingActivities.record_tick,
            RecordTick(asset_id=self.state.asset_id, at=workflow.now()),
            summary="One tick, in one transaction",
            **policies.LOCAL,
        )

    @workflow.signal(description="Orders of this asset were filled, or it began to trade.")
    def trades(self, news: AssetNews) -> None:
        """What was heard of before changes nothing."""
        if (news.xact, news.position) > (self.state.xact, self.state.position):
            self.state = self.state.model_copy(update={"xact": news.xact, "position": news.position})
            self.news = True

    @workflow.signal(description="The oracle has accepted a signal; it waits in the books.")
    def oracle(self, news: OracleNews) -> None:
        self.news = True
