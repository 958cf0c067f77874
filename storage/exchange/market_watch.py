"""How the engines do: the row each writes about itself, and the alert when orders wait for too long.

Every engine looks after all of them, so that one which is stuck is told of by another; that none runs at all is seen
from outside (docs/reference/alerts.yml).
"""

from __future__ import annotations

from typing import Final

from domain.shared.ids import market_engine
from storage.database import Pool, transaction
from storage.events import raise_alert, resolve_alert

CODE: Final = "engine_lagging"
LAG_S: Final = 10

_WAITING: Final = """
SELECT mod(shard, %s) AS engine, count(*) AS orders,
  floor(extract(epoch FROM clock_timestamp() - min(created_at)))::int AS oldest_s
FROM exchange.trades WHERE status = 'pending' AND parked_at IS NULL GROUP BY 1
HAVING min(created_at) < clock_timestamp() - %s * interval '1 second'
"""
_OPEN: Final = "SELECT subject FROM platform.alerts WHERE code = %s AND resolved_at IS NULL"
_NOTE: Final = """
INSERT INTO exchange.engines AS e
  (number, verdicts, batches, last_batch_orders, last_batch_us, taken_over_at, seen_at)
VALUES (%s, %s, %s, %s, %s, clock_timestamp(), clock_timestamp())
ON CONFLICT (number) DO UPDATE SET verdicts = e.verdicts + excluded.verdicts, batches = e.batches + excluded.batches,
  last_batch_orders = CASE WHEN excluded.batches = 0 THEN e.last_batch_orders ELSE excluded.last_batch_orders END,
  last_batch_us = CASE WHEN excluded.batches = 0 THEN e.last_batch_us ELSE excluded.last_batch_us END,
  taken_over_at = CASE WHEN %s THEN excluded.taken_over_at ELSE e.taken_over_at END, seen_at = excluded.seen_at
"""


class EngineWatch:
    def __init__(self, pool: Pool, number: int, engines: int) -> None:
        self.pool, self.number, self.engines = pool, number, engines
        self._verdicts = self._batches = self._orders = self._micros = 0
        self._known = False

    def count(self, orders: int, seconds: float) -> None:
        """A batch was carried out."""
        self._verdicts += orders
        self._batches += 1
        self._orders, self._micros = orders, round(seconds * 1_000_000)

    async def note(self) -> None:
        """Add what was counted since the last note to the engine's row; the first note is a takeover."""
        verdicts, batches = self._verdicts, self._batches
        async with transaction(self.pool) as connection:
            counted = [self.number, verdicts, batches, self._orders, self._micros]
            await connection.execute(_NOTE, [*counted, not self._known])
        self._known = True
        self._verdicts -= verdicts
        self._batches -= batches

    async def judge(self) -> None:
        """Open the alert of every engine whose oldest order has waited too long; close those of the others."""
        async with transaction(self.pool) as connection:
            waiting = await (await connection.execute(_WAITING, [self.engines, LAG_S])).fetchall()
            lagging = {market_engine(row["engine"]): row for row in waiting}
            opened = {row["subject"] for row in await (await connection.execute(_OPEN, [CODE])).fetchall()}
            for subject in sorted(lagging.keys() - opened):
                row = lagging[subject]
                detail = f"{row['orders']} orders wait, the oldest for {row['oldest_s']} s"
                await raise_alert(connection, CODE, subject, detail, critical=True)
            for subject in sorted(opened - lagging.keys()):
                await resolve_alert(connection, CODE, subject, "engine")
