"""Continuous reconcile: each leader's shadow against the venue's positions, his rows against its trades feed."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from temporalio import activity

from activities.beating import beating
from activities.copytrade.reading import ActivityFeed
from domain.copytrade.feed_messages import DriftFound, LeaderRef, Leaders
from domain.copytrade.venue import VenuePosition

if TYPE_CHECKING:
    from storage.copytrade.drift import DriftStore, Fill

AUDIT_S: Final = 3_600
"""How far back the trades feed is compared with the rows of the activity feed."""
SETTLED_S: Final = 60
"""Younger rows may not have reached both."""


class DriftActivities:
    def __init__(self, store: DriftStore, data: ActivityFeed, fill: type[Fill]) -> None:
        self.store, self.data, self.fill = store, data, fill

    @activity.defn
    async def list_leaders(self) -> Leaders:
        """Whose shadows are compared.

        Effect: none.
        Again:  reads again.
        """
        return Leaders(user_ids=tuple(await self.store.leaders()))

    @activity.defn
    async def compare_leader(self, leader: LeaderRef) -> DriftFound:
        """Compare one leader with the venue: shares by token, and the fills of the last hour.

        Effect: rows of differing tokens, an alert after three looks, one transaction; another asks the feed to read
                again from an hour ago when fills are missing.
        Again:  looks again: a retried look counts as one more.
        """
        async with beating():
            positions: list[VenuePosition] = []
            fills: Counter[Fill] = Counter()
            since = int(time.time()) - AUDIT_S
            for wallet in await self.store.wallets(leader.user_id):
                positions += await self.data.positions(wallet)
                fills += await self._fills(wallet, since)
            kept = await self.store.compare(leader.user_id, positions)
            missing = await self.store.missing(leader.user_id, fills, datetime.fromtimestamp(since, UTC))
        return DriftFound(user_id=leader.user_id, tokens=kept.tokens, alerted=kept.lasting, missing=missing)

    async def _fills(self, wallet: str, since: int) -> Counter[Fill]:
        feed = await self.data.trades(wallet, since, int(time.time()) - SETTLED_S)
        rows = (row for row in feed.rows if not row.is_combo and row.size)
        return Counter(self.fill(row.tx_hash, row.token_id, row.side, int(row.size.scaleb(6))) for row in rows)
