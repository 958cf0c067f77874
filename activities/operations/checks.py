"""Do the books add up? Asked every minute, of the database itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.beating import beating
from domain.operations.messages import LedgerChecked

if TYPE_CHECKING:
    from storage.checks import LedgerCheckStore


class LedgerCheckActivities:
    def __init__(self, store: LedgerCheckStore) -> None:
        self.store = store

    @activity.defn
    async def check_ledger(self) -> LedgerChecked:
        """Evaluate every rule of the ledger.

        Effect: none; reads only.
        Again:  reads are repeatable.
        """
        async with beating():
            return await self.store.check()

    @activity.defn
    async def record_ledger_check(self, command: LedgerChecked) -> None:
        """Note the outcome; on a breach stop withdrawals and call an operator.

        Effect: job run, kill switch, critical alert: one transaction.
        Again:  one job run more; a tripped switch stays tripped, an open alert is counted.
        """
        await self.store.record(command)
