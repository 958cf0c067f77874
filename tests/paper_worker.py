"""A worker of paper portfolios in a process of its own that may be killed.

`python -m tests.paper_worker DSN TEMPORAL_ADDRESS CLOB_URL` prints a line when it serves.
"""

from __future__ import annotations

import asyncio
import sys

import worker
from benchmarks.copy_worker import settings
from composition.copytrade_portfolios import portfolios
from composition.parts import open_parts
from composition.queues import Queue
from domain.shared.processes import COPYTRADE
from tests.world.child import start_child
from workflows import client as temporal
from workflows.copytrade.closes import PaperCloseWorkflow
from workflows.copytrade.config_tests import ConfigTestWorkflow
from workflows.copytrade.marks import CopytradeMarksWorkflow, CopytradeSnapshotsWorkflow
from workflows.copytrade.rebuild import RebuildSnapshotsWorkflow

WORKFLOWS = [
    CopytradeMarksWorkflow,
    CopytradeSnapshotsWorkflow,
    RebuildSnapshotsWorkflow,
    ConfigTestWorkflow,
    PaperCloseWorkflow,
]


async def serve(dsn: str, address: str, clob_url: str) -> None:
    used = settings(dsn, address, clob_url)
    client = await temporal.connect(address, "default")
    async with open_parts(used, client, "paper") as parts:
        queue = Queue(WORKFLOWS, portfolios(used, parts))
        async with worker.build_worker(client, COPYTRADE, queue, used, parts):
            print("ready", flush=True)
            await asyncio.Event().wait()


async def start_worker(dsn: str, address: str, clob_url: str) -> asyncio.subprocess.Process:
    """In a process of its own; returns when it serves."""
    return await start_child("tests.paper_worker", dsn, address, clob_url)


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:4]))
