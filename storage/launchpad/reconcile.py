"""The reconcile's side of the books: what is compared with the chain, and what is done about what differs."""

from __future__ import annotations

from typing import Final

from domain.launchpad.folding import Totals
from domain.launchpad.reconcile import Reconciled, SaleOnBooks
from storage.backup_runs import note_run
from storage.books import Books
from storage.events import raise_alert, resolve_alert
from storage.launchpad.sales import CHANNEL, keys_of

JOB: Final = "launchpad_reconcile"
CODE: Final = "chain_differs"
_SALES: Final = """
SELECT s.*, s.sale_supply + s.liquidity_supply + s.team_supply + s.other_supply AS supply,
  s.latched_at IS NOT NULL AS latched,
  coalesce((SELECT sum(p.held) FROM launchpad.sale_positions p WHERE p.sale_id = s.id), 0) AS waiting
FROM launchpad.sales s WHERE s.program_id = %s ORDER BY s.id
"""
_OPEN: Final = "SELECT subject FROM platform.alerts WHERE code = %s AND subject LIKE %s AND resolved_at IS NULL"
_ORPHANS: Final = """
SELECT p.id, p.name FROM launchpad.projects p WHERE p.status IN ('upcoming', 'active', 'ended')
  AND NOT EXISTS (SELECT 1 FROM launchpad.sales s WHERE s.project_id = p.id) ORDER BY p.id
"""


def subject(sale_id: str) -> str:
    """Of the alert about a sale: the feed has one of its own."""
    return f"reconcile:{sale_id}"


class ReconcileStore:
    """With books over a read-only pool only the reads work."""

    def __init__(self, books: Books, program: str) -> None:
        self.books, self.program = books, program

    async def sales(self) -> list[SaleOnBooks]:
        """Every sale of the program, each as of one moment."""
        async with self.books.begin() as book:
            rows = await (await book.connection.execute(_SALES, [self.program])).fetchall()
        return [
            SaleOnBooks(
                id=row["id"],
                keys=keys_of(row),
                supply=row["supply"],
                totals=Totals(row["sold"], row["raised_lamports"], row["held"], row["tax_total_lamports"]),
                latched=row["latched"],
                waiting=row["waiting"],
                cursor=row["cursor"],
                cursor_slot=row["cursor_slot"],
            )
            for row in rows
        ]

    async def orphans(self) -> dict[str, str]:
        """Public projects without a sale: id, name."""
        async with self.books.begin() as book:
            rows = await (await book.connection.execute(_ORPHANS)).fetchall()
        return {row["id"]: row["name"] for row in rows}

    async def record(self, found: Reconciled) -> None:
        """Note the round; alerts opened, and closed when they are over; the feed woken when it is behind."""
        async with self.books.begin() as book:
            detail = {"summary": found.summary, **found.differs}
            await note_run(book.connection, JOB, ok=not found.differs, detail=detail)
            for sale_id, text in found.differs.items():
                await raise_alert(book.connection, CODE, subject(sale_id), text, critical=True, sale_id=sale_id)
            cursor = await book.connection.execute(_OPEN, [CODE, subject("%")])
            for row in await cursor.fetchall():
                if row["subject"] not in {subject(one) for one in found.differs}:
                    await resolve_alert(book.connection, CODE, row["subject"], "reconcile")
            if found.behind:
                await book.connection.execute("SELECT pg_notify(%s, '')", [CHANNEL])
