"""Refunds of a sale that ended without its soft cap: rounds of transactions, each round planned whole or not at all.

What a buyer gets back once is the chain's affair: the program closes his position. Rounds only keep the transactions
of one look at the chain together, so that a repeat goes on with them instead of making others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from domain.launchpad.refund_rounds import Round
from domain.launchpad.transactions import Plan
from storage.books import Books
from storage.launchpad.transactions import plan

KIND: Final = "sale_refund"
_LAST: Final = """
SELECT key, status::text AS status, instructions, split_part(key, ':', 4)::int AS number
FROM launchpad.transactions WHERE subject_kind = %s AND subject_id = %s
  AND split_part(key, ':', 4)::int = (SELECT max(split_part(key, ':', 4)::int) FROM launchpad.transactions
                                      WHERE subject_kind = %s AND subject_id = %s)
ORDER BY id
"""
_OPEN: Final = ("planned", "landed")
_FAILED: Final = ("failed", "abandoned")


class RefundStore:
    def __init__(self, books: Books) -> None:
        self.books = books

    async def last(self, sale_id: str) -> Round | None:
        """The newest round; None: there was none."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(_LAST, [KIND, sale_id, KIND, sale_id])
            rows = await cursor.fetchall()
        if not rows:
            return None
        failed = [_wallets(row["instructions"]) for row in rows if row["status"] in _FAILED]
        return Round(
            number=rows[0]["number"],
            open=tuple(row["key"] for row in rows if row["status"] in _OPEN),
            failed=tuple(wallet for wallets in failed for wallet in wallets),
            alone=tuple(wallets[0] for wallets in failed if len(wallets) == 1),
            landed=len(failed) < len(rows),
        )

    async def write(self, plans: Sequence[Plan]) -> None:
        """A round, in one transaction."""
        async with self.books.begin() as book:
            for wanted in plans:
                await plan(book.connection, wanted)

    async def give_up(self, keys: Sequence[str]) -> None:
        """What was never sent because it would fail is not tried again; its buyers come into the next round."""
        async with self.books.begin() as book:
            await book.connection.execute(
                """UPDATE launchpad.transactions SET status = 'abandoned', updated_at = clock_timestamp()
                   WHERE key = ANY(%s) AND status = 'planned'""",
                [list(keys)],
            )


def _wallets(instructions: list[dict[str, list[dict[str, str]]]]) -> list[str]:
    """Whom these instructions refund: the third account of each."""
    return [step["accounts"][2]["address"] for step in instructions]
