"""The process: serves until SIGTERM or SIGINT. Faults and warps are told over /control of each port."""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

from solders.pubkey import Pubkey

from localnet.svm.server import SvmServer


def program(text: str) -> tuple[Pubkey, Path]:
    """ADDRESS=FILE"""
    address, _, path = text.partition("=")
    return Pubkey.from_string(address), Path(path)


async def serve(asked: argparse.Namespace) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    node = SvmServer(
        tuple(asked.port), directory=asked.directory, running=not asked.standing, programs=dict(asked.program)
    )
    async with node:
        urls = ", ".join(port.url for port in node.ports)
        print(f"slot {node.ledger.now().slot} on {urls}, {node.ledger.store.counts()}", flush=True)
        await ended.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="local Solana")
    parser.add_argument("--port", type=int, action="append", required=True, help="once for each RPC port")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--program", type=program, action="append", default=[], metavar="ADDRESS=FILE")
    parser.add_argument("--standing", action="store_true", help="slots move only when told to")
    asyncio.run(serve(parser.parse_args()))
