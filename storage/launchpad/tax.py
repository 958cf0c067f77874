"""The tax cycle's side of the books: whose tax may be due, and the numbered transactions that pay it out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from domain.launchpad.sale import SaleKeys
from domain.launchpad.tax_cycle import Due
from domain.launchpad.transactions import Plan
from storage.backup_runs import note_run
from storage.books import Books
from storage.database import Connection
from storage.launchpad.sales import keys_of
from storage.launchpad.transactions import plan

KIND: Final = "sale"
FEES_MOST: Final = 4_000_000
"""Lamports of the platform's wallet for one transaction; a harvest may have to open the rewards' token account."""
JOB: Final = "tax_distribution"
OPEN: Final = ("planned", "landed")
_LATCHED: Final = """
SELECT * FROM launchpad.sales WHERE program_id = %s AND (counters->>'latched')::boolean ORDER BY id
"""
_NEWEST: Final = """
SELECT t.key, split_part(t.key, ':', 4)::int AS number, t.status::text AS status,
  EXISTS (SELECT 1 FROM launchpad.transaction_attempts a WHERE a.transaction_id = t.id
    AND a.status IN ('signed', 'landed')) AS tried
FROM launchpad.transactions t WHERE t.subject_kind = 'sale' AND t.subject_id = %s AND split_part(t.key, ':', 3) = %s
ORDER BY number DESC LIMIT 1 FOR UPDATE OF t
"""
_GIVE_UP: Final = """
UPDATE launchpad.transactions SET status = 'abandoned', updated_at = clock_timestamp() WHERE key = %s
"""


class Latched(NamedTuple):
    """A sale whose tax may be paid out."""

    id: str
    keys: SaleKeys


class TaxStore:
    """`platform`: the wallet that pays."""

    def __init__(self, books: Books, program: str, platform: str) -> None:
        self.books, self.program, self.platform = books, program, platform

    async def latched(self) -> list[Latched]:
        """Sales that reached their soft cap, as their accounts say: before that all tax may have to go back."""
        async with self.books.begin() as book:
            rows = await (await book.connection.execute(_LATCHED, [self.program])).fetchall()
        return [Latched(row["id"], keys_of(row)) for row in rows]

    async def write(self, dues: Sequence[Due]) -> tuple[str, ...]:
        """The key of each: `sale:{id}:{act}:{n}`.

        One on its way is the answer. One that was never sent, or ran out, is given up: what it said may be out of date.
        """
        async with self.books.begin() as book:
            return tuple([await self._key(book.connection, due) for due in dues])

    async def _key(self, connection: Connection, due: Due) -> str:
        newest = await (await connection.execute(_NEWEST, [due.sale_id, due.act])).fetchone()
        if newest is not None and newest["status"] in OPEN:
            if newest["tried"]:
                return str(newest["key"])
            await connection.execute(_GIVE_UP, [newest["key"]])
        number = newest["number"] + 1 if newest is not None else 1
        wanted = Plan(
            key=f"sale:{due.sale_id}:{due.act}:{number}",
            subject_kind=KIND,
            subject_id=due.sale_id,
            payer=self.platform,
            instructions=due.instructions,
            most_lamports=FEES_MOST,
        )
        await plan(connection, wanted)
        return wanted.key

    async def record(self, *, ok: bool, summary: str) -> None:
        async with self.books.begin() as book:
            await note_run(book.connection, JOB, ok=ok, detail={"summary": summary})
