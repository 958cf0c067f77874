"""Snapshots made again from the ledger."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from temporalio import activity

from activities.beating import beating, leave_if_stopping
from domain.copytrade.portfolio_messages import RebuildDone, RebuildRef

if TYPE_CHECKING:
    from storage.copytrade.rebuild import RebuildStore

TURN_S: Final = 60


class RebuildActivities:
    def __init__(self, store: RebuildStore) -> None:
        self.store = store

    @activity.defn
    async def rebuild_snapshots(self, command: RebuildRef) -> RebuildDone:
        """Make snapshots again for one turn, a day of one portfolio after another.

        Effect: snapshots, and the cursor of the rebuild: a transaction a day; at the end its operation.
        Again:  goes on where the cursor stands; what has ended says how it ended.
        """
        until = time.monotonic() + TURN_S
        async with beating():
            while True:
                leave_if_stopping()
                done = await self.store.page(command.rebuild_id)
                if done.ended or time.monotonic() > until:
                    return done
