"""The queues of the launchpad and of its signer, in a process that may be killed.

`python -m benchmarks.launch_worker` takes its settings from the environment and prints a line when it serves.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Mapping, Sequence

import worker
from composition.parts import connect, open_parts
from composition.queues import build_queues
from domain.shared.processes import LAUNCHPAD, SOLANA_SIGNER
from settings import SignerSettings

NOWHERE = "0x" + "0" * 40


def environment(
    dsn: str, address: str, platform: str, keypair: str, rpc_urls: Sequence[str], **more: str
) -> dict[str, str]:
    """What the process is given. There is no EVM chain. `more`: other settings by their names."""
    return {
        "HOLDFAST_PROFILE": "local",
        "LOG_LEVEL": "WARNING",
        "LOG_FORMAT": "console",
        "DATABASE_URL": dsn,
        "TEMPORAL_ADDRESS": address,
        "ARBITRUM_RPC_URL": "http://127.0.0.1:1",
        "USDC_CONTRACT_ADDRESS": NOWHERE,
        "DEPOSIT_XPUB": "none",
        "HOT_WALLET_ADDRESS": NOWHERE,
        "GAS_WALLET_ADDRESS": NOWHERE,
        "HOT_WALLET_PRIVATE_KEY": "none",
        "GAS_WALLET_PRIVATE_KEY": "none",
        "DEPOSIT_ACCOUNT_XPRV": "none",
        "GRACEFUL_SHUTDOWN_S": "0",
        "SOLANA_RPC_URL": ",".join(rpc_urls),
        "SOLANA_CLUSTER": "localnet",
        "SOLANA_PLATFORM_ADDRESS": platform,
        "SOLANA_PLATFORM_KEYPAIR": keypair,
        "SOLANA_MAX_RPS": "1000",
        **{name.upper(): value for name, value in more.items()},
    }


async def serve() -> None:
    used = SignerSettings()
    client = await connect(used)
    async with open_parts(used, client, "launching") as parts, contextlib.AsyncExitStack() as stack:
        queues = build_queues(used, parts, [LAUNCHPAD, SOLANA_SIGNER])
        for name, queue in queues.items():
            await stack.enter_async_context(worker.build_worker(client, name, queue, used, parts))
        print("ready", flush=True)
        await asyncio.Event().wait()


async def start_worker(environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    """A child that serves; the caller ends it."""
    command = [sys.executable, "-m", "benchmarks.launch_worker"]
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=dict(environment))
    assert child.stdout is not None
    while line := await child.stdout.readline():
        if line == b"ready\n":
            return child
    raise RuntimeError("the worker ended")


if __name__ == "__main__":
    asyncio.run(serve())
