"""SIGKILL between every two steps of a copy attempt: one attempt a scope, one set of fills, the same decision."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql

from localnet.running import RunningTemporal, running_temporal
from tests.copying_lab import CopyingLab, copying_lab, soon

FAR = ([("0.80", "100000")], [("0.81", "100000")])
"""A book whose price is beyond every bound: a decision from it is a SKIP."""


@pytest_asyncio.fixture(loop_scope="session")
async def temporal(tmp_path: Path) -> AsyncIterator[RunningTemporal]:
    async with running_temporal(tmp_path / "temporal") as server:
        yield server


@asynccontextmanager
async def held(lab: CopyingLab, table: str) -> AsyncIterator[None]:
    """Nobody writes this table while the block runs: whoever wants to stands still there."""
    async with await psycopg.AsyncConnection.connect(lab.dsn) as connection:
        name = sql.Identifier("platform" if table == "outbox" else "copytrade", table)
        await connection.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(name))
        yield


async def waiting(lab: CopyingLab, table: str) -> None:
    """Until somebody stands still there."""
    query = """SELECT 1 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
               WHERE NOT l.granted AND c.relname = %s AND l.database = (SELECT oid FROM pg_database
                 WHERE datname = current_database())"""
    await lab.until(lambda: lab.rows(query, table), bool)


async def once(lab: CopyingLab, key: str, *, requests: int) -> None:
    """The group is executed once in both scopes, and everything it moved was moved once."""
    for scope in ("EXEC_USER", "EXEC_GLOBAL"):
        attempt = await lab.decided(key, scope)
        assert (attempt["decision"], attempt["reason_codes"]) == ("EXECUTE", [])
        [moved] = await lab.rows(
            """SELECT (SELECT sum(filled_share_micros)::bigint FROM copytrade.executable_fills
                       WHERE copy_attempt_id = %(id)s) AS fills,
                 (SELECT sum(share_delta_micros)::bigint FROM copytrade.ledger_entries e
                  JOIN copytrade.portfolios f ON f.id = e.portfolio_id
                  WHERE e.ref_id = %(key)s AND f.portfolio_scope = %(scope)s::copytrade.portfolio_scope) AS entries""",
            {"id": attempt["id"], "key": key, "scope": scope},
        )
        assert moved == {"fills": attempt["filled_share_micros"], "entries": attempt["filled_share_micros"]}
    assert lab.requested_books() <= requests
    events = await lab.rows(
        "SELECT payload FROM platform.outbox WHERE type = 'copy_attempt' AND payload->>'group_key' = %s", key
    )
    assert len(events) == 2


@pytest.mark.parametrize(
    ("table", "requests"),
    [
        # after the answer of the venue, before it is kept: the one place where it may be asked again
        ("group_inputs", 2),
        ("copy_attempts", 1),
        ("executable_fills", 1),
        ("ledger_entries", 1),
        ("positions", 1),
        ("portfolios", 1),
        ("outbox", 1),
    ],
)
async def test_a_worker_killed_before_a_write_leaves_one_decision(
    database: str, temporal: RunningTemporal, table: str, requests: int
) -> None:
    async with copying_lab(database, temporal.address) as lab:
        user, market = await lab.leader(), await lab.market("rain-in-paris")
        key = await lab.group(user, market, due_at=soon(500))
        async with held(lab, table):
            await lab.copy(key)
            await waiting(lab, table)
            await lab.kill()
            if requests == 1:  # decided from the book that was kept, whatever the venue says now
                await lab.venue.book(market.tokens[0].id, *FAR)
        await lab.start_worker()
        await once(lab, key, requests=requests)


async def test_a_worker_killed_before_the_due_time_or_in_the_request_asks_once_more_at_most(
    database: str, temporal: RunningTemporal
) -> None:
    async with copying_lab(database, temporal.address) as lab:
        user, market = await lab.leader(), await lab.market("rain-in-paris")
        key = await lab.group(user, market, due_at=soon(2_000))
        await lab.copy(key)
        await asyncio.sleep(0.5)
        await lab.kill()
        await lab.start_worker()
        await once(lab, key, requests=1)
        lab.venue.fail("clob:/book", "stall", times=1, seconds=30)
        asked = lab.requested_books()
        second = await lab.group(user, market, due_at=soon(100), number=1)
        await lab.copy(second)
        await lab.until(lambda: _count(lab), lambda count: count > asked)
        await lab.kill()
        await lab.start_worker()
        await once(lab, second, requests=asked + 2)


async def _count(lab: CopyingLab) -> int:
    return lab.requested_books()
