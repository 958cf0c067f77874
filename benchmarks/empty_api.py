"""The least an API can do: one Litestar handler that answers a constant, served exactly as server.py serves ours."""

from __future__ import annotations

import asyncio
import os
import signal

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar, get


@get("/empty")
async def empty() -> dict[str, str]:
    return {"asset": "USDC", "available": "100.25", "held": "0"}


async def serve() -> None:
    server = Server(
        Litestar([empty], openapi_config=None),
        address="127.0.0.1",
        port=int(os.environ["API_PORT"]),
        interface=Interfaces.ASGI,
        websockets=False,
        backlog=1024,
        backpressure=1024,
        log_enabled=False,
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
    await server.serve()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(serve())
