"""A worker process is killed while the model thinks: another one ends the refresh, with one row and one event."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from domain.exchange.oracle_messages import RefreshEnded
from domain.shared import ids
from domain.shared.processes import EXCHANGE, Start
from localnet.running import running_temporal
from localnet.upstreams import Upstreams
from tests.oracle_lab import open_oracle_lab
from tests.world.wallets import Wallets
from workflows.client import connect
from workflows.exchange.oracle import OracleRefreshWorkflow

ROOT = Path(__file__).parents[2]
NOBODY = "http://127.0.0.1:1"


@asynccontextmanager
async def worker_process(
    dsn: str, temporal: str, web: Upstreams, log: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`worker.py --queues exchange` as production runs it; no chain answers it, which the oracle does not need."""
    wallets = Wallets()
    env = {
        "PATH": os.environ["PATH"],
        "HOLDFAST_PROFILE": "local",
        "DATABASE_URL": dsn,
        "TEMPORAL_ADDRESS": temporal,
        "ARBITRUM_RPC_URL": NOBODY,
        "USDC_CONTRACT_ADDRESS": "0x" + "11" * 20,
        "DEPOSIT_XPUB": wallets.deposit_xpub,
        "HOT_WALLET_ADDRESS": wallets.hot,
        "GAS_WALLET_ADDRESS": wallets.gas,
        "SERPER_API_KEY": "k",
        "SERPER_BASE_URL": web.url,
        "OPENAI_BASE_URL": web.llm_url,
        "OPENAI_API_KEY": "k",
        "OPENAI_MODEL": "local-analyst",
    }
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(ROOT / "worker.py"), "--queues", EXCHANGE, env=env, cwd=ROOT, stdout=out, stderr=out
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_worker_killed_in_the_middle_costs_one_attempt(database: str, tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    async with open_oracle_lab(database) as lab, running_temporal(tmp_path / "temporal") as temporal:
        lab.web.fail("llm", "stall", seconds=600)
        asset = await lab.asset()
        client = await connect(temporal.address, "default")
        handle = await client.start_workflow(
            OracleRefreshWorkflow.run,
            Start(subject_id=asset),
            id=ids.oracle_refresh(asset, "kill"),
            task_queue=EXCHANGE,
        )
        async with worker_process(database, temporal.address, lab.web, log) as first:

            async def asked() -> int:
                assert first.returncode is None, log.read_text()
                return lab.web.calls["llm"]

            await lab.until(asked, lambda calls: calls == 1)
            first.kill()
            async with worker_process(database, temporal.address, lab.web, log):
                ended: RefreshEnded = await asyncio.wait_for(handle.result(), 60)
        assert (ended.status, ended.attempts) == ("accepted", 2), log.read_text()
        row = await lab.signal(asset)
        assert [a["reason"] for a in row["provenance"]["attempts"]] == ["worker_lost", ""]
        assert len(await lab.events()) == 1
        assert (lab.web.calls["search"], lab.web.calls["llm"]) == (3, 2)
