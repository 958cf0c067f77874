"""`python server.py` as a process of its own, as the supervisor starts it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from localnet.ports import free_port
from tests.api.lab import CHAIN_ID, GAS, HOT, NOWHERE, TOKEN
from tests.patience import PATIENCE_S, until
from tests.world import Wallets

ROOT = Path(__file__).parents[2]


class ServerProcess:
    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process, self.url = process, url

    async def stop(self) -> int:
        """SIGTERM, then its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), PATIENCE_S)

    @property
    def rss_mb(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def environment(dsn: str, port: int, **changes: str) -> dict[str, str]:
    return {
        **os.environ,
        "HOLDFAST_PROFILE": "local",
        "DATABASE_URL": dsn,
        "API_PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "SESSION_SECRET": "0123456789abcdef0123456789abcdef",
        "TEMPORAL_ADDRESS": NOWHERE,
        "ARBITRUM_RPC_URL": "http://127.0.0.1:1",
        "ARBITRUM_CHAIN_ID": str(CHAIN_ID),
        "USDC_CONTRACT_ADDRESS": TOKEN,
        "HOT_WALLET_ADDRESS": HOT,
        "GAS_WALLET_ADDRESS": GAS,
        "DEPOSIT_XPUB": Wallets().deposit_xpub,
        **changes,
    }


@asynccontextmanager
async def running_server(dsn: str, **changes: str) -> AsyncIterator[ServerProcess]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "server.py", cwd=ROOT, env=environment(dsn, port, **changes)
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient() as client:

            async def serves() -> bool:
                try:
                    return (await client.get(f"{url}/api/health")).status_code == 200
                except httpx.TransportError:
                    assert process.returncode is None, "the server ended"
                    return False

            await until(serves)
        yield ServerProcess(process, url)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
