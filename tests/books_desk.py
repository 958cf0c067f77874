"""The books of one empty database, with plain SQL beside them: for tests that try to get around the guards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg.rows import dict_row

from domain.shared.ledger import Transfer, available, custody, move
from domain.shared.money import USDC
from storage.books import Books
from storage.database import make_pool
from storage.events import new_id
from storage.reads.invariants import RULES
from storage.reads.ledger import MORE_RULES

POOL = custody(1, "deposits")


class Desk:
    """The books of one empty database, and plain SQL beside them."""

    def __init__(self, dsn: str, books: Books) -> None:
        self.dsn, self.books = dsn, books

    async def book(self, *transfers: Transfer) -> list[bool]:
        """Book in one transaction; True for each that had been booked before."""
        async with self.books.begin() as book:
            return [b.replayed for b in await book.book(*transfers)]

    async def fund(self, user: str, micros: int) -> Transfer:
        transfer = Transfer(key=f"fund:{new_id()}", kind="test", postings=move(USDC, micros, POOL, available(user)))
        await self.book(transfer)
        return transfer

    async def balance(self, account: str) -> int:
        rows = await self.sql("SELECT balance FROM platform.balances WHERE account = %s", account)
        return int(str(rows[0]["balance"])) if rows else 0

    async def sql(self, statement: str, *parameters: object) -> list[dict[str, object]]:
        async with await psycopg.AsyncConnection.connect(self.dsn, row_factory=dict_row) as connection:
            cursor = await connection.execute(statement, parameters or None)
            return await cursor.fetchall() if cursor.description else []

    async def everything(self) -> list[list[dict[str, object]]]:
        return [
            await self.sql(f"SELECT * FROM platform.{table} ORDER BY 1, 2")
            for table in ("transfers", "postings", "balances")
        ]

    async def broken_rules(self) -> list[str]:
        return [
            rule.name
            for rule in (*RULES, *MORE_RULES)
            if any(int(str(row["violations"])) for row in await self.sql(rule.sql.replace("%", "%%")))
        ]


@asynccontextmanager
async def open_desk(dsn: str) -> AsyncIterator[Desk]:
    """Every rule of the ledger check must hold at the end, whatever was tried."""
    async with make_pool(dsn, size=16, name="test") as pool:
        opened = Desk(dsn, Books(pool))
        yield opened
        assert await opened.broken_rules() == []


def pay(key: str, micros: int, source: str, target: str) -> Transfer:
    return Transfer(key=key, kind="test", postings=move(USDC, micros, available(source), available(target)))
