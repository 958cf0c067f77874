"""Old rows that nobody needs any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.beating import beating, leave_if_stopping
from domain.operations.messages import RetentionDone, RetentionRule

if TYPE_CHECKING:
    from storage.retention import RetentionStore


class RetentionActivities:
    def __init__(self, store: RetentionStore) -> None:
        self.store = store

    @activity.defn
    async def apply_retention(self, command: RetentionRule) -> int:
        """Delete what one rule names, in short transactions.

        Effect: rows are gone, at most 2,000 per transaction.
        Again:  deletes what is left.
        """
        total, more = 0, True
        async with beating():
            while more:
                leave_if_stopping()
                gone, more = await self.store.delete_batch(command.name)
                total += gone
        return total

    @activity.defn
    async def record_retention(self, command: RetentionDone) -> None:
        """Note what went.

        Effect: a job run.
        Again:  one job run more says the same.
        """
        await self.store.record(command.deleted)
