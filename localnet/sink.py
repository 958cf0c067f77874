"""A local receiver of webhooks: keeps what arrives in memory and can be told to refuse it.

``POST`` to any path but the control paths takes a delivery. ``GET /deliveries`` lists them, newest last,
``DELETE /deliveries`` forgets them. ``POST /faults {"status": 500, "times": 3, "delay_ms": 0}`` makes the next fail.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from localnet.ports import HOST

KEPT = 1_000
BODY_LIMIT = 2**20


@dataclass
class _Refusal:
    status: int
    times: int
    delay_seconds: float


class WebhookSink:
    """An HTTP server in the event loop of the caller."""

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._runner: web.AppRunner | None = None
        self._refusal: _Refusal | None = None
        self.deliveries: deque[dict[str, Any]] = deque(maxlen=KEPT)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}"

    async def start(self) -> None:
        app = web.Application(client_max_size=BODY_LIMIT)
        app.router.add_get("/deliveries", self._list)
        app.router.add_delete("/deliveries", self._forget)
        app.router.add_post("/faults", self._set_refusal)
        app.router.add_post("/{path:.*}", self._receive)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self._port).start()
        self._port = self._runner.addresses[0][1]

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.text()
        status, refusal = 204, self._refusal
        if refusal is not None and refusal.times > 0:
            refusal.times -= 1
            status = refusal.status
            await asyncio.sleep(refusal.delay_seconds)
        self.deliveries.append(
            {
                "path": request.path,
                "received_at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
                "headers": {name.lower(): value for name, value in request.headers.items()},
                "body": body,
                "status": status,
            }
        )
        return web.Response(status=status)

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response({"items": list(self.deliveries)})

    async def _forget(self, request: web.Request) -> web.Response:
        self.deliveries.clear()
        return web.Response(status=204)

    async def _set_refusal(self, request: web.Request) -> web.Response:
        try:
            wanted = await request.json()
            self._refusal = _Refusal(
                status=int(wanted.get("status", 500)),
                times=int(wanted.get("times", 1)),
                delay_seconds=int(wanted.get("delay_ms", 0)) / 1000,
            )
        except (ValueError, TypeError, AttributeError):
            return web.json_response({"error": "want {status, times, delay_ms}"}, status=400)
        return web.Response(status=204)
