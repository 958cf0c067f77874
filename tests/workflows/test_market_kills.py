"""SIGKILL of the worker that runs an engine, while orders come in: another one goes on, nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from domain.shared.money import USDC_ONE
from localnet.running import RunningTemporal, running_temporal
from storage.database import make_pool
from storage.reads.market_log import differences
from tests.market_lab import EngineLab, engine_lab
from tests.world.assets import funded_asset, trader


@pytest_asyncio.fixture(loop_scope="session")
async def temporal(tmp_path: Path) -> AsyncIterator[RunningTemporal]:
    async with running_temporal(tmp_path / "temporal") as server:
        yield server


async def verdict(lab: EngineLab, trade_id: str) -> float:
    """How long it took until the order had its verdict."""
    started = time.monotonic()
    await lab.until(lambda: lab.trade(trade_id), lambda row: row["status"] != "pending", every=0.01)
    return time.monotonic() - started


async def test_an_engine_is_taken_over_when_its_worker_is_killed(
    database: str, temporal: RunningTemporal, capsys: pytest.CaptureFixture[str]
) -> None:
    async with engine_lab(database, temporal.address) as lab:
        asset, buyer = await funded_asset(database), await trader(database, 10_000 * USDC_ONE)
        await verdict(lab, await lab.buy(asset, buyer, USDC_ONE))
        placed = 0
        trading = True

        async def trade() -> None:
            nonlocal placed
            while trading:
                await lab.buy(asset, buyer, USDC_ONE)
                placed += 1

        orders = asyncio.create_task(trade())
        await asyncio.sleep(0.5)
        await lab.kill(await lab.worker_of(0))
        took = await verdict(lab, await lab.buy(asset, buyer, USDC_ONE))
        with capsys.disabled():
            print(f" [verdicts again {took:.2f} s after the kill]")
        trading = False
        await orders
        waiting = "SELECT 1 FROM exchange.trades WHERE status = 'pending'"
        await lab.until(lambda: lab.rows(waiting), lambda rows: not rows)
        assert await lab.available(buyer) == (10_000 - placed - 2) * USDC_ONE
        await sound(lab, asset)


async def test_the_only_worker_is_killed_and_the_next_one_carries_out_what_waited(
    database: str, temporal: RunningTemporal
) -> None:
    async with engine_lab(database, temporal.address, engines=2, workers=1) as lab:
        assets = [await funded_asset(database, shard=shard) for shard in (0, 1)]
        buyer = await trader(database, 1_000 * USDC_ONE)
        for asset in assets:
            await verdict(lab, await lab.buy(asset, buyer, USDC_ONE))
        await lab.kill(await lab.worker_of(0))
        ids = [await lab.buy(asset, buyer, USDC_ONE) for _ in range(20) for asset in assets]
        await asyncio.sleep(1)
        assert {(await lab.trade(trade_id))["status"] for trade_id in ids} == {"pending"}
        await lab.start_worker()
        for trade_id in ids:
            await verdict(lab, trade_id)
        assert await lab.available(buyer) == 958 * USDC_ONE
        for asset in assets:
            await sound(lab, asset)


async def sound(lab: EngineLab, asset: str) -> None:
    assert await lab.broken_rules() == {}
    async with make_pool(lab.dsn, size=1, name="test-replay") as pool:
        assert await differences(pool, asset) == []
