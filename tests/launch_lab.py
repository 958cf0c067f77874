"""The launchpad as it runs in production: worker and signer in processes that a test may kill, a node in its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from benchmarks import launch_worker
from storage.database import Pool, make_pool
from storage.reads.base import fetch_all
from tests.patience import until
from tests.svm_lab import LOADER, SOL, blockhash, call, send, signed, status, value
from tests.world.svm import RunningSvmProcess, running_svm_process
from workflows import client as temporal
from workflows.client import Processes


class LaunchLab:
    until = staticmethod(until)

    def __init__(self, dsn: str, address: str, processes: Processes, pool: Pool, node: RunningSvmProcess) -> None:
        self.dsn, self.address, self.processes, self.pool, self.node = dsn, address, processes, pool, node
        self.wallet = Keypair()
        self.more: dict[str, str] = {}
        """Settings of workers beside the usual ones."""
        self.workers: list[asyncio.subprocess.Process] = []

    @property
    def platform(self) -> str:
        return str(self.wallet.pubkey())

    @property
    def url(self) -> str:
        return self.node.urls[0]

    # Workers.

    def environment(self) -> dict[str, str]:
        """What a worker or a command is given."""
        return launch_worker.environment(
            self.dsn, self.address, self.platform, str(self.wallet), self.node.urls, **self.more
        )

    async def start_worker(self) -> None:
        self.workers.append(await launch_worker.start_worker(self.environment()))

    async def kill(self) -> None:
        """SIGKILL to every worker."""
        while self.workers:
            child = self.workers.pop()
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    # What came of it.

    async def rows(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        return await fetch_all(self.pool, statement, list(parameters))

    async def operation(self, workflow_id: str, status: str) -> dict[str, Any]:
        """The operation of this process, once it has this status. The chain hurries meanwhile."""
        query = (
            "SELECT id, status::text AS status, summary, failure_code FROM platform.operations WHERE workflow_id = %s"
        )

        async def look() -> list[dict[str, Any]]:
            await self.node.control("finalize")
            return await self.rows(query, workflow_id)

        [found] = await self.until(look, lambda rows: bool(rows) and rows[0]["status"] == status, every=1)
        return found

    async def lamports(self, address: str) -> int:
        found: int = await value(self.url, "getBalance", address, {"commitment": "processed"})
        return found

    async def give_away(self, buffer: str) -> None:
        """The buffer gets another authority, signed with the platform's key."""
        accounts = [
            AccountMeta(Pubkey.from_string(buffer), False, True),
            AccountMeta(self.wallet.pubkey(), True, False),
            AccountMeta(Keypair().pubkey(), False, False),
        ]
        step = Instruction(LOADER, (4).to_bytes(4, "little"), accounts)
        sent = await send(self.url, signed(self.wallet, [step], await blockhash(self.url)))
        assert (await status(self.url, sent))["err"] is None
        await self.node.control("confirm")

    async def signatures(self, address: str) -> list[dict[str, Any]]:
        """Every transaction on the chain that names the address, oldest first."""
        found: list[dict[str, Any]] = await call(
            self.url, "getSignaturesForAddress", address, {"commitment": "confirmed"}
        )
        return found[::-1]


@asynccontextmanager
async def launch_lab(
    dsn: str, address: str, directory: Path, *, running: bool = True, lamports: int = 100 * SOL, **more: str
) -> AsyncIterator[LaunchLab]:
    """No worker is started yet. `more`: their settings."""
    processes = Processes(await temporal.connect(address, "default"))
    async with running_svm_process(directory, running=running) as node, make_pool(dsn, size=4, name="lab") as pool:
        lab = LaunchLab(dsn, address, processes, pool, node)
        lab.more = more
        await node.control("account", key=lab.platform, lamports=lamports)
        try:
            yield lab
        finally:
            await lab.kill()
