"""Deposits that should have been credited long ago: an alert for each, until it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from domain.shared.money import format_usdc
from storage.books import Book, Books
from storage.events import raise_alert, resolve_alert

CODE: Final = "stuck_deposit"
NAMED: Final = 20
"""Alerts opened at most: the oldest. Prometheus sees a crowd (DepositsPilingUp)."""
TAG_PATIENCE_S: Final = 3_600
"""More for deposits that wait for a tag too: finality of the layer below takes twenty minutes, in a bad hour more."""

_OVERDUE: Final = """
SELECT d.id, d.tx_hash, d.to_address, d.amount, d.block_number,
  extract(epoch FROM clock_timestamp() - d.updated_at)::int AS age_s
FROM exchange.deposits d JOIN exchange.chain_cursors c ON c.chain_id = d.chain_id
WHERE d.chain_id = %(chain)s AND d.status IN ('seen', 'confirming') AND d.confirmed_at IS NULL
  AND d.due_block <= c.head_block AND d.updated_at < clock_timestamp() - make_interval(
    secs => %(after)s + CASE WHEN d.required_tag IS NULL THEN 0 ELSE %(patience)s END)
"""
_HEALED: Final = f"""
SELECT subject FROM platform.alerts
WHERE code = '{CODE}' AND resolved_at IS NULL AND subject IN (SELECT id::text FROM exchange.deposits)
  AND subject NOT IN (SELECT id::text FROM ({_OVERDUE}) late)
"""


class OverdueDeposits:
    """What upkeep reports. Dust that waits for more is not overdue, nor is a block that is not deep enough."""

    def __init__(self, books: Books, chain_id: int, after_s: int) -> None:
        self.books = books
        self.values = {"chain": chain_id, "after": after_s, "patience": TAG_PATIENCE_S}

    async def report(self) -> int:
        """Open an alert per overdue deposit, close those of deposits that are not any more; returns how many are."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(f"{_OVERDUE} ORDER BY d.id LIMIT {NAMED}", self.values)
            late = await cursor.fetchall()
            for row in late:
                detail = (
                    f"{format_usdc(row['amount'])} USDC to {row['to_address']} ({row['tx_hash']}, block "
                    f"{row['block_number']}) seen {row['age_s'] // 60} min ago is deep enough and not credited"
                )
                await raise_alert(book.connection, CODE, row["id"], detail)
            cursor = await book.connection.execute(_HEALED, self.values)
            await _close(book, [row["subject"] for row in await cursor.fetchall()], "custody upkeep")
        return len(late)


async def not_overdue(book: Book, deposit_ids: Sequence[str]) -> None:
    """These were just credited: their alerts, if any are open, are over."""
    cursor = await book.connection.execute(
        f"SELECT subject FROM platform.alerts WHERE code = '{CODE}' AND resolved_at IS NULL AND subject = ANY(%s)",
        [list(deposit_ids)],
    )
    await _close(book, [row["subject"] for row in await cursor.fetchall()], "credited")


async def _close(book: Book, subjects: Sequence[str], by: str) -> None:
    for subject in subjects:
        await resolve_alert(book.connection, CODE, subject, by)
