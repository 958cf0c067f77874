"""Defects of the exchange the seeds describe (seed-exchange, section 2), replayed where no other test does it whole.

tests/docs/test_seed_defects.py says which defects must have a test, and finds the others by their names.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest_asyncio

from domain.exchange.assets import AssetPlan
from domain.shared.money import USDC_ONE
from storage.events import new_id
from tests.exchange_lab import ExchangeLab, open_exchange
from tests.world.market import Asked


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[ExchangeLab]:
    """Every rule of the ledger check must hold at the end."""
    async with open_exchange(database, size=8) as opened:
        yield opened
        assert await opened.violations() == {}


async def user(lab: ExchangeLab, usdc: int) -> str:
    account = await lab.account()
    await lab.deposit(account, usdc * USDC_ONE)
    return account


async def asset(lab: ExchangeLab, *, soft: int, hard: int) -> str:
    symbol = f"D{new_id()[-11:].upper()}"
    plan = AssetPlan(
        symbol=symbol, name=symbol, p0_micros=USDC_ONE, k_atto=10**16, soft_cap_micros=soft * USDC_ONE,
        hard_cap_micros=hard * USDC_ONE, funding_deadline=datetime.now(UTC) + timedelta(hours=1), oracle_queries=(),
        breaker_bps=0, fee_bps=50, lp_part_bps=9_000,
    )  # fmt: skip
    return await lab.asset(plan)


async def test_d9_two_workers_end_a_round_and_nothing_is_minted(lab: ExchangeLab) -> None:
    """2,000 became 5,000: 1,500 contributed, a third of it too late, refunded by two workers, and withdrawn again."""
    users, name = [await user(lab, 500) for _ in range(4)], await asset(lab, soft=2_500, hard=25_000)
    now, late = datetime.now(UTC), datetime.now(UTC) + timedelta(hours=2)
    for account in users[:2]:
        await lab.request(name, account, 500 * USDC_ONE)
    assert set((await lab.admit(name, now)).values()) == {None}
    too_late = await lab.request(name, users[2], 500 * USDC_ONE)
    assert await lab.admit(name, late) == {too_late: "funding_closed"}

    async def worker() -> None:
        await lab.end_round(name, late)
        after: str | None = None
        while (after := await lab.refund(name, after)) is not None:
            pass
        await lab.funding.finish(name)

    await asyncio.gather(worker(), worker())
    assert [await lab.market.available(account) for account in users] == [500 * USDC_ONE] * 4
    _, status = await lab.ask(name, users[0], 25 * USDC_ONE, late + timedelta(days=365))
    assert status == "refused", "a refunded provider has nothing left to withdraw"
    [sold] = await lab.trade([Asked(name, users[3], "buy", USDC_ONE)])
    assert sold["reject_code"] == "asset_not_active"


async def test_d10_traders_do_not_activate_and_the_hard_cap_holds(lab: ExchangeLab) -> None:
    """120 of providers' money became active because a trader had put 2,500 in; 50,000 went over a cap of 25,000."""
    rich, name = await user(lab, 100_000), await asset(lab, soft=2_500, hard=25_000)
    now = datetime.now(UTC)
    await lab.request(name, rich, 100 * USDC_ONE)
    await lab.admit(name, now)
    [bought] = await lab.trade([Asked(name, rich, "buy", 2_500 * USDC_ONE)])
    assert bought["reject_code"] == "asset_not_active"
    await lab.request(name, rich, 20 * USDC_ONE)
    await lab.admit(name, now)
    assert (await lab.market.asset(name))["status"] == "funding"
    over = await lab.request(name, rich, 50_000 * USDC_ONE)
    assert await lab.admit(name, now) == {over: "hard_cap_exceeded"}
    row = await lab.market.asset(name)
    assert (row["status"], row["lp_shares_micros"]) == ("funding", 120 * USDC_ONE)


async def test_d8_d19_everything_at_once_on_one_asset_neither_fails_nor_passes_a_limit(lab: ExchangeLab) -> None:
    """Nine of ten concurrent buyers got a serialization failure; eight withdrawals at a limit of 25 got 100."""
    provider, buyers = await user(lab, 1_000), [await user(lab, 100) for _ in range(16)]
    name = await asset(lab, soft=1_000, hard=1_000)
    await lab.request(name, provider, 1_000 * USDC_ONE)
    await lab.admit(name, datetime.now(UTC))
    later = datetime.now(UTC) + timedelta(days=200)
    orders = [Asked(name, account, "buy", 10 * USDC_ONE) for account in buyers for _ in range(4)]
    asked = [lab.ask(name, provider, 100 * USDC_ONE, later) for _ in range(8)]
    claims = [lab.claim(name, provider) for _ in range(8)]
    rows, *rest = await asyncio.gather(lab.trade(orders), *asked, *claims)
    assert {row["status"] for row in rows} == {"filled"}
    assert [row["verdict"] for row in rows] == list(range(1, 65))
    assert len(rest) == 16
    paid = await lab.rows("SELECT sum(amount_micros)::bigint AS total FROM exchange.lp_payouts")
    assert paid == [{"total": 100 * USDC_ONE}], "a tenth of the pool in a day, however many ask"
    assert await lab.differences([name]) == []
