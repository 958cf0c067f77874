"""What custody upkeep tells operators, and when an alert ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest_asyncio

from domain.exchange.messages import WatchChain
from domain.shared import ids
from tests.world import CHAIN_ID, USDC, World
from workflows.singletons import ensure

WATCH = WatchChain(chain_id=CHAIN_ID)


@pytest_asyncio.fixture(loop_scope="session")
async def world(new_database: Callable[[], Awaitable[str]], tmp_path: Path) -> AsyncIterator[World]:
    limits = {"deposit_overdue_s": 1, "withdrawal_platform_daily_micros": 50 * USDC}
    async with World.open(await new_database(), tmp_path, **limits) as opened:
        yield opened


async def _upkeep(world: World) -> None:
    await world.client.execute_workflow("CustodyUpkeep", WATCH, id="upkeep", task_queue="exchange")


async def _stop_waking(world: World) -> None:
    """The head watcher dies, and its activity hears of it with the next heartbeat."""
    await world.client.get_workflow_handle(ids.head_watcher(CHAIN_ID)).terminate("nobody wakes deposits any more")
    await asyncio.sleep(4)


async def _open(world: World, code: str) -> list[str]:
    rows = await world.rows("SELECT subject FROM platform.alerts WHERE code = %s AND resolved_at IS NULL", code)
    return sorted(row["subject"] for row in rows)


async def test_a_deposit_that_is_not_credited_in_time_calls_an_operator_until_it_is(world: World) -> None:
    account = await world.account()
    address = await world.address(account)
    dust = await world.mint(address, USDC // 2)
    await world.mine(13)
    await world.until(lambda: world.deposit(dust), lambda row: row["reason"] == "below_minimum")
    await _stop_waking(world)
    late = await world.mint(await world.address(await world.account()), 3 * USDC)
    await world.mine(13)
    fresh = await world.mint(await world.address(await world.account()), 4 * USDC)
    await world.settled()
    await asyncio.sleep(1)

    await _upkeep(world)
    await _upkeep(world)
    stuck = await world.deposit(late)
    assert await _open(world, "stuck_deposit") == [stuck["id"]], "dust waits by design, a fresh one for its blocks"
    alert = await world.row("SELECT detail, severity FROM platform.alerts WHERE code = 'stuck_deposit'")
    assert late in alert["detail"]
    assert "3 USDC" in alert["detail"]

    await ensure(world.client, CHAIN_ID, [], ["exchange"])
    await world.deposit_status(late, "credited")
    assert await _open(world, "stuck_deposit") == [], "the credit ends it"
    await world.mine(13)
    await world.deposit_status(fresh, "credited")
    await _upkeep(world)
    assert await _open(world, "stuck_deposit") == []


async def test_an_overdue_deposit_that_left_the_chain_is_not_overdue_any_more(world: World) -> None:
    await _stop_waking(world)
    tx_hash = await world.mint(await world.address(await world.account()), 3 * USDC)
    await world.mine(13)
    await world.settled()
    await asyncio.sleep(1)
    await _upkeep(world)
    assert len(await _open(world, "stuck_deposit")) == 1
    await world.rpc("anvil_reorg", 14, [])
    await world.deposit_status(tx_hash, "orphaned")
    await _upkeep(world)
    assert await _open(world, "stuck_deposit") == []


async def test_hot_wallet_low_ends_at_the_upkeep_that_sees_the_money(world: World) -> None:
    account = await world.funded(20 * USDC)
    withdrawal = await world.request_withdrawal(account, 10 * USDC)
    await world.until(lambda: world.withdrawal(withdrawal), lambda row: row["reason"] == "hot_wallet_low")
    assert await _open(world, "hot_wallet_low") == ["hot"]
    await _upkeep(world)
    assert await _open(world, "hot_wallet_low") == ["hot"], "the withdrawal still waits, whatever the floor is"
    detail = await world.row("SELECT detail FROM platform.alerts WHERE code = 'hot_wallet_low'")
    assert detail["detail"] == "hot wallet holds 0 USDC, 10 USDC wait to be paid"
    async with world.mining():
        await world.withdrawal_status(withdrawal, "settled")
    assert await _open(world, "hot_wallet_low") == ["hot"]
    await _upkeep(world)
    assert await _open(world, "hot_wallet_low") == []


async def test_operators_hear_of_the_platforms_limit_before_users_do(world: World) -> None:
    account = await world.funded(60 * USDC)
    first = await world.request_withdrawal(account, 39 * USDC)
    await world.withdrawal_status(first, "approved")
    await _upkeep(world)
    assert await _open(world, "platform_daily_limit") == []
    second = await world.request_withdrawal(account, 1 * USDC)
    await world.withdrawal_status(second, "approved")
    await _upkeep(world)
    assert await _open(world, "platform_daily_limit") == [""], "four fifths are used"
    await world.cancel(second)
    await _upkeep(world)
    assert await _open(world, "platform_daily_limit") == []
