"""The tracking gap from stored rows: parts of every kind, and they add up to the micro."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from domain.copytrade.entries import Scope
from storage.copytrade import bankroll
from storage.copytrade.gap import report
from storage.database import transaction
from storage.events import new_id
from tests.portfolio_lab import USDC, PortfolioLab, around, portfolio_lab
from tests.world import copytrade as world

pytestmark = pytest.mark.asyncio(loop_scope="session")
PARTS = ("unsupported", "skipped", "size", "caps", "latency", "price", "partial", "fees", "manual", "rounding")


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[PortfolioLab]:
    async with portfolio_lab(database) as made:
        yield made


async def shadowed(lab: PortfolioLab, user: str, shadow: str, condition: str, token: str, kind: str, **how: Any) -> str:
    """The leader trades: his shadow is booked, the group decided."""
    shares, price = how["shares"], how["price"]
    sign, event = (1 if kind == "BUY" else -1), new_id()
    cash = -sign * (shares * price // USDC)
    cost = -cash if kind == "BUY" else -how.get("cost", shares * price // USDC)
    lot: dict[str, Any] = {"token_id": token, "condition_id": condition, "shares": sign * shares, "cost": cost}
    now = datetime.now(UTC)
    await world.line(
        lab.dsn, shadow, "TRADE_FILL", cash=cash, realized=cash + cost, at=now, ref=event, price=price, **lot
    )
    if how.get("fee"):
        fee: dict[str, Any] = {"cash": -how["fee"], "realized": -how["fee"], "token_id": token, "ref": event}
        await world.line(lab.dsn, shadow, "FEE", at=now, **fee)
    key = await lab.ask(user, condition, token, kind, how["book"], shares=shares, price=price, number=how["number"])
    await world.rows(lab.dsn, "INSERT INTO copytrade.group_members (event_id, group_key) VALUES (%s, %s)", event, key)
    await lab.drain(user)
    return key


async def history(lab: PortfolioLab, seed: int, users: int = 1) -> list[str]:
    """Copied, clamped, partly filled, skipped and closed trades; a baseline, rewards, a deposit, a settlement."""
    chance = random.Random(seed)
    made = [await lab.leader() for _ in range(users)]
    markets = [await world.market(lab.dsn, fee_ppm=40_000) for _ in range(3)]
    shadows = {user: await world.portfolio(lab.dsn, "SHADOW_USER", user) for user in made}
    for number, shadow in enumerate(shadows.values()):
        condition, [yes, _] = markets[number % 3]
        old = {"token_id": yes, "condition_id": condition, "shares": 333 * USDC, "cost": 111_111_111}
        await world.line(lab.dsn, shadow, "DEPOSIT", at=datetime.now(UTC), price=333_667, **old)
    held: dict[tuple[str, str], int] = {}
    for number in range(24):
        user = chance.choice(made)
        condition, tokens = chance.choice(markets)
        token, mid = chance.choice(tokens), 10_000 * chance.randrange(20, 80)
        await world.rows(lab.dsn, "DELETE FROM copytrade.mark_prices WHERE token_id = %s", token)
        await world.mark(lab.dsn, token, mid + 1_234, datetime.now(UTC))
        selling = held.get((user, token), 0) > 0 and chance.random() < 0.4
        shares = held.pop((user, token)) if selling else chance.randrange(1_000 * USDC, 20_000 * USDC)
        if not selling:
            held[user, token] = held.get((user, token), 0) + shares
        await shadowed(
            lab, user, shadows[user], condition, token, "SELL" if selling else "BUY",
            shares=shares, price=mid + chance.choice((-3_000, 0, 5_000)), number=number,
            fee=chance.choice((0, 12_345)),
            book=around(token, condition, mid, chance.choice((10_000, 10_000, 40_000)), chance.choice((5, 100_000))),
        )  # fmt: skip
    await world.line(lab.dsn, shadows[made[0]], "FEE", cash=77_777, realized=77_777, at=datetime.now(UTC))
    async with transaction(lab.pool) as connection:
        await bankroll.move_cash(connection, Scope.EXEC_USER, made[0], 50 * USDC, principal="test", reason="more")
    return made


def parts(found: dict[str, Any]) -> int:
    return sum(found[f"{part}_micros"] for part in PARTS)


async def test_the_parts_of_the_gap_add_up_to_shadow_at_the_rate_less_ours(lab: PortfolioLab) -> None:
    [user] = await history(lab, seed=12)
    async with transaction(lab.pool) as connection:
        found = await report(connection, Scope.EXEC_USER, user)
    assert found is not None
    assert found["unmeasured"] == []
    assert found["total_micros"] == parts(found)
    assert found["explained"], found
    # what the ledgers say, at the same marks
    profit = """SELECT f.cash_micros - f.contributed_micros + coalesce((
          SELECT sum(floor(p.share_micros::numeric * k.mark_micros / 1000000)) FROM copytrade.positions p
          CROSS JOIN LATERAL (SELECT mark_micros FROM copytrade.mark_prices m WHERE m.token_id = p.token_id
            ORDER BY bucket_time DESC LIMIT 1) k WHERE p.portfolio_id = f.id), 0)::bigint AS pnl
        FROM copytrade.portfolios f WHERE f.followed_user_id = %s
          AND f.portfolio_scope = %s::copytrade.portfolio_scope"""
    [shadow] = await world.rows(lab.dsn, profit, user, "SHADOW_USER")
    [ours] = await world.rows(lab.dsn, profit, user, "EXEC_USER")
    assert abs(found["total_micros"] - (shadow["pnl"] // 100 - ours["pnl"])) <= 2
    assert found["skipped_by_reason_micros"]
    assert found["fees_micros"] > 0
    assert sum(found[f"{part}_micros"] != 0 for part in PARTS) >= 6


async def test_the_global_gap_measures_every_leader_and_a_reset_begins_anew(lab: PortfolioLab) -> None:
    users = await history(lab, seed=7, users=2)
    async with transaction(lab.pool) as connection:
        found = await report(connection, Scope.EXEC_GLOBAL, None)
        assert found is not None
        assert found["explained"]
        assert found["total_micros"] == parts(found)
        await bankroll.reset(connection, Scope.EXEC_USER, users[0], 500 * USDC, principal="test", reason="anew")
        fresh = await report(connection, Scope.EXEC_USER, users[0])
    # of the leader's old profit nothing is missing in a portfolio that begins today
    assert fresh is not None
    assert abs(fresh["total_micros"]) <= 10, fresh
    assert fresh["explained"], fresh
    async with transaction(lab.pool) as connection:
        assert await report(connection, Scope.EXEC_USER, new_id()) is None


async def test_a_token_that_nothing_prices_leaves_the_gap_unmeasured(lab: PortfolioLab) -> None:
    user = await lab.leader()
    shadow = await world.portfolio(lab.dsn, "SHADOW_USER", user)
    condition, [yes, _] = await world.market(lab.dsn)
    later = datetime.now(UTC) + timedelta(seconds=1)
    await world.line(lab.dsn, shadow, "CONVERSION", token_id=yes, condition_id=condition, shares=USDC, cost=1, at=later)
    async with transaction(lab.pool) as connection:
        found = await report(connection, Scope.EXEC_USER, user)
    assert found is not None
    assert found["unmeasured"] == [yes]
    assert "total_micros" not in found
