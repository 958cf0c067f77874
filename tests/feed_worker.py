"""A worker of the queue `copytrade` in a process of its own, which may be killed.

`python -m tests.feed_worker SETTINGS_JSON` prints a line when it serves.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import worker
from composition.parts import open_parts
from composition.queues import build_queues
from domain.shared.processes import COPYTRADE
from settings import WorkerSettings
from tests.world.child import start_child
from workflows import client as temporal

NOWHERE = "0x" + "0" * 40


def feed_settings(dsn: str, address: str, venue: dict[str, str], **more: Any) -> dict[str, Any]:
    """What a worker of this queue needs; the exchange's chain is never called."""
    return {
        "holdfast_profile": "local",
        "database_url": dsn,
        "temporal_address": address,
        "arbitrum_rpc_url": "http://127.0.0.1:1",
        "usdc_contract_address": NOWHERE,
        "deposit_xpub": "none",
        "hot_wallet_address": NOWHERE,
        "gas_wallet_address": NOWHERE,
        "graceful_shutdown_s": 1,
        "polymarket_max_rps": 1_000,
        "polymarket_burst": 1_000,
        "copytrade_poll_s": 1,
        "copytrade_reconcile_s": 2,
        **venue,
        **more,
    }


async def serve(used: WorkerSettings) -> None:
    client = await temporal.connect(used.temporal_address, "default")
    async with open_parts(used, client, "feed") as parts:
        queue = build_queues(used, parts, [COPYTRADE])[COPYTRADE]
        async with worker.build_worker(client, COPYTRADE, queue, used, parts):
            print("ready", flush=True)
            await asyncio.Event().wait()


async def start_worker(values: dict[str, Any]) -> asyncio.subprocess.Process:
    """A child that serves; the caller ends it."""
    return await start_child("tests.feed_worker", json.dumps(values))


if __name__ == "__main__":
    asyncio.run(serve(WorkerSettings(**json.loads(sys.argv[1]))))
