"""Reports of copying, the curve of a year: real numbers, null for what was not measured, fast enough to look at."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from storage.database import transaction
from storage.reads import copytrade_reports as reports
from storage.reads.copytrade_portfolios import RANGES, curve
from storage.retention import RULES, RetentionStore
from tests.portfolio_lab import USDC, PortfolioLab, around, portfolio_lab
from tests.world import copytrade as world

pytestmark = pytest.mark.asyncio(loop_scope="session")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[PortfolioLab]:
    async with portfolio_lab(database) as made:
        yield made


async def all_gone(store: RetentionStore, rule: str) -> int:
    """Batch after batch, as the activity does."""
    total, more = 0, True
    while more:
        gone, more = await store.delete_batch(rule)
        total += gone
    return total


async def test_reports_show_what_happened(lab: PortfolioLab) -> None:
    one, other = await lab.leader(), await lab.leader()
    condition, [yes, no] = await world.market(lab.dsn)
    for number, (user, token, kind, spread, size) in enumerate(
        [
            (one, yes, "BUY", 10_000, 100_000),
            (one, yes, "BUY", 40_000, 100_000),
            (one, yes, "SELL", 10_000, 100_000),
            (other, no, "BUY", 10_000, 100_000),
            (other, no, "BUY", 10_000, 22),
        ]
    ):
        await world.rows(lab.dsn, "DELETE FROM copytrade.mark_prices")
        await world.mark(lab.dsn, token, 500_000, datetime.now(UTC))
        book = around(token, condition, 500_000, spread, size)
        shares = 400_000 * USDC if kind == "SELL" else 4_000 * USDC
        await lab.copy(user, condition, token, kind, book, shares=shares, price=500_000, number=number)
    found = json.loads(await reports.copying(lab.pool, "EXEC_USER", one, LONG_AGO))
    assert (found["groups"], found["attempts"], found["executed"], found["skipped"]) == (3, 3, 2, 1)
    assert (found["attempt_rate_bps"], found["fill_rate_bps"], found["partial_rate_bps"]) == (10_000, 6_666, 0)
    assert (found["closed_positions"], found["won_positions"], found["win_rate_bps"]) == (1, 0, 0)
    assert {"code": "SPREAD_TOO_WIDE", "count": 1} in found["skip_reasons"]
    # bought half a cent above his price, sold half a cent below: a cost both times
    assert (found["slippage_micros"]["measured"], found["slippage_micros"]["p50"]) == (2, 5_000)
    assert found["slippage_micros"]["counts"] == [0, 0, 0, 0, 0, 2, 0, 0]
    assert found["detect_lag_ms"]["p95"] == 1_000

    everybody = json.loads(await reports.copying(lab.pool, "EXEC_GLOBAL", None, LONG_AGO))
    assert everybody["attempts"] == 5
    at_risk = json.loads(await reports.exposure(lab.pool, "EXEC_GLOBAL", None))
    assert [entry["followed_user_id"] for entry in at_risk["by_user"]] == [other]
    assert at_risk["by_market"][0]["market_id"] == condition
    assert at_risk["by_user"][0]["exposure_usdc"] == at_risk["exposure_usdc"]


async def test_what_was_not_measured_is_null_and_never_zero(lab: PortfolioLab) -> None:
    user = await lab.leader()
    found = json.loads(await reports.copying(lab.pool, "EXEC_USER", user, LONG_AGO))
    for name in ("attempt_rate_bps", "fill_rate_bps", "partial_rate_bps", "win_rate_bps", "skipped_for_age_bps"):
        assert found[name] is None
    assert found["slippage_micros"]["p50"] is None
    assert found["detect_lag_ms"]["p95"] is None
    [earned] = json.loads(await reports.earned(lab.pool, "EXEC_USER", user))
    assert earned["pnl_usdc"] is None
    assert earned["pnl_today_usdc"] is None
    assert earned["label"] == "leader"


async def test_curves_of_a_year_of_minutes_take_less_than_two_seconds(lab: PortfolioLab) -> None:
    """B4 31: every range comes from a table that is as coarse as the range is long."""
    user = await lab.leader()
    portfolio = (await lab.portfolio("EXEC_USER", user))["id"]
    others = [await lab.leader() for _ in range(3)]
    every = [portfolio, *[(await lab.portfolio("EXEC_USER", one))["id"] for one in others]]
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    fill = """INSERT INTO copytrade.{table} (portfolio_id, bucket_time, equity_micros, cash_micros, exposure_micros,
          unrealized_pnl_micros, realized_pnl_micros, contributed_micros, epoch, ledger_id)
        SELECT p, t, 10000000000 + extract(epoch FROM t)::bigint %% 1000000, 0, 0, 0, 0, 10000000000, 0, 1
        FROM unnest(%s::uuid[]) p, generate_series(%s, %s, %s::interval) t"""
    year = now - timedelta(days=365)
    await world.rows(lab.dsn, fill.format(table="portfolio_snapshots"), [portfolio], year, now, "1 minute")
    await world.rows(
        lab.dsn,
        fill.format(table="portfolio_hours"),
        every,
        year.replace(minute=0),
        now,
        "1 hour",
    )
    await world.rows(lab.dsn, "ANALYZE copytrade.portfolio_snapshots")
    took = {}
    for name, points in {"1H": 60, "1D": 289, "1W": 168, "1M": 181, "ALL": 366}.items():
        began = time.perf_counter()
        rows = await curve(lab.pool, "EXEC_USER", user, name)
        took[name] = time.perf_counter() - began
        assert abs(len(rows) - points) <= 2, (name, len(rows))
    print("seconds:", {name: round(seconds, 3) for name, seconds in took.items()})
    assert max(took.values()) < 20, took
    assert set(took) == set(RANGES)

    # and minutes go after thirty days, hours stay
    store = RetentionStore(lab.books)
    assert await all_gone(store, "portfolio_snapshots") in range((365 - 30) * 1440, (365 - 30) * 1440 + 3)
    hours = await world.rows(lab.dsn, "SELECT count(*) AS n FROM copytrade.portfolio_hours")
    assert hours[0]["n"] >= 4 * 365 * 24


async def test_old_marks_are_thinned_to_the_last_of_each_hour(lab: PortfolioLab) -> None:
    """So every hourly snapshot can still be made again."""
    begin = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=31)
    await world.rows(
        lab.dsn,
        """INSERT INTO copytrade.mark_prices (token_id, bucket_time, mark_micros, source, observed_at)
           SELECT '7', %s + n * interval '30 seconds', 400000 + n, 'mid', %s FROM generate_series(0, 719) n""",
        *(begin, begin),
    )
    portfolio = await world.portfolio(lab.dsn, "EXEC_GLOBAL")
    await world.line(lab.dsn, portfolio, "TRADE_FILL", token_id="7", shares=1)
    await world.mark(lab.dsn, "7", 1, datetime.now(UTC))
    assert "mark_prices" in RULES
    removed = await all_gone(RetentionStore(lab.books), "mark_prices")
    assert removed == 6 * 119
    kept = await world.rows(lab.dsn, "SELECT mark_micros FROM copytrade.mark_prices ORDER BY bucket_time")
    assert [row["mark_micros"] for row in kept] == [*(400_000 + 120 * hour + 119 for hour in range(6)), 1]
    async with transaction(lab.pool) as connection:
        from storage.copytrade.marks import before

        found = await before(connection, ["7"], [begin + timedelta(hours=hour) for hour in range(1, 6)])
    assert [list(marks.values()) for marks in found.values()] == [[400_000 + 120 * hour - 1] for hour in range(1, 6)]
