"""Funding rounds: caps, activation, the deadline, refunds; each contribution is decided once and refunded once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
import pytest_asyncio
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from domain.exchange.liquidity_messages import ContributionState
from domain.shared import ids
from domain.shared.errors import Rejected, Unavailable
from domain.shared.processes import RetryProcess
from localnet.temporal import binary
from tests.liquidity_lab import USDC, Lab, give, open_lab, trader
from tests.world.skipping import skipping_temporal
from workflows import search


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env() -> AsyncIterator[WorkflowEnvironment]:
    async with skipping_temporal(by_itself=False) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lab(env: WorkflowEnvironment, new_database: Callable[[], Awaitable[str]]) -> AsyncIterator[Lab]:
    async with open_lab(await new_database(), env.client) as opened, opened.worker():
        yield opened


async def test_the_soft_cap_activates_in_the_same_transaction(lab: Lab) -> None:
    asset = await lab.round()
    handle = await lab.start_round(asset)
    alice, bob = [await trader(lab.dsn, 200 * USDC) for _ in range(2)]
    assert (await lab.contribute(asset, alice, 60 * USDC)).status == "accepted"
    assert (await lab.asset(asset))["status"] == "funding"
    assert (await lab.contribute(asset, bob, 40 * USDC)).status == "accepted"
    row = await lab.asset(asset)
    assert (row["status"], row["lp_shares_micros"]) == ("active", 100 * USDC)
    assert row["activated_at"] is not None
    assert (await handle.result()).status == "active"
    assert await lab.principal(asset) == 100 * USDC
    assert await lab.available(alice) == 140 * USDC
    operation = await lab.operation(asset)
    assert operation["status"] == "completed"
    events = await lab.rows(
        "SELECT type FROM platform.outbox WHERE topic = 'assets' AND payload->>'asset_id' = %s", asset
    )
    assert [event["type"] for event in events] == ["activated"]
    await lab.check_all()


async def test_after_activation_a_contribution_is_refused(lab: Lab) -> None:
    asset = await lab.round()
    handle = await lab.start_round(asset)
    account = await trader(lab.dsn, 500 * USDC)
    await lab.contribute(asset, account, 100 * USDC)
    await handle.result()
    with pytest.raises(Rejected):
        await lab.contribute(asset, account, 10 * USDC)
    await lab.client.execute_workflow("LiquidityUpkeep", id=f"upkeep:{asset}", task_queue="exchange")
    assert await lab.contributions(asset) == {"accepted": 1, "refused": 1}
    assert await lab.available(account) == 400 * USDC


async def test_the_hard_cap_and_the_balance_refuse_whole(lab: Lab) -> None:
    asset = await lab.round(soft_cap=1_000 * USDC)
    await lab.start_round(asset)
    rich, poor = await trader(lab.dsn, 5_000 * USDC), await trader(lab.dsn, 5 * USDC)
    over = await lab.contribute(asset, rich, 1_001 * USDC)
    assert (over.status, over.code) == ("refused", "hard_cap_exceeded")
    short = await lab.contribute(asset, poor, 6 * USDC)
    assert (short.status, short.code) == ("refused", "insufficient_funds")
    assert (await lab.contribute(asset, rich, 1_000 * USDC)).status == "accepted"
    assert (await lab.asset(asset))["status"] == "active"


async def test_repeated_updates_decide_once(lab: Lab) -> None:
    asset = await lab.round()
    await lab.start_round(asset)
    account = await trader(lab.dsn, 50 * USDC)
    request = await lab.request(asset, account, 10 * USDC)
    answers = await asyncio.gather(*(lab.push(asset, request) for _ in range(5)))
    assert {answer.status for answer in answers} == {"accepted"}
    assert await lab.available(account) == 40 * USDC
    with pytest.raises(Rejected, match="not_found"):
        await lab.push(asset, asset)


async def test_d9_the_deadline_cancels_and_refunds_everything(env: WorkflowEnvironment, lab: Lab) -> None:
    """72 hours without the soft cap: every micro goes back, once; what comes later is refused (D9)."""
    asset = await lab.round(deadline_in_s=72 * 3600)
    handle = await lab.start_round(asset)
    alice, bob = [await trader(lab.dsn, 50 * USDC) for _ in range(2)]
    await lab.contribute(asset, alice, 30 * USDC)
    await lab.contribute(asset, alice, 12 * USDC + 1)
    await lab.contribute(asset, bob, 20 * USDC)
    await env.fast_forward(handle, timedelta(hours=71))
    assert (await lab.contribute(asset, bob, 1 * USDC)).status == "accepted"
    assert (await lab.asset(asset))["status"] == "funding"
    await env.fast_forward(handle, timedelta(hours=1))
    assert (await handle.result()).status == "cancelled"
    assert await lab.contributions(asset) == {"refunded": 4}
    assert [await lab.available(a) for a in (alice, bob)] == [50 * USDC, 50 * USDC]
    assert await lab.principal(asset) == 0
    row = await lab.asset(asset)
    assert (row["status"], row["lp_shares_micros"]) == ("cancelled", 0)
    assert (await lab.operation(asset))["status"] == "cancelled"
    with pytest.raises(Rejected):
        await lab.contribute(asset, alice, 1 * USDC)
    await lab.check_all()


async def test_d9_a_contribution_after_the_deadline_is_refused_even_before_the_round_has_noticed(lab: Lab) -> None:
    """The worker was away: the deadline counts, not the moment at which somebody looks (D9)."""
    asset = await lab.round(deadline_in_s=3_600)
    account = await trader(lab.dsn, 50 * USDC)
    request = await lab.request(asset, account, 10 * USDC)
    await lab.rows("UPDATE exchange.assets SET funding_deadline = clock_timestamp() WHERE id = %s", asset)
    handle = await lab.start_round(asset)
    assert (await handle.result()).status == "cancelled"
    row = await lab.row("SELECT status::text AS status, refuse_code FROM exchange.contributions WHERE id = %s", request)
    assert row == {"status": "refused", "refuse_code": "funding_closed"}
    assert await lab.available(account) == 50 * USDC


async def test_contributions_that_race_the_deadline_are_never_both_accepted_and_kept(lab: Lab) -> None:
    accounts = [await trader(lab.dsn, 10 * USDC) for _ in range(12)]
    asset = await lab.round(soft_cap=900 * USDC, deadline_in_s=2)
    handle = await lab.start_round(asset)
    refusals: list[str] = []

    async def one(number: int, account: str) -> None:
        await asyncio.sleep(1.2 + number * 0.15)
        try:
            await lab.contribute(asset, account, 10 * USDC)
        except Rejected as refusal:
            refusals.append(refusal.code)

    await asyncio.gather(*(one(n, a) for n, a in enumerate(accounts)))
    assert set(refusals) <= {"funding_closed", "conflict"}
    assert (await handle.result()).status == "cancelled"
    await lab.client.execute_workflow("LiquidityUpkeep", id=f"upkeep:{asset}", task_queue="exchange")
    found = await lab.contributions(asset)
    assert set(found) <= {"refunded", "refused"}
    assert sum(found.values()) == 12
    assert [await lab.available(a) for a in accounts] == [10 * USDC] * 12
    await lab.check_all()


async def test_d10_money_that_is_not_principal_does_not_activate(lab: Lab) -> None:
    """What lies in the asset's other buckets does not count toward the soft cap, and the hard cap holds (D10)."""
    asset = await lab.round(soft_cap=100 * USDC, hard_cap=250 * USDC)
    await lab.start_round(asset)
    account = await trader(lab.dsn, 9_000 * USDC)
    await lab.other_money(asset, 2_500 * USDC)
    await lab.contribute(asset, account, 80 * USDC)
    assert (await lab.asset(asset))["status"] == "funding"
    assert (await lab.contribute(asset, account, 171 * USDC)).code == "hard_cap_exceeded"
    assert (await lab.contribute(asset, account, 20 * USDC)).status == "accepted"
    row = await lab.asset(asset)
    assert (row["status"], row["lp_shares_micros"]) == ("active", 100 * USDC)


async def test_an_operator_cancels_and_everybody_is_refunded(lab: Lab) -> None:
    asset = await lab.round()
    handle = await lab.start_round(asset)
    account = await trader(lab.dsn, 50 * USDC)
    await lab.contribute(asset, account, 30 * USDC)
    assert (await lab.cancel_round(asset)).status == "cancelled"
    assert (await handle.result()).status == "cancelled"
    assert await lab.available(account) == 50 * USDC
    audit = await lab.row(
        "SELECT principal FROM platform.audit_log WHERE action = 'funding_cancelled' AND subject = %s", asset
    )
    assert audit["principal"] == "operator"


async def test_requests_of_a_dead_api_process_are_picked_up(lab: Lab) -> None:
    """Written, never handed over: the round takes them at its start, with the next one, or when upkeep comes by."""
    asset = await lab.round(soft_cap=900 * USDC)
    account = await trader(lab.dsn, 100 * USDC)
    early = await lab.request(asset, account, 10 * USDC)
    await lab.start_round(asset)
    await lab.until(lambda: lab.contributions(asset), lambda found: found == {"accepted": 1})
    between = await lab.request(asset, account, 10 * USDC)
    await lab.contribute(asset, account, 10 * USDC)
    assert await lab.contributions(asset) == {"accepted": 3}
    await lab.request(asset, account, 10 * USDC)
    await lab.rows("UPDATE exchange.contributions SET created_at = created_at - interval '1 minute'")
    done = await lab.client.execute_workflow("LiquidityUpkeep", id=f"upkeep:{asset}", task_queue="exchange")
    assert done["pushed"] == 1
    assert await lab.contributions(asset) == {"accepted": 4}
    assert early < between
    assert await lab.available(account) == 60 * USDC


async def test_a_refund_that_cannot_be_booked_parks_and_holds_up_nobody(lab: Lab) -> None:
    asset = await lab.round()
    handle = await lab.start_round(asset)
    accounts = [await trader(lab.dsn, 5 * USDC) for _ in range(7)]
    for account in accounts:
        await lab.contribute(asset, account, 5 * USDC)
    broken = await lab.row(
        "SELECT id FROM exchange.contributions WHERE asset_id = %s AND account_id = %s", asset, accounts[3]
    )
    await give(lab.dsn, accounts[3], 1)
    await lab.book_key(f"contribution:{broken['id']}:refund", accounts[3])
    await lab.cancel_round(asset)
    await lab.until(lambda: lab.operation(asset), lambda row: row["failure_code"] == "funding_refund_stuck")
    assert await lab.contributions(asset) == {"accepted": 1, "refunded": 6}
    assert await lab.principal(asset) == 5 * USDC
    await lab.forget_key(f"contribution:{broken['id']}:refund")
    assert await lab.parts.processes.signal(handle.id, "retry", RetryProcess(cause="test"))
    assert (await handle.result()).status == "cancelled"
    assert await lab.contributions(asset) == {"refunded": 7}
    assert await lab.principal(asset) == 0


async def test_a_contribution_that_cannot_be_booked_parks_the_round(lab: Lab) -> None:
    """The books are against it: an operator is called, nothing is lost, and `retry` goes on."""
    asset = await lab.round()
    await lab.start_round(asset)
    account = await trader(lab.dsn, 50 * USDC)
    request = await lab.request(asset, account, 20 * USDC)
    await lab.book_key(f"contribution:{request}", account)
    with pytest.raises(Rejected, match="ledger_mismatch"):
        await lab.push(asset, request)
    await lab.until(lambda: lab.operation(asset), lambda row: row["failure_code"] == "ledger_mismatch")
    await lab.forget_key(f"contribution:{request}")
    process = ids.funding_round(asset)
    assert await lab.parts.processes.signal(process, "retry", RetryProcess(cause="test"))
    await lab.until(lambda: lab.contributions(asset), lambda found: found == {"accepted": 1})
    assert (await lab.contribute(asset, account, 1 * USDC)).status == "accepted"
    open_alerts = "SELECT 1 FROM platform.alerts WHERE subject = %s AND resolved_at IS NULL"
    await lab.until(lambda: lab.rows(open_alerts, process), lambda found: not found)


async def test_a_long_round_continues_as_new_and_decides_nothing_twice(database: str) -> None:
    async with (
        await WorkflowEnvironment.start_local(
            dev_server_existing_path=str(binary()),
            data_converter=pydantic_data_converter,
            search_attributes=list(search.ALL),
            dev_server_extra_args=["--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=60"],
        ) as env,
        open_lab(database, env.client) as lab,
        lab.worker(),
    ):
        asset = await lab.round(soft_cap=900 * USDC)
        handle = await lab.start_round(asset)
        first = (await handle.describe()).run_id
        account = await trader(lab.dsn, 500 * USDC)
        requests = [await lab.request(asset, account, USDC) for _ in range(40)]

        async def decided(request: str) -> ContributionState:
            while True:
                try:
                    return await lab.push(asset, request)
                except (Rejected, Unavailable) as refusal:
                    if refusal.code not in ("unavailable", "conflict", "temporal_unavailable"):
                        raise
                    await asyncio.sleep(0.05)

        for start in range(0, 40, 5):
            answers = await asyncio.gather(*(decided(request) for request in requests[start : start + 5]))
            assert {answer.status for answer in answers} == {"accepted"}
        assert (await handle.describe()).run_id != first
        assert {(await decided(request)).status for request in requests} == {"accepted"}
        assert await lab.available(account) == 460 * USDC
        await lab.check_all()
