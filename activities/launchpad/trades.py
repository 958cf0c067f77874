"""What wallets signed: the books' side. Sending is in sending.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from domain.launchpad.sale_messages import TradeEnded, TradeKey, TradeLanded, TradeRef

if TYPE_CHECKING:
    from storage.launchpad.trades import TradeStore


class TradeActivities:
    """Each method is one transaction."""

    def __init__(self, store: TradeStore) -> None:
        self.store = store

    @activity.defn
    async def read_trade(self, command: TradeRef) -> TradeKey:
        """Under which key the transaction stands.

        Effect: none.
        Again:  the same answer.
        """
        return await self.store.read(command.transaction_id)

    @activity.defn
    async def record_trade(self, command: TradeLanded) -> TradeEnded:
        """Show what became of it.

        Effect: the operation and its steps: one transaction.
        Again:  writes the same.
        """
        return await self.store.landed(command)
