"""Rebuilding snapshots from the ledger: what was stored comes out again; by event time things stand where they were."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from domain.copytrade.portfolio_messages import RebuildDone
from storage.books import Books
from storage.copytrade.rebuild import RebuildStore
from storage.copytrade.snapshots import SnapshotStore
from storage.database import make_pool
from storage.intents.copytrade_portfolios import open_rebuild
from tests.world import copytrade as world

pytestmark = pytest.mark.asyncio(loop_scope="session")
USDC = 10**6
TABLES = ("portfolio_snapshots", "portfolio_hours")


@pytest_asyncio.fixture(loop_scope="session")
async def books(database: str) -> AsyncIterator[Books]:
    async with make_pool(database, size=4, name="test") as pool:
        yield Books(pool)


async def stored(dsn: str) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for table in TABLES:
        rows = await world.rows(dsn, f"SELECT * FROM copytrade.{table} ORDER BY portfolio_id, bucket_time")
        found[table] = [{key: value for key, value in row.items() if key != "created_at"} for row in rows]
    return found


async def rebuilt(dsn: str, books: Books, *, by_event_time: bool = False) -> RebuildDone:
    operator = (await world.rows(dsn, "SELECT id FROM platform.accounts LIMIT 1"))[0]["id"]
    async with books.begin() as book:
        opened = await open_rebuild(book.connection, by_event_time=by_event_time, portfolio_id=None, principal=operator)
    store = RebuildStore(books)
    while not (done := await store.page(opened.subject_id)).ended:
        pass
    return done


async def lively(dsn: str, days: float, seed: int) -> list[str]:
    """Portfolios with trades, deposits, a reset, fees and marks over some days."""
    chance = random.Random(seed)
    _, tokens = await world.market(dsn, tokens=3)
    start = datetime.now(UTC) - timedelta(days=days)
    made = []
    for scope in ("SHADOW_USER", "EXEC_USER"):
        portfolio = await world.portfolio(dsn, scope, await world.leader(dsn), opened_at=start)
        made.append(portfolio)
        at = start
        await world.line(dsn, portfolio, "DEPOSIT", cash=1_000 * USDC, at=at)
        for _ in range(40):
            at += timedelta(seconds=chance.randrange(1, int(days * 2_000)))
            token, sign = chance.choice(tokens), chance.choice((1, 1, -1))
            shares, price = chance.randrange(1, 50 * USDC), chance.randrange(100_000, 900_000)
            cost = sign * shares * price // USDC
            gain = 0 if sign > 0 else chance.randrange(-USDC, USDC)
            happened = at - timedelta(minutes=chance.randrange(0, 300))
            lot: dict[str, Any] = {"token_id": token, "shares": sign * shares, "cost": cost, "realized": gain}
            await world.line(dsn, portfolio, "TRADE_FILL", cash=gain - cost, at=at, event_time=happened, **lot)
            if chance.random() < 0.2:
                await world.line(dsn, portfolio, "FEE", cash=-1234, realized=-1234, at=at, event_time=happened)
            if chance.random() < 0.1:
                await world.line(dsn, portfolio, "DEPOSIT", cash=-5 * USDC, at=at)
        await world.rows(
            dsn,
            "UPDATE copytrade.portfolios SET epoch = 1, cash_micros = 0, contributed_micros = 0 WHERE id = %s",
            portfolio,
        )
        await world.rows(
            dsn, "UPDATE copytrade.positions SET share_micros = 0, cost_micros = 0 WHERE portfolio_id = %s", portfolio
        )
        await world.line(dsn, portfolio, "DEPOSIT", cash=500 * USDC, at=at + timedelta(seconds=5))
    for token in tokens:
        for step in range(0, int(days * 1440), 11):
            await world.mark(dsn, token, chance.randrange(50_000, 950_000), start + timedelta(minutes=step))
    return made


async def test_rebuild_by_booking_time_reproduces_every_snapshot(database: str, books: Books) -> None:
    for portfolio in await lively(database, days=2, seed=4):
        while (await SnapshotStore(books).take(portfolio)).more:
            pass
    before = await stored(database)
    assert len(before["portfolio_snapshots"]) > 4_000
    assert len(before["portfolio_hours"]) > 80

    done = await rebuilt(database, books)
    assert (done.changed, await stored(database)) == (0, before)

    # lost, altered and invented rows are put right, and it says how many there were
    await world.rows(database, "DELETE FROM copytrade.portfolio_hours WHERE extract(hour FROM bucket_time) < 6")
    await world.rows(database, "UPDATE copytrade.portfolio_snapshots SET equity_micros = 1 WHERE unpriced > 0")
    await world.rows(
        database,
        """INSERT INTO copytrade.portfolio_hours SELECT portfolio_id, bucket_time - interval '30 days', equity_micros,
             cash_micros, exposure_micros, unrealized_pnl_micros, realized_pnl_micros, contributed_micros, unpriced,
             epoch, ledger_id FROM copytrade.portfolio_hours LIMIT 1""",
    )
    done = await rebuilt(database, books)
    assert done.changed > 10
    assert await stored(database) == before


async def test_rebuild_by_event_time_moves_lines_back_and_ordinary_snapshots_go_on(database: str, books: Books) -> None:
    portfolios = await lively(database, days=0.5, seed=9)
    store = SnapshotStore(books)
    for portfolio in portfolios:
        while (await store.take(portfolio)).more:
            pass
    before = await stored(database)
    assert (await rebuilt(database, books, by_event_time=True)).changed > 0
    newest = "SELECT portfolio_id, max(ledger_id) AS id FROM copytrade.portfolio_snapshots GROUP BY 1 ORDER BY 1"
    held = await world.rows(database, newest)
    assert [row["id"] for row in held] == [
        row["id"]
        for row in await world.rows(
            database, "SELECT portfolio_id, max(id) AS id FROM copytrade.ledger_entries GROUP BY 1 ORDER BY 1"
        )
    ]
    assert (await rebuilt(database, books, by_event_time=True)).changed == 0
    # back to booking time: all as it was
    await rebuilt(database, books)
    again = await stored(database)
    shared = {(row["portfolio_id"], row["bucket_time"]) for row in before["portfolio_snapshots"]}
    assert [
        row for row in again["portfolio_snapshots"] if (row["portfolio_id"], row["bucket_time"]) in shared
    ] == before["portfolio_snapshots"]
