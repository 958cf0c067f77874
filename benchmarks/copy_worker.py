"""Workers with nothing but copy attempts and the global portfolio, in processes of their own that may be killed.

`python -m benchmarks.copy_worker DSN TEMPORAL_ADDRESS CLOB_URL [EXEC_USER]` prints a line when it serves.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys

from temporalio.common import WorkflowIDConflictPolicy

import worker
from benchmarks import copy_stage
from composition.copytrade_attempt import attempts
from composition.parts import Parts, open_parts
from composition.queues import Queue
from domain.copytrade.messages import RunGlobal
from domain.shared import ids
from domain.shared.processes import COPYTRADE
from settings import WorkerSettings
from workflows import client as temporal
from workflows.copytrade.attempt import CopyAttemptWorkflow
from workflows.copytrade.portfolio import GlobalPortfolioWorkflow


def settings(dsn: str, address: str, clob_url: str, *, exec_user: bool = True) -> WorkerSettings:
    """What a worker needs to copy. There is no chain."""
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
        polymarket_clob_base_url=clob_url,
        polymarket_max_rps=1_000,
        polymarket_burst=1_000,
        copytrade_exec_user=exec_user,
    )


async def serve(dsn: str, address: str, clob_url: str, *, exec_user: bool = True) -> None:
    used = settings(dsn, address, clob_url, exec_user=exec_user)
    client = await temporal.connect(address, "default")
    async with open_parts(used, client, "copying") as parts:
        queue = Queue([CopyAttemptWorkflow, GlobalPortfolioWorkflow], attempts(used, parts, parts.polymarket.clob))
        async with worker.build_worker(client, COPYTRADE, queue, used, parts):
            await client.start_workflow(
                "GlobalPortfolio",
                RunGlobal(),
                id=ids.GLOBAL_PORTFOLIO,
                task_queue=COPYTRADE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )
            gc.freeze()  # as worker.py does, both: a full collection would stop everything for a tenth of a second
            sys.setswitchinterval(0.001)
            print("ready", flush=True)
            await obey(parts)


async def obey(parts: Parts) -> None:
    """Each line on standard input is {"leaders", "condition_id", "token", "first", "jobs", "rate"}: groups to detect
    and attempts to start from here, as the feed does, which runs in a worker too. Answers "done"."""
    lines = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(lines)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while line := await lines.readline():
        told = json.loads(line)
        cast = copy_stage.Cast(told["leaders"], told["condition_id"], told["token"])

        async def start(number: int, cast: copy_stage.Cast = cast, first: int = told["first"]) -> None:
            await parts.processes.copy_group(await copy_stage.detect(parts.pool, cast, first + number))

        await copy_stage.paced(told["jobs"], told["rate"], start)
        print("done", flush=True)
    await asyncio.Event().wait()


async def start_worker(dsn: str, address: str, clob_url: str, *, exec_user: bool = True) -> asyncio.subprocess.Process:
    """A child that serves; the caller ends it."""
    command = [sys.executable, "-m", "benchmarks.copy_worker", dsn, address, clob_url, *(["no"] * (not exec_user))]
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    await _hear(child, b"ready\n")
    return child


async def drive(child: asyncio.subprocess.Process, cast: copy_stage.Cast, first: int, jobs: int, rate: int) -> None:
    """Have a worker start so many attempts a second."""
    assert child.stdin is not None
    told = json.dumps(cast._asdict() | {"first": first, "jobs": jobs, "rate": rate})
    child.stdin.write(told.encode() + b"\n")
    await _hear(child, b"done\n")


async def _hear(child: asyncio.subprocess.Process, word: bytes) -> None:
    """Wait for a line; others are its log."""
    assert child.stdout is not None
    while line := await child.stdout.readline():
        if line == word:
            return
    raise RuntimeError("the worker ended")


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2], sys.argv[3], exec_user=len(sys.argv) < 5))
