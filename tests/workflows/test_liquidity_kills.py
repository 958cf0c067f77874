"""SIGKILL in the middle: of deciding contributions, of ten thousand refunds, of payouts. One effect each time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest_asyncio

from localnet.running import RunningTemporal, running_temporal
from tests.liquidity_lab import USDC, Lab, open_lab, worker_process
from workflows import client as temporal

CROWD = 10_000


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: Any) -> AsyncIterator[RunningTemporal]:
    directory: Path = tmp_path_factory.mktemp("liquidity-kills")
    async with running_temporal(directory / "temporal") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def lab(server: RunningTemporal, new_database: Callable[[], Awaitable[str]]) -> AsyncIterator[Lab]:
    client = await temporal.connect(server.address, "default")
    async with open_lab(await new_database(), client) as opened:
        yield opened


async def count(lab: Lab, asset: str, status: str) -> int:
    return (await lab.contributions(asset)).get(status, 0)


async def test_ten_thousand_contributors_are_refunded_once_although_workers_die(
    lab: Lab, server: RunningTemporal
) -> None:
    asset = await lab.round(soft_cap=CROWD * USDC, hard_cap=2 * CROWD * USDC)
    await lab.crowd(asset, CROWD, USDC // 2)
    began = time.monotonic()
    handle = await lab.start_round(asset)
    async with worker_process(lab.dsn, server.address) as child:
        await lab.until(lambda: count(lab, asset, "accepted"), lambda n: n >= 2_000)
        child.kill()
    async with worker_process(lab.dsn, server.address) as child:
        await lab.until(lambda: count(lab, asset, "accepted"), lambda n: n == CROWD)
        accepted = time.monotonic()
        assert await lab.principal(asset) == CROWD * USDC // 2
        await lab.cancel_round(asset)
        await lab.until(lambda: count(lab, asset, "refunded"), lambda n: n >= 3_000)
        child.kill()
    async with worker_process(lab.dsn, server.address):
        await asyncio.wait_for(handle.result(), 200)
    refunded = time.monotonic()
    print(f"{CROWD} contributions decided in {accepted - began:.1f} s, refunded in {refunded - accepted:.1f} s")
    assert await lab.contributions(asset) == {"refunded": CROWD}
    assert await lab.principal(asset) == 0
    once = "SELECT kind, count(*) AS n, count(DISTINCT key) AS keys FROM platform.transfers GROUP BY kind ORDER BY kind"
    assert [tuple(row.values()) for row in await lab.rows(once)][:2] == [
        ("contribution", CROWD, CROWD),
        ("contribution_refund", CROWD, CROWD),
    ]
    short = "SELECT count(*) AS n FROM platform.balances WHERE account LIKE 'users:%%' AND balance <> %s"
    assert await lab.row(short, USDC // 2) == {"n": 0}
    await lab.check_all()


async def test_payouts_and_claims_survive_the_kill(lab: Lab, server: RunningTemporal) -> None:
    """Eight requests and a claim under way, the worker killed again and again: each part is paid once."""
    asset, first = await lab.provider((1_000 * USDC, 200))
    accounts = [first] + [(await lab.provider((1_000 * USDC, 200), asset=asset))[1] for _ in range(7)]
    await lab.earn(asset, 80 * USDC)
    opened = [await lab.ask(asset, account, 300 * USDC) for account in accounts]
    claims = [await lab.claim(asset, account) for account in accounts]
    for one in opened:
        await lab.start("lp_withdrawal", one)
    for one in claims:
        await lab.start("lp_fee_claim", one)
    for delay in (0.0, 0.1, 0.3):
        async with worker_process(lab.dsn, server.address) as child:
            await asyncio.sleep(delay)
            child.kill()
    async with worker_process(lab.dsn, server.address):
        for one in opened:
            await lab.decided(one.subject_id)
        done = "SELECT count(*) AS n FROM exchange.lp_fee_claims WHERE status = 'paid'"
        await lab.until(lambda: lab.row(done), lambda row: row["n"] == 8)
    paid = await lab.row("SELECT sum(amount_micros)::bigint AS micros FROM exchange.lp_payouts")
    assert paid == {"micros": 800 * USDC}
    assert await lab.principal(asset) == 7_200 * USDC
    assert sum([await lab.available(account) for account in accounts]) == 880 * USDC
    await lab.check_all()
