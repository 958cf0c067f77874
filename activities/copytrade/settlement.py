"""Settlement: ask how far markets have come, pay out those that are resolved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from temporalio import activity

from activities.copytrade.market_facts import Resolutions, as_message
from domain.copytrade.feed_messages import MarketSettled, ResolutionsRead, Unresolved

if TYPE_CHECKING:
    from storage.copytrade.markets import MarketStore
    from storage.copytrade.settlement import SettlementStore

LIMIT: Final = 400
"""Markets of one round: twenty questions to the venue."""


class SettlementActivities:
    def __init__(self, store: SettlementStore, markets: MarketStore, data: Resolutions) -> None:
        self.store, self.markets, self.data = store, markets, data

    @activity.defn
    async def list_unresolved(self) -> Unresolved:
        """Markets whose resolution is worth asking for.

        Effect: none.
        Again:  reads again.
        """
        return Unresolved(condition_ids=tuple(await self.store.unresolved(LIMIT)))

    @activity.defn
    async def read_resolutions(self, asked: Unresolved) -> ResolutionsRead:
        """Ask the venue how far these markets have come.

        Effect: none but questions.
        Again:  asks again.
        """
        found = await self.data.resolutions(asked.condition_ids)
        return ResolutionsRead(found=tuple(as_message(one) for one in found))

    @activity.defn
    async def keep_resolutions(self, read: ResolutionsRead) -> Unresolved:
        """Keep statuses and payouts; returns the markets that are resolved.

        Effect: rows of markets, one transaction.
        Again:  sets the same values; payouts once known stay.
        """
        return Unresolved(condition_ids=tuple(await self.markets.write_resolutions(read.found)))

    @activity.defn
    async def settle_market(self, market: MarketSettled) -> MarketSettled:
        """Book redemptions that waited for the payouts, then pay out what is held, in every portfolio.

        Effect: two transactions, each whole by itself: waiting events; settlements and the event that tells of them.
        Again:  what is booked waits no longer, what is settled is not held any more.
        """
        applied = await self.markets.apply_waiting()
        settled = await self.store.settle(market.condition_id)
        return MarketSettled(condition_id=market.condition_id, positions=settled, applied=applied)
