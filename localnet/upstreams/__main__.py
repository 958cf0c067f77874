"""The process: serves until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

from localnet.upstreams.server import Upstreams


async def serve(port: int, seed: int, directory: Path | None) -> None:
    server, ended = Upstreams(port, seed, directory), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await server.start()
    await ended.wait()
    await server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="local web search, language model and pinning node")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--files", type=Path, help="where the pinning node keeps its files; without it in memory")
    asked = parser.parse_args()
    asyncio.run(serve(asked.port, asked.seed, asked.files))
