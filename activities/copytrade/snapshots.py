"""What every portfolio is worth, minute by minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.beating import beating, leave_if_stopping
from domain.copytrade.portfolio_messages import SnapshotsTaken

if TYPE_CHECKING:
    from storage.copytrade.snapshots import SnapshotStore


class SnapshotActivities:
    def __init__(self, store: SnapshotStore) -> None:
        self.store = store

    @activity.defn
    async def take_snapshots(self) -> SnapshotsTaken:
        """Bring the snapshots of every portfolio up to the last full minute.

        Effect: snapshots by the minute and by the hour, the peak, perhaps a latched drawdown: a transaction a page.
        Again:  writes what is missing; what is there is derived from the same rows and stays as it is.
        """
        written = unpriced = latched = 0
        async with beating():
            portfolios = await self.store.portfolios()
            for portfolio_id in portfolios:
                more = True
                while more:
                    leave_if_stopping()
                    taken = await self.store.take(portfolio_id)
                    more = taken.more
                    written, latched = written + taken.written, latched + taken.latched
                unpriced += taken.unpriced
        return SnapshotsTaken(portfolios=len(portfolios), written=written, unpriced=unpriced, latched=latched)
