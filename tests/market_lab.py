"""Engines as they run in production: under their workflow, in worker processes of their own that a test may kill."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.client import Client

from benchmarks import market_worker
from tests.world.market import MarketSide
from workflows import client as temporal


class EngineLab(MarketSide):
    """Workers that serve the engines of one database."""

    def __init__(self, dsn: str, address: str, client: Client, engines: int) -> None:
        super().__init__(dsn)
        self.address, self.client, self.engines = address, client, engines
        self.workers: dict[int, asyncio.subprocess.Process] = {}

    async def start_worker(self) -> None:
        child = await market_worker.start_worker(self.dsn, self.address, self.engines)
        self.workers[child.pid] = child

    async def worker_of(self, number: int) -> int:
        """The process in which engine `number` runs."""
        return await market_worker.worker_of(self.client, number)

    async def kill(self, pid: int) -> None:
        child = self.workers.pop(pid)
        child.kill()
        await child.wait()

    async def close(self) -> None:
        for child in self.workers.values():
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()


@asynccontextmanager
async def engine_lab(dsn: str, address: str, *, engines: int = 1, workers: int = 2) -> AsyncIterator[EngineLab]:
    client = await temporal.connect(address, "default")
    lab = EngineLab(dsn, address, client, engines)
    try:
        await asyncio.gather(*(lab.start_worker() for _ in range(workers)))
        await market_worker.start_engines(client, engines)
        yield lab
    finally:
        await lab.close()
