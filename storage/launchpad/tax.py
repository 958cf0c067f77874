"""The tax cycle's side of the books: whose tax may be due, and the transactions that pay it out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from domain.launchpad.sale import SaleKeys
from domain.launchpad.tax_cycle import Due
from storage.backup_runs import note_run
from storage.books import Books
from storage.launchpad.numbered import write_dues
from storage.launchpad.sales import keys_of

JOB: Final = "tax_distribution"
_LATCHED: Final = """
SELECT * FROM launchpad.sales WHERE program_id = %s AND (counters->>'latched')::boolean ORDER BY id
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
        """The key of each."""
        async with self.books.begin() as book:
            return await write_dues(book.connection, dues, self.platform)

    async def record(self, *, ok: bool, summary: str) -> None:
        async with self.books.begin() as book:
            await note_run(book.connection, JOB, ok=ok, detail={"summary": summary})
