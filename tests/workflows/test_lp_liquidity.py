"""Withdrawals of LP principal and claims of LP fees: vesting, instant part, queue, pool limit; exactly once each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from temporalio.testing import WorkflowEnvironment

from domain.shared import ids
from domain.shared.errors import Rejected
from storage.exchange.liquidity import LpStore
from tests.liquidity_lab import USDC, Lab, open_lab, trader
from tests.patience import PATIENCE_S
from tests.world.skipping import skipping_temporal

PAYOUTS = "SELECT amount_micros, instant, part FROM exchange.lp_payouts WHERE withdrawal_id = %s ORDER BY part"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env() -> AsyncIterator[WorkflowEnvironment]:
    async with skipping_temporal(by_itself=False) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lab(env: WorkflowEnvironment, new_database: Callable[[], Awaitable[str]]) -> AsyncIterator[Lab]:
    async with open_lab(await new_database(), env.client) as opened, opened.worker():
        yield opened


async def skip(env: WorkflowEnvironment, lab: Lab, withdrawal: str, hours: float) -> None:
    handle = lab.client.get_workflow_handle(ids.lp_withdrawal(withdrawal))
    await env.fast_forward(handle, timedelta(hours=hours))


async def test_within_the_instant_limit_it_is_paid_at_once(lab: Lab) -> None:
    asset, account = await lab.provider((10_000 * USDC, 8))
    withdrawal = await lab.withdraw(asset, account, 625 * USDC)
    row = await lab.decided(withdrawal)
    assert (row["status"], row["paid_micros"]) == ("paid", 625 * USDC)
    assert await lab.available(account) == 625 * USDC
    assert await lab.principal(asset) == 9_375 * USDC
    position = await lab.position(asset, account)
    assert (position["shares_micros"], position["instant_micros"]) == (9_375 * USDC, 625 * USDC)
    assert (await lab.operation(withdrawal))["status"] == "completed"
    await lab.check_all()


async def test_beyond_vested_is_refused_with_the_next_date(lab: Lab) -> None:
    asset, account = await lab.provider((1_000 * USDC, 8))
    row = await lab.decided(await lab.withdraw(asset, account, 250 * USDC + 1))
    assert (row["status"], row["refuse_code"]) == ("refused", "not_vested")
    assert "250 USDC more vest at" in (await lab.operation(row["id"]))["summary"]
    fresh, young = await lab.provider((1_000 * USDC, 6))
    row = await lab.decided(await lab.withdraw(fresh, young, 1))
    assert row["refuse_code"] == "not_vested"
    assert await lab.available(young) == 0


async def test_the_rest_is_queued_for_a_day_and_paid(env: WorkflowEnvironment, lab: Lab) -> None:
    asset, account = await lab.provider((10_000 * USDC, 8))
    withdrawal = await lab.withdraw(asset, account, 1_000 * USDC)
    row = await lab.decided(withdrawal)
    assert (row["status"], row["paid_micros"]) == ("queued", 625 * USDC)
    await skip(env, lab, withdrawal, 23)
    assert (await lab.withdrawal_row(withdrawal))["status"] == "queued"
    await skip(env, lab, withdrawal, 1.1)
    row = await lab.decided(withdrawal, "paid")
    assert [tuple(p.values()) for p in await lab.rows(PAYOUTS, withdrawal)] == [
        (625 * USDC, True, 1),
        (375 * USDC, False, 2),
    ]
    assert await lab.available(account) == 1_000 * USDC
    await lab.check_all()


async def test_a_pool_pays_a_tenth_a_day_in_parts_and_in_order(env: WorkflowEnvironment, lab: Lab) -> None:
    """One provider of all of it, fully vested, wants everything; another one comes later and waits behind."""
    asset, first = await lab.provider((900 * USDC, 200))
    _, second = await lab.provider((100 * USDC, 200), asset=asset)
    big = await lab.withdraw(asset, first, 300 * USDC)
    row = await lab.decided(big)
    assert (row["status"], row["paid_micros"]) == ("queued", 100 * USDC)
    small = await lab.withdraw(asset, second, 10 * USDC)
    assert (await lab.decided(small))["paid_micros"] == 0
    await skip(env, lab, big, 24.1)
    row = await lab.withdrawal_row(big)
    assert row["paid_micros"] == 190 * USDC
    await skip(env, lab, big, 24.1)
    assert (await lab.withdrawal_row(big))["paid_micros"] == 271 * USDC
    assert (await lab.withdrawal_row(small))["paid_micros"] == 0
    await skip(env, lab, big, 24.1)
    assert (await lab.withdrawal_row(big))["status"] == "paid"
    await lab.decided(small, "paid")
    handle = lab.client.get_workflow_handle(ids.lp_withdrawal(small))
    await asyncio.wait_for(handle.result(), PATIENCE_S)
    assert [await lab.available(a) for a in (first, second)] == [300 * USDC, 10 * USDC]
    assert await lab.principal(asset) == 690 * USDC
    await lab.check_all()


async def test_d4_pending_requests_reserve_what_has_vested(lab: Lab) -> None:
    """Fifteen requests of a tenth of what vested: what is asked never exceeds what vested (D4)."""
    asset, account = await lab.provider((1_000 * USDC, 8))
    rows = [await lab.decided(await lab.withdraw(asset, account, 25 * USDC)) for _ in range(15)]
    asked = [row for row in rows if row["status"] != "refused"]
    assert sum(row["amount_micros"] for row in asked) == 250 * USDC
    assert {row["refuse_code"] for row in rows if row not in asked} == {"not_vested"}
    position = await lab.position(asset, account)
    assert position["withdrawn_micros"] <= 250 * USDC
    await lab.check_all()


async def test_d5_instant_payments_are_remembered(lab: Lab) -> None:
    """A hundred and fifty small requests: together not more than a quarter of what vested is paid at once (D5)."""
    asset, account = await lab.provider((1_000 * USDC, 200))
    for _ in range(5):
        await lab.provider((1_000 * USDC, 200), asset=asset)
    opened = [await lab.ask(asset, account, 5 * USDC) for _ in range(150)]
    for start in range(0, 150, 10):
        await asyncio.gather(*(lab.start("lp_withdrawal", one) for one in opened[start : start + 10]))
    for one in opened:
        await lab.decided(one.subject_id)
    position = await lab.position(asset, account)
    assert position["instant_micros"] == 250 * USDC
    assert position["withdrawn_micros"] == 250 * USDC
    assert await lab.available(account) == 250 * USDC
    await lab.check_all()


async def test_d6_vesting_is_counted_per_contribution(lab: Lab) -> None:
    """An old cent and a fresh fortune: the fortune has not vested (D6)."""
    asset, account = await lab.provider((1 * USDC, 181), (10_000 * USDC, 0))
    row = await lab.decided(await lab.withdraw(asset, account, 1 * USDC + 1))
    assert row["refuse_code"] == "not_vested"
    row = await lab.decided(await lab.withdraw(asset, account, 1 * USDC))
    assert (row["status"], row["paid_micros"]) == ("queued", USDC // 4)


async def test_everything_may_leave_half_a_year_later(env: WorkflowEnvironment, lab: Lab) -> None:
    """A pool of ten cents, so that a tenth is the floor and ten days suffice: nothing stays behind."""
    asset, account = await lab.provider((USDC // 10, 180))
    withdrawal = await lab.withdraw(asset, account, USDC // 10)
    assert (await lab.decided(withdrawal))["status"] == "queued"
    await env.fast_forward(lab.client.get_workflow_handle(ids.lp_withdrawal(withdrawal)))
    assert (await lab.withdrawal_row(withdrawal))["status"] == "paid"
    assert await lab.principal(asset) == 0
    assert (await lab.position(asset, account))["shares_micros"] == 0
    await lab.check_all()


@pytest.mark.parametrize(("days", "vested"), [(6.99, 0), (7, 25), (30, 50), (89.9, 50), (90, 75), (180, 100)])
async def test_the_vesting_table_decides_in_the_books_too(lab: Lab, days: float, vested: int) -> None:
    """By the workflow's clock, 180 days ahead of the database's."""
    asset, account = await lab.provider((100 * USDC, 0))
    store = LpStore(lab.parts.books, lab.settings.lp_policy())
    moment = datetime.now(UTC) + timedelta(days=days)
    over = await store.check((await lab.ask(asset, account, vested * USDC + 1)).subject_id, moment)
    assert (over.status, over.code) == ("refused", "not_vested")
    if vested:
        within = await store.check((await lab.ask(asset, account, vested * USDC)).subject_id, moment)
        assert within.status == "queued"
        assert (await lab.position(asset, account))["instant_micros"] == min(vested * USDC // 4, 10 * USDC)


async def test_d8_parallel_instant_withdrawals_do_not_pass_the_limits(lab: Lab) -> None:
    """Eight at once at a limit of 25 (D8), and eight providers at once against the pool's tenth."""
    asset, account = await lab.provider((100 * USDC, 200))
    for _ in range(9):
        await lab.provider((100 * USDC, 200), asset=asset)
    opened = [await lab.ask(asset, account, 10 * USDC) for _ in range(8)]
    await asyncio.gather(*(lab.start("lp_withdrawal", one) for one in opened))
    for one in opened:
        await lab.decided(one.subject_id)
    assert (await lab.position(asset, account))["instant_micros"] == 25 * USDC
    pool, _ = await lab.provider((100 * USDC, 200))
    others = [(await lab.provider((100 * USDC, 200), asset=pool))[1] for _ in range(8)]
    asked = [await lab.ask(pool, other, 20 * USDC) for other in others]
    await asyncio.gather(*(lab.start("lp_withdrawal", one) for one in asked))
    for one in asked:
        await lab.decided(one.subject_id)
    assert await lab.principal(pool) == 810 * USDC
    await lab.check_all()


async def test_the_rest_can_be_given_up_and_the_next_one_moves_on(env: WorkflowEnvironment, lab: Lab) -> None:
    asset, first = await lab.provider((1_000 * USDC, 200))
    _, second = await lab.provider((1_000 * USDC, 200), asset=asset)
    big, small = await lab.withdraw(asset, first, 900 * USDC), ""
    await lab.decided(big)
    small = await lab.withdraw(asset, second, 10 * USDC)
    await lab.decided(small)
    assert (await lab.give_up(big)).status == "cancelled"
    row = await lab.withdrawal_row(big)
    assert (row["status"], row["paid_micros"]) == ("cancelled", 200 * USDC)
    assert (await lab.operation(big))["status"] == "cancelled"
    await skip(env, lab, small, 24.1)
    await lab.decided(small, "paid")
    with pytest.raises(Rejected, match=r"not_cancellable|conflict"):
        await lab.give_up(small)
    again = await lab.decided(await lab.withdraw(asset, first, 700 * USDC))
    assert again["status"] == "queued"
    await lab.check_all()


async def test_nothing_leaves_a_pool_that_is_funding(lab: Lab) -> None:
    asset, account = await lab.provider((100 * USDC, 8))
    await lab.rows("UPDATE exchange.assets SET status = 'funding' WHERE id = %s", asset)
    row = await lab.decided(await lab.withdraw(asset, account, 1 * USDC))
    assert row["refuse_code"] == "asset_not_active"


async def test_d7_parallel_claims_pay_once(lab: Lab) -> None:
    """Eight at once: one is paid all of it, seven find nothing (D7). Fees never vest."""
    asset, account = await lab.provider((100 * USDC, 0))
    await lab.earn(asset, 100 * USDC)
    claims = [await lab.claim(asset, account) for _ in range(8)]
    handles = await asyncio.gather(*(lab.start("lp_fee_claim", one) for one in claims))
    done = [await handle.result() for handle in handles]
    assert sorted(result.status for result in done) == ["paid"] + ["refused"] * 7
    assert {result.code for result in done} == {None, "nothing_to_claim"}
    assert await lab.available(account) == 100 * USDC
    assert (await lab.position(asset, account))["fees_claimed_micros"] == 100 * USDC
    await lab.check_all()


async def test_fees_follow_the_shares_as_they_were(lab: Lab) -> None:
    """Half of the pool leaves between two earnings: each is shared by what was there when it was earned."""
    asset, leaver = await lab.provider((100 * USDC, 200))
    _, stayer = await lab.provider((100 * USDC, 200), asset=asset)
    await lab.earn(asset, 10 * USDC)
    await lab.decided(await lab.withdraw(asset, leaver, 20 * USDC), "paid")
    await lab.earn(asset, 18 * USDC)
    paid = []
    for account in (leaver, stayer):
        before = await lab.available(account)
        await (await lab.start("lp_fee_claim", await lab.claim(asset, account))).result()
        paid.append(await lab.available(account) - before)
    assert paid == [5 * USDC + 8 * USDC, 5 * USDC + 10 * USDC]
    assert await trader(lab.dsn) != leaver
    await lab.check_all()
