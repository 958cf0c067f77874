"""The pool of connections when the server goes away and is back."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import psycopg

from storage.database import connected, make_pool, transaction

MANY = 8


async def test_connections_that_the_server_left_while_they_were_idle_are_not_given_out(database: str) -> None:
    """Nor does anybody wait for the pool to find out, one after another."""
    async with make_pool(database, size=MANY, name="idle") as pool:
        async with AsyncExitStack() as stack:
            opened = [await stack.enter_async_context(connected(pool)) for _ in range(MANY)]
            pids = [connection.info.backend_pid for connection in opened]
        async with await psycopg.AsyncConnection.connect(database, autocommit=True) as operator:
            ended = await operator.execute(
                "SELECT bool_and(pg_terminate_backend(p, 60000)) FROM unnest(%s::int[]) p", [pids]
            )
            assert await ended.fetchone() == (True,), "and they are gone, not only told to go"
        async with asyncio.timeout(4.5), transaction(pool) as connection:
            assert connection.info.backend_pid not in pids
            await connection.execute("SELECT 1")


async def test_a_block_that_raises_gives_its_connection_back_and_changes_nothing(database: str) -> None:
    async with make_pool(database, size=1, name="one") as pool:
        try:
            async with connected(pool) as connection:
                await connection.execute("CREATE TABLE half_done ()")
                raise LookupError
        except LookupError:
            pass
        async with connected(pool) as connection:
            cursor = await connection.execute("SELECT to_regclass('half_done') AS made")
            assert await cursor.fetchone() == {"made": None}
