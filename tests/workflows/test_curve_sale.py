"""CurveSale against a real Solana, Temporal and Postgres: every end a sale can have, also when workers die."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest_asyncio

from domain.shared import ids
from domain.shared.processes import RetryProcess
from localnet.running import RunningTemporal, running_temporal
from tests.sale_lab import MILLION
from tests.sale_world import SaleWorld, sale_world
from tests.svm_lab import SOL


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: Any) -> AsyncIterator[RunningTemporal]:
    directory: Path = tmp_path_factory.mktemp("sales")
    async with running_temporal(directory / "temporal") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def world(
    server: RunningTemporal, new_database: Callable[[], Awaitable[str]], tmp_path: Path
) -> AsyncIterator[SaleWorld]:
    async with sale_world(await new_database(), server.address, tmp_path) as opened:
        await opened.start_worker()
        await opened.follow()
        yield opened


async def test_below_the_soft_cap_every_buyer_gets_everything_back(world: SaleWorld) -> None:
    keys, opened = await world.sale(seconds=600)
    await world.reaches(opened, "active")
    buyers = [await world.person() for _ in range(13)]
    paid = {}
    for number, buyer in enumerate(buyers):
        await world.desk.buy(keys, buyer, MILLION + number)
        position = await world.desk.position(keys, str(buyer.pubkey()))
        assert position is not None
        paid[buyer] = position.paid + position.tax
    before = {buyer: await world.lamports(str(buyer.pubkey())) for buyer in buyers}
    await world.later(700)
    row = await world.reaches(opened, "completed")
    assert (row["status"], row["project"]) == ("refunded", "ended")
    for buyer in buyers:
        back = await world.lamports(str(buyer.pubkey())) - before[buyer]
        assert back >= paid[buyer], "cost, tax and the position's rent"
        assert await world.desk.position(keys, str(buyer.pubkey())) is None
    assert (await world.desk.state(keys)).reclaimed
    refunds = [row for row in await world.signatures(keys.address) if row["err"] is None]
    assert len(refunds) == 2 + 13 + 2 + 1, "mint, create, buys, two batches of refunds, reclaim"
    await world.until(lambda: world.row(opened), lambda row: row["held"] == row["sold"] == 0)
    told = await world.rows("SELECT wallet, refunded_lamports FROM launchpad.sale_positions")
    assert {row["wallet"]: row["refunded_lamports"] for row in told} == {
        str(buyer.pubkey()): value for buyer, value in paid.items()
    }


async def test_the_hard_cap_ends_in_a_pool(world: SaleWorld) -> None:
    keys, opened = await world.sale()
    buyer = await world.person(200 * SOL)
    await world.desk.buy(keys, buyer, 400 * MILLION)
    row = await world.reaches(opened, "completed")
    state = await world.desk.state(keys)
    assert (row["status"], row["project"]) == ("graduated", "ended")
    assert row["pool_address"] == world.desk.program.addresses.pool(keys.address)
    row = await world.until(lambda: world.row(opened), lambda row: row["graduated_at"] is not None)
    assert state.pooled_lamports == row["raised_lamports"] * 7 // 10
    assert state.other_due == 0, "ecosystem and reserve went to their owner"


async def test_a_latched_sale_that_ends_graduates_too(world: SaleWorld) -> None:
    keys, opened = await world.sale(seconds=600)
    await world.desk.buy(keys, await world.person(), 100 * MILLION)
    await world.later(700)
    row = await world.reaches(opened, "completed")
    assert row["status"] == "graduated"


async def test_a_cancelled_sale_is_over(world: SaleWorld) -> None:
    keys, opened = await world.sale()
    await world.reaches(opened, "active")
    await world.desk.send(world.creator, world.desk.program.cancel_sale(keys))
    row = await world.reaches(opened, "completed")
    assert (row["status"], row["project"]) == ("cancelled", "ended")


async def test_workers_that_die_refund_nobody_twice_and_nobody_never(world: SaleWorld) -> None:
    keys, opened = await world.sale(seconds=600)
    buyers = [await world.person() for _ in range(12)]
    for number, buyer in enumerate(buyers):
        await world.desk.buy(keys, buyer, MILLION + number)
    await world.later(700)
    for pause in (0.3, 0.9, 1.5, 2.5):
        await asyncio.sleep(pause)
        await world.kill()
        await world.start_worker()
    await world.reaches(opened, "completed", 120)
    for buyer in buyers:
        assert await world.desk.position(keys, str(buyer.pubkey())) is None
    told = await world.until(
        lambda: world.rows("SELECT wallet FROM launchpad.sale_events WHERE kind = 'Refunded'"),
        lambda rows: len(rows) >= 12,
    )
    assert sorted(row["wallet"] for row in told) == sorted(str(buyer.pubkey()) for buyer in buyers)


async def test_a_buyer_who_cannot_be_paid_parks_himself_and_nobody_else(world: SaleWorld) -> None:
    keys, opened = await world.sale(seconds=600)
    buyers = [await world.person() for _ in range(3)]
    for number, buyer in enumerate(buyers):
        await world.desk.buy(keys, buyer, MILLION + number)
    odd, *others = buyers
    await world.burden(odd)
    await world.later(700)
    row = await world.reaches(opened, "needs_operator")
    assert row["failure_code"] == "refund_stuck"
    assert str(odd.pubkey()) in row["summary"]
    for buyer in others:
        assert await world.desk.position(keys, str(buyer.pubkey())) is None
    assert await world.desk.position(keys, str(odd.pubkey())) is not None
    [alert] = await world.rows("SELECT code FROM platform.alerts WHERE resolved_at IS NULL")
    assert alert["code"] == "refund_stuck"
    await world.relieve(odd)
    assert await world.processes.signal(ids.curve_sale(row["project_id"]), "retry", RetryProcess(cause="test"))
    row = await world.reaches(opened, "completed")
    assert row["status"] == "refunded"
    assert await world.lamports(str(odd.pubkey())) > SOL
    assert not await world.rows("SELECT 1 FROM platform.alerts WHERE resolved_at IS NULL")


async def test_a_graduation_that_the_chain_refuses_waits_for_an_operator(world: SaleWorld) -> None:
    keys, opened = await world.sale()
    await world.reaches(opened, "active")
    await world.node.control("account", key=world.platform, lamports=50_000_000)
    await world.desk.buy(keys, await world.person(200 * SOL), 400 * MILLION)
    row = await world.reaches(opened, "needs_operator")
    assert row["failure_code"] == "graduation_stuck"
    await world.node.control("account", key=world.platform, lamports=100 * SOL)
    assert await world.processes.signal(ids.curve_sale(row["project_id"]), "retry", RetryProcess(cause="test"))
    row = await world.reaches(opened, "completed")
    assert row["status"] == "graduated"
