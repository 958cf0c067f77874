"""The outbox horizon: an event that is committed late is told late, but never skipped."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest_asyncio
from psycopg.rows import DictRow

from domain.shared.events import Event
from storage.database import Pool, make_pool, transaction
from storage.events import emit
from storage.reads.events import OutboxRow, Position, now, since


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[Pool]:
    async with make_pool(database, size=8, name="test") as opened:
        yield opened


class Reader:
    """Somebody who reads on from where they were, as webhooks and event streams do."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.at = Position(0, 0)
        self.seen: list[str] = []

    async def read(self, *, limit: int = 500) -> tuple[list[str], bool]:
        async with transaction(self.pool) as connection:
            rows, waiting = await since(connection, self.at, limit=limit)
        if rows:
            self.at = rows[-1].position
        names = [_name(row) for row in rows]
        self.seen += names
        return names, waiting


def _name(row: OutboxRow) -> str:
    return row.type


async def tell(connection: psycopg.AsyncConnection[DictRow], name: str) -> None:
    await emit(connection, Event(topic="system", type=name, payload={}))


async def test_an_event_of_a_transaction_that_commits_late_is_not_skipped(pool: Pool) -> None:
    reader = Reader(pool)
    async with pool.connection() as slow:
        async with slow.transaction():
            await tell(slow, "early, late to commit")
            async with transaction(pool) as quick:
                await tell(quick, "late, early to commit")
            assert await reader.read() == ([], True), "the quick one would carry the position past the slow one"
        assert await reader.read() == (["early, late to commit", "late, early to commit"], False)
    assert await reader.read() == ([], False)


async def test_a_transaction_that_is_rolled_back_releases_what_waits(pool: Pool) -> None:
    reader = Reader(pool)
    async with pool.connection() as slow:
        async with slow.transaction(force_rollback=True):
            await tell(slow, "never happened")
            async with transaction(pool) as quick:
                await tell(quick, "happened")
            assert (await reader.read())[0] == []
    assert await reader.read() == (["happened"], False)


async def test_a_transaction_that_only_reads_holds_nothing_back(pool: Pool) -> None:
    reader = Reader(pool)
    async with pool.connection() as idle:
        async with idle.transaction():
            await idle.execute("SELECT count(*) FROM platform.outbox")
            async with transaction(pool) as quick:
                await tell(quick, "told")
            assert await reader.read() == (["told"], False)


async def test_pages_join_without_gap_or_repeat(pool: Pool) -> None:
    reader = Reader(pool)
    async with pool.connection() as slow, slow.transaction():
        await tell(slow, "slow")
        for number in range(10):
            async with transaction(pool) as quick:
                await tell(quick, f"quick {number}a")
                await tell(quick, f"quick {number}b")
    while (await reader.read(limit=3))[0]:
        pass
    assert reader.seen == ["slow", *(f"quick {n}{half}" for n in range(10) for half in "ab")]


async def test_who_starts_now_misses_nothing_that_is_still_being_written(pool: Pool) -> None:
    async with transaction(pool) as done:
        await tell(done, "before")
    reader = Reader(pool)
    async with pool.connection() as slow:
        async with slow.transaction():
            await tell(slow, "being written")
            async with transaction(pool) as connection:
                reader.at = await now(connection)
        assert (await reader.read())[0] == ["being written"]
