"""The chain trigger under its workflow: killed workers lose and double nothing, and the next one begins at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest_asyncio

from domain.copytrade.chain_messages import FollowPolygon
from domain.shared import ids
from domain.shared.processes import COPYTRADE
from localnet.polymarket.chain_node import CHAIN_ID
from localnet.running import RunningTemporal, running_temporal
from tests.polygon_lab import PolygonLab, polygon_lab, worker_process
from workflows import client as temporal


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: Any) -> AsyncIterator[RunningTemporal]:
    directory: Path = tmp_path_factory.mktemp("chain-trigger")
    async with running_temporal(directory / "temporal") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def lab(new_database: Callable[[], Awaitable[str]], tmp_path: Path) -> AsyncIterator[PolygonLab]:
    async with polygon_lab(await new_database(), tmp_path) as opened:
        yield opened


async def test_killed_workers_lose_and_double_no_log(lab: PolygonLab, server: RunningTemporal) -> None:
    leaders = [await lab.follow(f"leader {number}") for number in range(3)]
    client = await temporal.connect(server.address, "default")
    follow = FollowPolygon(chain_id=CHAIN_ID)
    handle = await client.start_workflow("ChainTrigger", follow, id=ids.chain_trigger(CHAIN_ID), task_queue=COPYTRADE)
    sent: list[str] = []

    async def trade() -> None:
        done = await lab.trade(leaders[len(sent) % 3], (len(sent) + 1) * 1_000_000)
        sent.append(done.tx_hash)

    longest = 0.0
    for _ in range(4):
        async with worker_process(lab, server.address) as child:
            began = time.monotonic()
            await lab.until(lambda: lab.rows("SELECT 1 FROM copytrade.checkpoints WHERE key = 'polygon:last_block'"))
            await trade()
            await lab.until(lambda: _row(lab, sent[-1]))
            longest = max(longest, time.monotonic() - began)
            for _ in range(5):
                await trade()
            child.kill()
        await trade()  # while nobody listens
    async with worker_process(lab, server.address):
        rows = await lab.until_seen(len(sent))
        await asyncio.sleep(1)
        assert len(await lab.seen()) == len(sent)
    await handle.terminate()
    assert sorted(row["tx_hash"] for row in rows) == sorted(sent)
    print(f" [seen again at most {longest:.2f} s after a worker's start]")


async def _row(lab: PolygonLab, tx_hash: str) -> list[dict[str, Any]]:
    return await lab.rows("SELECT 1 FROM copytrade.chain_logs WHERE tx_hash = %s", tx_hash)
