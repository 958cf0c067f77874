"""The aftercare's side of the books: which sales still need any, and what wallets never signed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from domain.launchpad.aftercare import VESTED, AftercareDone
from domain.launchpad.sale import SaleKeys
from domain.launchpad.tax_cycle import Due
from storage.backup_runs import note_run
from storage.books import Books
from storage.events import raise_alert, resolve_alert
from storage.launchpad.numbered import write_dues
from storage.launchpad.sales import keys_of
from storage.launchpad.trades import KIND as TRADE

JOB: Final = "sale_aftercare"
CODE: Final = "vesting_stuck"
UNSIGNED_DAYS: Final = 7
"""So long a transaction is kept that was issued and never signed."""
FORGOTTEN_AT_ONCE: Final = 1_000
_GRADUATED: Final = """
SELECT * FROM (
  SELECT s.*,
    (SELECT count(*) FROM launchpad.sale_positions p WHERE p.sale_id = s.id)
      - (SELECT count(*) FROM launchpad.sale_events e WHERE e.sale_id = s.id AND e.kind = 'PositionClosed') AS open,
    (SELECT coalesce(sum((e.data->>'vested_lamports')::numeric + (e.data->>'vested_tokens')::numeric), 0)
       FROM launchpad.sale_events e WHERE e.sale_id = s.id AND e.kind = 'Graduated')
      > (SELECT coalesce(sum(e.value_lamports + e.tokens), 0)
         FROM launchpad.sale_events e WHERE e.sale_id = s.id AND e.kind = 'VestedClaimed') AS vesting
  FROM launchpad.sales s WHERE s.program_id = %s AND s.graduated_at IS NOT NULL) found
WHERE open > 0 OR vesting ORDER BY id
"""
_STUCK: Final = "SELECT subject FROM platform.alerts WHERE code = %s AND resolved_at IS NULL"
_UNSIGNED: Final = """
SELECT t.id FROM launchpad.transactions t WHERE t.subject_kind = %s AND t.status = 'planned'
  AND t.created_at < clock_timestamp() - make_interval(days => %s)
  AND NOT EXISTS (SELECT 1 FROM launchpad.transaction_attempts a WHERE a.transaction_id = t.id
    AND (a.status NOT IN ('issued', 'expired') OR a.raw IS NOT NULL OR a.last_valid_height >= %s))
"""


class Graduated(NamedTuple):
    """`open`: positions that were not closed yet; `vesting`: its team has not got everything."""

    id: str
    keys: SaleKeys
    open: int
    vesting: bool


class AftercareStore:
    """`platform`: the wallet that pays."""

    def __init__(self, books: Books, program: str, platform: str) -> None:
        self.books, self.program, self.platform = books, program, platform

    async def graduated(self) -> list[Graduated]:
        """Sales of the program that have a pool, and for which something is left to do as far as the books know."""
        async with self.books.begin() as book:
            rows = await (await book.connection.execute(_GRADUATED, [self.program])).fetchall()
        return [Graduated(row["id"], keys_of(row), row["open"], row["vesting"]) for row in rows]

    async def write(self, dues: Sequence[Due]) -> tuple[str, ...]:
        """The key of each."""
        async with self.books.begin() as book:
            return await write_dues(book.connection, dues, self.platform)

    async def forget(self, height: int) -> int:
        """Remove some trades that nobody signed and that could land below this height only. How many.

        Locked first, looked at again then: one that is handed in meanwhile stays.
        """
        async with self.books.begin() as book:
            values = [TRADE, UNSIGNED_DAYS, height]
            locking = f"{_UNSIGNED} ORDER BY t.id LIMIT {FORGOTTEN_AT_ONCE} FOR UPDATE SKIP LOCKED"
            rows = await (await book.connection.execute(locking, values)).fetchall()
            again = f"{_UNSIGNED} AND t.id = ANY(%s)"
            rows = await (await book.connection.execute(again, [*values, [row["id"] for row in rows]])).fetchall()
            gone = [row["id"] for row in rows]
            await book.connection.execute(
                "DELETE FROM launchpad.transaction_attempts WHERE transaction_id = ANY(%s)", [gone]
            )
            await book.connection.execute("DELETE FROM launchpad.transactions WHERE id = ANY(%s)", [gone])
        return len(gone)

    async def record(self, done: AftercareDone) -> None:
        """Note the run. A team that could not be paid calls an operator, until it can or got it otherwise."""
        stuck = {key[1]: one for one in done.refused if (key := one.key.split(":"))[2] == VESTED}
        async with self.books.begin() as book:
            await note_run(book.connection, JOB, ok=not done.refused, detail={"summary": done.summary})
            for sale_id, one in stuck.items():
                await raise_alert(book.connection, CODE, sale_id, f"{one.key}: {one.why}", critical=True)
            for row in await (await book.connection.execute(_STUCK, [CODE])).fetchall():
                if row["subject"] not in stuck:
                    await resolve_alert(book.connection, CODE, row["subject"], "sale aftercare")
