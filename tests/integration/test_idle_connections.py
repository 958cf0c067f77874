"""The pool of connections when the server goes away and is back."""

from __future__ import annotations

import asyncio

import psycopg

from storage.database import make_pool, transaction


async def test_a_connection_that_the_server_left_while_it_was_idle_is_not_given_out(database: str) -> None:
    async with make_pool(database, size=3, name="idle") as pool:
        async with transaction(pool) as one, transaction(pool) as other:
            pids = [item.info.backend_pid for item in (one, other)]
        async with await psycopg.AsyncConnection.connect(database, autocommit=True) as operator:
            await operator.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS p(pid)", [pids])
        await asyncio.sleep(0.2)
        for _ in range(3):
            async with transaction(pool) as connection:
                assert connection.info.backend_pid not in pids
                await connection.execute("SELECT 1")
