"""Transfers a second through `Books.book` with all guards, against hand-made SQL that writes the same rows without.

The hand-made side is what one writes first: begin, insert the transfer, insert its two lines, update the two balances
in a fixed order, commit; into plain copies of the tables (same columns, indexes and CHECKs, no trigger), through the
same pool, so with the same connections and durability. A stricter opponent, one statement with everything in it, is
shown without a target.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import LiteralString

from benchmarks import report, stage
from domain.shared.ledger import Transfer, available, custody, move
from domain.shared.money import USDC
from localnet.running import running_postgres
from storage.books import Books
from storage.database import Connection, Pool, make_pool, transaction
from storage.events import new_id

USERS = 500
EACH = 10**9
SECONDS = 2.0
ROUNDS = 5
BATCH = 50
TARGET = 0.8

Book = Callable[[Sequence[Transfer]], Awaitable[None]]

PLAIN: LiteralString = """
CREATE SCHEMA plain;
CREATE TABLE plain.transfers (LIKE platform.transfers INCLUDING ALL);
CREATE TABLE plain.postings (LIKE platform.postings INCLUDING ALL);
CREATE TABLE plain.balances (LIKE platform.balances INCLUDING ALL) WITH (fillfactor = 70);
INSERT INTO plain.balances SELECT account, unit, balance FROM platform.balances;
ALTER TABLE plain.transfers ADD FOREIGN KEY (resolves) REFERENCES plain.transfers (id);
ALTER TABLE plain.postings ADD FOREIGN KEY (transfer_id) REFERENCES plain.transfers (id)
"""
INSERT_TRANSFER: LiteralString = """
INSERT INTO plain.transfers (key, kind, ref, phase) VALUES (%s, %s, %s, 'single')
ON CONFLICT (key) DO NOTHING RETURNING id
"""
INSERT_LINES: LiteralString = """
INSERT INTO plain.postings (transfer_id, account, unit, amount) VALUES (%s, %s, %s, %s), (%s, %s, %s, %s)
"""
UPDATE_BALANCE: LiteralString = "UPDATE plain.balances SET balance = balance + %s WHERE account = %s AND unit = %s"
ONE_STATEMENT: LiteralString = """
WITH t AS (
  INSERT INTO plain.transfers (key, kind, ref, phase) VALUES (%s, %s, %s, 'single')
  ON CONFLICT (key) DO NOTHING RETURNING id
), l AS (
  INSERT INTO plain.postings (transfer_id, account, unit, amount)
  SELECT t.id, x.account, x.unit, x.amount
  FROM t, (VALUES (%s, %s, %s::numeric), (%s, %s, %s)) AS x(account, unit, amount)
), locked AS (
  SELECT b.account, b.unit, d.amount FROM plain.balances b
  JOIN (VALUES (%s, %s, %s::numeric), (%s, %s, %s)) AS d(account, unit, amount) USING (account, unit)
  ORDER BY b.account FOR UPDATE OF b
)
UPDATE plain.balances b SET balance = b.balance + k.amount FROM locked k, t
WHERE b.account = k.account AND b.unit = k.unit
"""


class Ours:
    """As a worker books."""

    def __init__(self, pool: Pool) -> None:
        self.books = Books(pool)

    async def book(self, transfers: Sequence[Transfer]) -> None:
        async with self.books.begin() as book:
            await book.book(*transfers)


class HandMade:
    """Statement by statement; psycopg prepares them by itself after a few uses."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def book(self, transfers: Sequence[Transfer]) -> None:
        async with transaction(self.pool) as connection:
            for transfer in transfers:
                await self._one(connection, transfer)

    async def _one(self, connection: Connection, transfer: Transfer) -> None:
        cursor = await connection.execute(INSERT_TRANSFER, [transfer.key, transfer.kind, transfer.ref])
        row = await cursor.fetchone()
        if row is None:
            return
        lines = [part for p in transfer.postings for part in (row["id"], p.account, p.unit, p.amount)]
        await connection.execute(INSERT_LINES, lines)
        for p in sorted(transfer.postings, key=lambda p: p.account):
            await connection.execute(UPDATE_BALANCE, [p.amount, p.account, p.unit])


class OneStatement:
    """Everything in one round trip, by hand; one transfer at a time."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def book(self, transfers: Sequence[Transfer]) -> None:
        async with transaction(self.pool) as connection:
            for transfer in transfers:
                lines = [part for p in transfer.postings for part in (p.account, p.unit, p.amount)]
                head = [transfer.key, transfer.kind, transfer.ref]
                await connection.execute(ONE_STATEMENT, [*head, *lines, *lines])


def payments(users: Sequence[str], dice: random.Random, count: int) -> list[Transfer]:
    """Between different users; in one batch nobody twice, so that the naive side cannot lock in a circle."""
    chosen = dice.sample(users, 2 * count)
    pairs = zip(chosen[::2], chosen[1::2], strict=True)
    return [
        Transfer(key=f"bench:{new_id()}", kind="bench", postings=move(USDC, 1, available(a), available(b)))
        for a, b in pairs
    ]


async def rate(book: Book, users: Sequence[str], *, clients: int, batch: int) -> float:
    """Transfers a second over the measured time; the work is made beforehand and not counted."""
    dice = random.Random(7)
    until = 0.0
    done = 0

    async def client() -> None:
        nonlocal done
        while work and time.perf_counter() < until:
            await book(work.pop())
            done += batch

    work = [payments(users, dice, batch) for _ in range(int(6_000 * SECONDS) // batch)]
    started = time.perf_counter()
    until = started + SECONDS
    await asyncio.gather(*(client() for _ in range(clients)))
    return done / (time.perf_counter() - started)


async def fund(pool: Pool) -> list[str]:
    users = [new_id() for _ in range(USERS)]
    async with Books(pool).begin() as book:
        await book.book(
            *(
                Transfer(key=f"fund:{u}", kind="fund", postings=move(USDC, EACH, custody(1, "deposits"), available(u)))
                for u in users
            )
        )
    return users


async def check(dsn: str) -> None:
    """Nothing lost on either side, and the hand-made one really wrote the same kind of rows."""
    await stage.check_books(dsn)
    for total in await stage.rows(
        dsn,
        """SELECT sum(balance) AS total FROM plain.balances
           UNION ALL SELECT coalesce(sum(amount), 0) FROM plain.postings
           UNION ALL SELECT count(*) - 2 * (SELECT count(*) FROM plain.transfers) FROM plain.postings""",
    ):
        if total["total"] != 0:
            raise AssertionError(f"the hand-made side lost money: {total}")


async def measure() -> bool:
    with stage.directory() as directory:
        async with running_postgres(directory / "postgres", durable=True) as server:
            dsn = await stage.new_database(server, "bench")
            async with make_pool(dsn, size=8, name="bench") as pool:
                users = await fund(pool)
                async with pool.connection() as connection:
                    await connection.execute(PLAIN)
                lines = await compare(pool, users)
            await check(dsn)
    return report.show("ledger_transfers", lines, sides=("Books.book", "by hand"))


async def compare(pool: Pool, users: Sequence[str]) -> list[report.Line]:
    ours, theirs, strict = Ours(pool).book, HandMade(pool).book, OneStatement(pool).book
    cells = [
        ("single, 1 connection", theirs, 1, 1, TARGET),
        ("single, 8 connections", theirs, 8, 1, TARGET),
        (f"batches of {BATCH}, 1 connection", theirs, 1, BATCH, TARGET),
        ("single, 8 connections, against one statement", strict, 8, 1, None),
    ]
    for book in (ours, theirs, strict):
        await rate(book, users, clients=8, batch=1)  # plans, caches, connections
    lines = []
    for name, opponent, clients, batch, target in cells:
        rounds = []
        for number in range(ROUNDS):
            sides = [ours, opponent] if number % 2 == 0 else [opponent, ours]
            found = {book: await rate(book, users, clients=clients, batch=batch) for book in sides}
            rounds.append(report.faster(found[ours], found[opponent]))
        lines.append(report.Line(name, "transfers/s", tuple(rounds), target))
    return lines


if __name__ == "__main__":
    report.main(measure)
