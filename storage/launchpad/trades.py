"""Transactions that wallets signed: what they are, and how their operations end."""

from __future__ import annotations

from typing import Final

from domain.launchpad.sale_messages import TradeEnded, TradeKey, TradeLanded
from domain.launchpad.transactions import Outcome
from domain.shared import ids
from storage.books import Books
from storage.database import Connection
from storage.operations import mark_step, open_operation, set_operation

KIND: Final = "sale_trade"
"""Of plans that wallets sign; their subject is the sale."""
LANDED, FINAL = "landed", "final"
_READ: Final = """
SELECT t.key, o.id AS operation_id, o.summary FROM launchpad.transactions t
LEFT JOIN platform.operations o ON o.workflow_id = %s WHERE t.id = %s
"""


async def open_trade(connection: Connection, transaction_id: str, summary: str, account_id: str) -> str:
    """The process of a transaction that was handed in, once; its operation's id."""
    return await open_operation(
        connection,
        kind=KIND,
        subject_id=transaction_id,
        workflow_id=ids.sale_trade(transaction_id),
        steps=(LANDED, FINAL),
        summary=summary,
        account_id=account_id,
    )


class TradeStore:
    def __init__(self, books: Books) -> None:
        self.books = books

    async def read(self, transaction_id: str) -> TradeKey:
        async with self.books.begin() as book:
            row = await _row(book.connection, transaction_id)
        return TradeKey(key=row["key"], summary=row["summary"] or row["key"])

    async def landed(self, told: TradeLanded) -> TradeEnded:
        """Show what became of it; `running` until it is final."""
        async with self.books.begin() as book:
            row = await _row(book.connection, told.transaction_id)
            operation, summary = row["operation_id"], row["summary"]
            if told.outcome == Outcome.LANDED:
                await mark_step(book.connection, operation, LANDED, "done", told.signature or "")
                await mark_step(book.connection, operation, FINAL, "done" if told.final else "running")
                status, code = ("completed" if told.final else "running"), None
            else:
                status, code = "failed", _code(told)
            words = summary if code is None else f"{summary}: {told.code or told.outcome}"
            await set_operation(book.connection, operation, status, words, code)
        return TradeEnded(status=status, code=code)


def _code(told: TradeLanded) -> str:
    return "transaction_expired" if told.outcome == Outcome.EXPIRED else "transaction_failed"


async def _row(connection: Connection, transaction_id: str) -> dict[str, str]:
    cursor = await connection.execute(_READ, [ids.sale_trade(transaction_id), transaction_id])
    row = await cursor.fetchone()
    assert row is not None, "a process was opened with its transaction"
    return row
