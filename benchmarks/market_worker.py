"""Workers with nothing but market engines, in processes of their own that may be killed.

`python -m benchmarks.market_worker DSN TEMPORAL_ADDRESS ENGINES` prints a line when it serves. There is no chain.
"""

from __future__ import annotations

import asyncio
import sys

from temporalio.client import Client

import worker
from composition.market import market
from composition.parts import open_parts
from composition.queues import Queue
from domain.exchange.market_messages import RunMarket
from domain.shared import ids
from domain.shared.processes import EXCHANGE
from settings import WorkerSettings
from workflows import client as temporal
from workflows.exchange.market import MarketEngineWorkflow


def settings(dsn: str, address: str, engines: int) -> WorkerSettings:
    """What a worker needs to run engines."""
    nowhere = "0x" + "0" * 40
    return WorkerSettings(
        holdfast_profile="local",
        database_url=dsn,
        temporal_address=address,
        arbitrum_rpc_url="http://127.0.0.1:1",
        usdc_contract_address=nowhere,
        deposit_xpub="none",
        hot_wallet_address=nowhere,
        gas_wallet_address=nowhere,
        graceful_shutdown_s=1,
        market_engines=engines,
    )


async def serve(dsn: str, address: str, engines: int) -> None:
    used = settings(dsn, address, engines)
    client = await temporal.connect(address, "default")
    async with open_parts(used, client, "engines") as parts:
        queue = Queue([MarketEngineWorkflow], market(used, parts))
        async with worker.build_worker(client, EXCHANGE, queue, used, parts):
            print("ready", flush=True)
            await asyncio.Event().wait()


async def start_worker(dsn: str, address: str, engines: int) -> asyncio.subprocess.Process:
    """A child that serves; the caller ends it."""
    command = [sys.executable, "-m", "benchmarks.market_worker", dsn, address, str(engines)]
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    if await child.stdout.readline() != b"ready\n":
        raise RuntimeError("the worker did not start")
    return child


async def start_engines(client: Client, engines: int) -> None:
    for number in range(engines):
        await client.start_workflow(
            "MarketEngine", RunMarket(number=number), id=ids.market_engine(number), task_queue=EXCHANGE
        )


async def worker_of(client: Client, number: int) -> int:
    """The process in which engine `number` runs."""
    description = await client.get_workflow_handle(ids.market_engine(number)).describe()
    [pending] = description.raw_description.pending_activities
    return int(pending.last_worker_identity.split("@")[0])


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2], int(sys.argv[3])))
