"""Orders that cannot be carried out nor rejected: set aside with their reason until an operator has decided."""

from __future__ import annotations

from psycopg.types.json import Jsonb

from domain.exchange.batch import Pending
from storage.database import Pool, transaction
from storage.events import new_id, raise_alert
from storage.exchange import market_sql as sql

SOURCE = "market"


class ParkedOrders:
    """An order stays `pending`, as nobody has given it a verdict; `parked_at` keeps the engine from it.

    `replay` of its item in quarantine has the engine take it up again, `discard` has it rejected (trading_disabled).
    """

    def __init__(self, pool: Pool, number: int, engines: int) -> None:
        self.pool, self.number, self.engines = pool, number, engines

    async def park(self, order: Pending, reason: str) -> None:
        """Mark the order, keep what is known in quarantine, call an operator; all or nothing."""
        payload = {
            "trade_id": order.id,
            "asset_id": order.asset_id,
            "account_id": order.account_id,
            "side": order.order.side,
            "asked": str(order.order.asked),
        }
        async with transaction(self.pool) as connection:
            if (await connection.execute(sql.PARK, [order.id])).rowcount == 0:
                return
            await connection.execute(sql.KEEP_PARKED, [new_id(), order.id, reason, Jsonb(payload)])
            await raise_alert(connection, "quarantined", SOURCE, f"order {order.id}: {reason}")

    async def release(self) -> None:
        """Take up again what an operator has asked to be replayed."""
        async with transaction(self.pool) as connection:
            await connection.execute(sql.RELEASE, [self.engines, self.number])

    async def discarded(self) -> list[Pending]:
        """Orders that an operator has discarded and that have no verdict yet."""
        async with transaction(self.pool) as connection:
            cursor = await connection.execute(sql.DISCARDED, [self.engines, self.number])
            return [sql.pending(tuple(row.values())) for row in await cursor.fetchall()]
