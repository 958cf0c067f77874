"""Marks and snapshots of paper portfolios: buckets, incremental folding, outages, the flag for what has no price."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities.copytrade.marks import MarkActivities
from domain.copytrade.marks import Priced
from storage.books import Books
from storage.copytrade.marks import MarkStore, latest
from storage.copytrade.snapshots import SnapshotStore
from storage.database import make_pool
from tests.venue_desk import desk
from tests.world import copytrade as world

pytestmark = pytest.mark.asyncio(loop_scope="session")
USDC = 10**6


@pytest_asyncio.fixture(loop_scope="session")
async def books(database: str) -> AsyncIterator[Books]:
    async with make_pool(database, size=4, name="test") as pool:
        yield Books(pool)


def minutes_ago(count: float) -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=count)


async def snapshots(dsn: str, portfolio: str) -> list[dict[str, object]]:
    return await world.rows(
        dsn, "SELECT * FROM copytrade.portfolio_snapshots WHERE portfolio_id = %s ORDER BY bucket_time", portfolio
    )


async def test_snapshots_hold_what_was_booked_before_their_minute(database: str, books: Books) -> None:
    user = await world.leader(database)
    condition, [yes, _] = await world.market(database)
    portfolio = await world.portfolio(database, "EXEC_USER", user)
    start = minutes_ago(4)
    await world.line(database, portfolio, "DEPOSIT", cash=100 * USDC, at=start + timedelta(seconds=10))
    bought: dict[str, Any] = {"token_id": yes, "condition_id": condition, "shares": 20 * USDC, "cost": 8 * USDC}
    await world.line(database, portfolio, "TRADE_FILL", cash=-8 * USDC, at=start + timedelta(seconds=80), **bought)
    await world.mark(database, yes, 500_000, start + timedelta(seconds=125))

    taken = await SnapshotStore(books).take(portfolio)

    found = await snapshots(database, portfolio)
    assert taken.written == len(found) >= 4
    first, second, third = found[:3]
    assert first["bucket_time"] == start + timedelta(minutes=1)
    assert (first["equity_micros"], first["cash_micros"], first["contributed_micros"]) == (100 * USDC,) * 3
    # bought and not yet marked: it counts at its cost, and the snapshot says so
    assert (second["equity_micros"], second["unpriced"], second["unrealized_pnl_micros"]) == (100 * USDC, 1, 0)
    assert (third["equity_micros"], third["unpriced"], third["exposure_micros"]) == (102 * USDC, 0, 10 * USDC)
    assert (third["unrealized_pnl_micros"], third["realized_pnl_micros"]) == (2 * USDC, 0)


async def test_snapshots_taken_late_equal_those_taken_in_time(database: str, books: Books) -> None:
    """Half of the lines, a round, the other half, a round: as if all had been folded at once."""
    _, [yes, no] = await world.market(database)
    early, late = [await world.portfolio(database, "SHADOW_USER", await world.leader(database)) for _ in range(2)]
    start, store = minutes_ago(30), SnapshotStore(books)
    for token in (yes, no):
        for minute in range(0, 30, 7):
            await world.mark(database, token, 300_000 + 10_000 * minute, start + timedelta(minutes=minute, seconds=3))
    for step in range(12):
        at = start + timedelta(minutes=2 * step, seconds=20)
        token, sign = (yes, no)[step % 2], -1 if step % 5 == 4 else 1
        lot: dict[str, Any] = {"token_id": token, "shares": sign * USDC, "cost": sign * 300_000}
        for portfolio in (early, late):
            await world.line(database, portfolio, "TRADE_FILL", cash=-sign * 310_000, at=at, ref=f"{step}", **lot)
        if step == 5:
            await world.rows(
                database, "UPDATE copytrade.portfolios SET epoch = epoch + 1 WHERE id IN (%s, %s)", early, late
            )
            await world.rows(
                database,
                "UPDATE copytrade.positions SET share_micros = 0, cost_micros = 0 WHERE portfolio_id IN (%s, %s)",
                *(early, late),
            )
    await store.take(late)
    assert (await store.take(late)).written == 0
    whole = [
        row | {"portfolio_id": None, "created_at": None, "ledger_id": None} for row in await snapshots(database, late)
    ]
    assert {row["epoch"] for row in whole} == {0, 1}
    # the first round of `early` as of an earlier minute: what came later is removed and found again
    await store.take(early)
    cut = start + timedelta(minutes=9)
    await world.rows(
        database, "DELETE FROM copytrade.portfolio_snapshots WHERE portfolio_id = %s AND bucket_time > %s", early, cut
    )
    await world.rows(database, "DELETE FROM copytrade.portfolio_hours WHERE portfolio_id = %s", early)
    await store.take(early)
    parts = [
        row | {"portfolio_id": None, "created_at": None, "ledger_id": None} for row in await snapshots(database, early)
    ]
    assert parts == whole


async def test_marks_are_mid_then_last_trade_then_payout_then_nothing(database: str, books: Books) -> None:
    async with desk(seed=5) as venue:
        quoted, placeholder, one_sided, traded = [
            await venue.venue.market(name) for name in ("quoted", "placeholder", "one-sided", "traded")
        ]
        tokens = {
            name: market.tokens[0].id
            for name, market in (
                ("quoted", quoted),
                ("placeholder", placeholder),
                ("one-sided", one_sided),
                ("traded", traded),
            )
        }
        await venue.venue.book(tokens["quoted"], [("0.42", "100")], [("0.44", "100")])
        await venue.venue.book(tokens["placeholder"], [("0.01", "100")], [("0.99", "100")])
        await venue.venue.book(tokens["one-sided"], [], [("0.44", "100")])
        await venue.venue.trade("alice", tokens["traded"], "BUY", "20", price="0.37")
        await venue.venue.book(tokens["traded"], [], [])
        portfolio = await world.portfolio(database, "SHADOW_USER", await world.leader(database))
        for token in tokens.values():
            await world.line(database, portfolio, "DEPOSIT", token_id=token, shares=USDC, cost=400_000)
        condition, [won, lost] = await world.market(database)
        await world.rows(
            database, "UPDATE copytrade.markets SET payouts = '{1000000,0}' WHERE condition_id = %s", condition
        )
        for token in (won, lost):
            await world.line(database, portfolio, "DEPOSIT", token_id=token, condition_id=condition, shares=1, cost=1)

        activities = MarkActivities(MarkStore(books), venue.polymarket.clob)
        read = await ActivityEnvironment().run(activities.read_marks)
        assert (read.held, read.marked, read.stale, read.away) == (6, 4, 2, 0)
        async with books.begin() as book:
            found = await latest(book.connection, [*tokens.values(), won, lost], datetime.now(UTC))
        # 0.01 to 0.99 is nobody's price: never 0.50
        assert {token: (mark.price, mark.source) for token, mark in found.items()} == {
            tokens["quoted"]: (430_000, "mid"),
            tokens["traded"]: (370_000, "last_trade"),
            won: (USDC, "payout"),
            lost: (0, "payout"),
        }
        venue.venue.fail("clob:/prices", "http_500", times=None)
        read = await ActivityEnvironment().run(activities.read_marks)
        assert (read.marked, read.away) == (2, 4)


async def test_a_bucket_keeps_its_newest_mark_and_a_snapshot_waits_for_marks_under_way(
    database: str, books: Books
) -> None:
    store = MarkStore(books)
    for price in (400_000, 410_000):
        await store.write([Priced("1", price, "mid")])
    kept = await world.rows(database, "SELECT count(*) AS n, max(mark_micros) AS top FROM copytrade.mark_prices")
    assert kept[0]["n"] in (1, 2)
    assert kept[0]["top"] == 410_000
    portfolio = await world.portfolio(database, "EXEC_GLOBAL")
    await world.line(database, portfolio, "DEPOSIT", cash=USDC, at=minutes_ago(1.5))
    async with books.begin() as book:
        await book.connection.execute("SELECT pg_advisory_xact_lock(%s)", [0x434D_41524B53])
        taking = asyncio.create_task(SnapshotStore(books).take(portfolio))
        await asyncio.sleep(0.3)
        assert not taking.done()
    assert (await taking).written >= 1
