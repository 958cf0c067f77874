"""Reading the last hours of a leader again, for an operator."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from temporalio import activity

from activities.beating import beating, leave_if_stopping
from activities.copytrade.market_facts import FactsReader
from activities.copytrade.reading import ActivityFeed, OddRows, read_wallet
from domain.copytrade.feed_messages import BackfillEnded, BackfillLeader, BackfillPlan, BackfillRead
from domain.copytrade.readings import sort_rows
from domain.shared.processes import Start

if TYPE_CHECKING:
    from storage.copytrade.backfill import BackfillStore

LATEST_S: Final = 120
"""What is younger is left to the feed: it would be a signal there, and is not here."""
BATCH: Final = 2_000


class BackfillActivities:
    def __init__(self, store: BackfillStore, data: ActivityFeed, facts: FactsReader, odd: OddRows) -> None:
        self.store, self.data, self.facts, self.odd = store, data, facts, odd

    @activity.defn
    async def plan_backfill(self, start: Start) -> BackfillPlan:
        """How far back, and whom.

        Effect: none.
        Again:  reads again.
        """
        return await self.store.plan(start.subject_id)

    @activity.defn
    async def backfill_leader(self, command: BackfillLeader) -> BackfillRead:
        """Read a leader's last hours; what the books lack is booked in his shadow and never copied.

        Effect: per 2,000 rows one transaction.
        Again:  rows that are there change nothing.
        """
        until = int(time.time()) - LATEST_S
        since, rows, new = until - command.hours * 3_600, 0, 0
        async with beating():
            for wallet in await self.store.wallets(command.user_id):
                begin: int | None = since
                while begin is not None:
                    leave_if_stopping()
                    readings, begin = await read_wallet(self.data, wallet, begin)
                    found = sort_rows(command.user_id, readings)
                    await self.odd.tell(found)
                    taken = [one for one in found.taken if one.row.timestamp <= until]
                    rows += len(taken)
                    await self.facts.prepare(taken)
                    for place in range(0, len(taken), BATCH):
                        new += await self.store.write(taken[place : place + BATCH])
        return BackfillRead(rows=rows, new=new)

    @activity.defn
    async def close_backfill(self, ended: BackfillEnded) -> None:
        """Show the end of the operation.

        Effect: operation, one transaction.
        Again:  sets the same values.
        """
        await self.store.close(ended)
