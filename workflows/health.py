"""A worker's /health and /metrics: healthy means its pollers poll, not merely that the process exists."""

from __future__ import annotations

import asyncio
import re
import socket
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

_POLLERS: Final = re.compile(r"^temporal_num_pollers\{(?P<labels>[^}]*)\} (?P<value>[0-9.e+]+)$", re.MULTILINE)
_REQUEST_LIMIT: Final = 8192


def free_port() -> int:
    """A port for the SDK's own metrics endpoint, on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class WorkerHealth:
    """Reads the SDK's metrics from `core_port` and answers two paths over plain HTTP/1.1."""

    def __init__(self, core_port: int, queues: list[str]) -> None:
        self.core_port = core_port
        self.queues = queues

    async def metrics(self) -> str:
        """The SDK's metrics as text; empty while it has none."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.core_port}/metrics", timeout=2) as answer:
                text: str = answer.read().decode()
                return text
        except OSError:
            return ""

    async def idle_queues(self) -> list[str]:
        """Queues nobody in this process polls."""
        polled: dict[str, float] = {}
        for match in _POLLERS.finditer(await self.metrics()):
            for queue in self.queues:
                if f'task_queue="{queue}"' in match["labels"]:
                    polled[queue] = polled.get(queue, 0) + float(match["value"])
        return [queue for queue in self.queues if not polled.get(queue)]

    @asynccontextmanager
    async def serve(self, host: str, port: int) -> AsyncIterator[None]:
        """Answer until the block ends; port 0 serves nothing."""
        if not port:
            yield
            return
        server = await asyncio.start_server(self._answer, host, port, limit=_REQUEST_LIMIT)
        async with server:
            yield

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = (await asyncio.wait_for(reader.readline(), 5)).decode("latin-1").split()
            path = line[1] if len(line) > 1 else ""
            status, body = await self._page(path)
            head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
            writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
            await writer.drain()
        except (TimeoutError, ConnectionError, ValueError):
            return  # the caller went away or never spoke: nothing to answer
        finally:
            writer.close()

    async def _page(self, path: str) -> tuple[str, bytes]:
        if path == "/metrics":
            return "200 OK", (await self.metrics()).encode()
        if path == "/health":
            idle = await self.idle_queues()
            if idle:
                return "503 Service Unavailable", f"no poller on {', '.join(idle)}\n".encode()
            return "200 OK", b"polling\n"
        return "404 Not Found", b"/health or /metrics\n"
