"""What copying needs to run: leaders with portfolios, one market of the local venue, groups as the feed leaves them."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from benchmarks import stage
from domain.copytrade.groups import GroupKind, group_key, window_of
from localnet.polymarket.server import VenueServer
from storage.database import Pool, transaction
from storage.events import new_id

USDC = 10**6
DELAY = timedelta(milliseconds=750)
LADDER = {"bids": [["0.50", "9000000"], ["0.49", "9000000"]], "asks": [["0.51", "9000000"], ["0.52", "9000000"]]}


class Cast(NamedTuple):
    leaders: list[str]
    condition_id: str
    token: str


@asynccontextmanager
async def venue() -> AsyncIterator[VenueServer]:
    """The local venue in this process: no limits, no cache, books that stand still."""
    async with VenueServer(0, limits=0.0, cache=False) as server:
        await server.control.perform("market", {"slug": "rain-in-paris"})
        token = server.venue.market("rain-in-paris").tokens[0].id
        await server.control.perform("book", {"token": token, **LADDER})
        yield server


async def populate(dsn: str, server: VenueServer, leaders: int) -> Cast:
    """Leaders with portfolios of a million each, the global one with a hundred, and the market."""
    market, operator = server.venue.market("rain-in-paris"), new_id()
    cast = Cast([new_id() for _ in range(leaders)], market.condition_id, market.tokens[0].id)
    await stage.rows(dsn, "INSERT INTO platform.accounts (id, name, role) VALUES (%s, 'bench', 'operator')", operator)
    await stage.rows(
        dsn,
        """INSERT INTO copytrade.markets (condition_id, tick_micros, min_order_micros, read_at)
           VALUES (%s, 10000, 5000000, clock_timestamp())""",
        cast.condition_id,
    )
    for place, token in enumerate(market.tokens):
        await stage.rows(
            dsn,
            "INSERT INTO copytrade.outcome_assets (token_id, condition_id, place) VALUES (%s, %s, %s)",
            *(token.id, cast.condition_id, place),
        )
    for user in cast.leaders:
        address = "0x" + secrets.token_hex(20)
        await stage.rows(
            dsn,
            """INSERT INTO copytrade.followed_users (id, label, profile, profile_wallet, bankroll_micros, created_by,
                 followed_since, baseline_at)
               VALUES (%s, 'leader', %s, %s, 0, %s, clock_timestamp(), clock_timestamp())""",
            *(user, address, address, operator),
        )
        await _portfolio(dsn, "EXEC_USER", user, 1_000_000 * USDC)
    await _portfolio(dsn, "EXEC_GLOBAL", None, 100_000_000 * USDC)
    return cast


async def _portfolio(dsn: str, scope: str, user: str | None, micros: int) -> None:
    await stage.rows(
        dsn,
        """WITH p AS (
             INSERT INTO copytrade.portfolios (id, portfolio_scope, followed_user_id, cash_micros, contributed_micros,
               opened_at) VALUES (%s, %s::copytrade.portfolio_scope, %s, %s, %s, clock_timestamp()) RETURNING id)
           INSERT INTO copytrade.ledger_entries (portfolio_id, epoch, entry_type, ref_id, share_delta_micros,
             cash_delta_micros, cost_delta_micros, realized_micros, event_time)
           SELECT id, 0, 'DEPOSIT', 'bankroll', 0, %s, 0, 0, clock_timestamp() FROM p""",
        *(new_id(), scope, user, micros, micros, micros),
    )


async def detect(pool: Pool, cast: Cast, number: int, delay: timedelta = DELAY) -> str:
    """A group detected this moment, due after the delay; returns its key."""
    user, now = cast.leaders[number % len(cast.leaders)], datetime.now(UTC)
    start, end = window_of(now, 2_000)
    key = group_key(user, [cast.token], GroupKind.BUY, start, number + 1)
    async with transaction(pool) as connection:
        await connection.execute(
            """INSERT INTO copytrade.event_groups (group_key, followed_user_id, kind, condition_id, token_ids,
                 window_start, window_end, event_time, detect_time, frozen_at, due_at, jitter_ms, number, share_micros,
                 notional_micros, price_micros, usdc_micros, fee_micros, fills, dispatched_at)
               VALUES (%s, %s, 'BUY', %s, %s, %s, %s, %s, %s, %s, %s, 0, %s, %s, %s, 500000, %s, 0, 1, %s)""",
            [
                *(key, user, cast.condition_id, [cast.token], start, end, now, now, now, now + delay, number + 1),
                *(2_000 * USDC, 1_000 * USDC, -1_000 * USDC, now),
            ],
        )
    return key


async def paced(jobs: int, rate: int, start: Callable[[int], Coroutine[Any, Any, None]]) -> None:
    """Open loop: `rate` starts a second, whether or not the ones before are done."""
    began, running = time.monotonic(), []
    for number in range(jobs):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        running.append(asyncio.create_task(start(number)))
    await asyncio.gather(*running)


async def check_decisions(dsn: str, groups: int) -> None:
    """Every group was decided once in both scopes; portfolios are the sums of their ledgers."""
    [found] = await stage.rows(
        dsn,
        """SELECT (SELECT count(*) FROM copytrade.copy_attempts) AS attempts,
             (SELECT count(*) FROM (SELECT 1 FROM copytrade.copy_attempts GROUP BY portfolio_scope, group_key
                HAVING count(*) > 1) d) AS doubled,
             (SELECT count(*) FROM copytrade.portfolios f WHERE f.cash_micros <> (SELECT sum(cash_delta_micros)
                FROM copytrade.ledger_entries e WHERE e.portfolio_id = f.id)) AS wrong,
             (SELECT count(*) FROM copytrade.copy_attempts WHERE 'BOOK_UNAVAILABLE' = ANY(reason_codes)) AS bookless""",
    )
    wanted = {"attempts": 2 * groups, "doubled": 0, "wrong": 0, "bookless": 0}
    if found != wanted:
        raise AssertionError(f"decisions: {found}, not {wanted}")


async def all_decided(dsn: str, groups: int, seconds: float) -> None:
    """Wait until both scopes have decided."""
    for _ in range(int(seconds * 10)):
        [found] = await stage.rows(dsn, "SELECT count(*) AS attempts FROM copytrade.copy_attempts")
        if found["attempts"] >= 2 * groups:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{found['attempts']} of {2 * groups} attempts after {seconds} s")
