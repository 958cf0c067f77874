"""The node: two ports over one ledger, each with HTTP, WebSocket and a control side.

On every port: ``POST /`` JSON-RPC, ``GET /`` WebSocket, ``GET /health``. ``GET /control`` shows, ``POST
/control/{verb}`` tells the ledger (``control.py``); of this port alone: ``POST /control/view`` (lag, lies, mood;
``port.py``), ``POST /control/fault`` {"method", "fault"[, "times", "skip", …]} of ``faults.FAULTS``, ``DELETE
/control/fault``, ``POST /control/drop`` {"code"} cuts its sockets, ``POST /control/heal``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from solders.pubkey import Pubkey

from localnet.ports import HOST
from localnet.svm.clock import wall_ms
from localnet.svm.control import Control
from localnet.svm.faults import FAULTS
from localnet.svm.ledger import Ledger
from localnet.svm.port import Port
from localnet.svm.rpc import Cut, Replaced, Rpc
from localnet.svm.sockets import Sockets

Json = dict[str, Any]


class PortServer:
    """One port of the node."""

    def __init__(self, ledger: Ledger, control: Control, number: int, name: str) -> None:
        self.port = Port(ledger, name)
        self.rpc, self.sockets = Rpc(self.port), Sockets(self.port)
        self._control = control
        self._number = number
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._number}"

    @property
    def ws_url(self) -> str:
        return f"ws://{HOST}:{self._number}"

    def fail(self, method: str, fault: str, times: int | None = 1, skip: int = 0, **more: Any) -> None:
        """The next ``times`` calls of ``method`` (``*``: any) after ``skip`` ones meet the fault. Raises ValueError."""
        if fault not in FAULTS:
            raise ValueError(f"faults are {', '.join(FAULTS)}")
        self.port.faults.add(method, FAULTS[fault](more), times, skip)

    async def start(self) -> None:
        app = web.Application(client_max_size=2**20)
        app.add_routes(
            [
                web.post("/", self._serve_rpc), web.get("/", self._serve_socket), web.get("/health", self._health),
                web.get("/control", self._show), web.post("/control/view", self._told(self._view)),
                web.post("/control/fault", self._told(self._fault)), web.delete("/control/fault", self._forget),
                web.post("/control/drop", self._told(self._drop)), web.post("/control/heal", self._told(self._heal)),
                web.post("/control/{verb}", self._verb),
            ]
        )  # fmt: skip
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self._number).start()
        self._number = self._runner.addresses[0][1]

    async def close(self) -> None:
        await self.sockets.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _serve_rpc(self, request: web.Request) -> web.StreamResponse:
        try:
            return web.json_response(await self.rpc.answer(await request.read()))
        except Replaced as replaced:
            found = replaced.answer
            return web.Response(
                status=found.status, text=found.body, content_type=found.content_type, headers=found.headers
            )
        except Cut as cut:
            await asyncio.sleep(cut.seconds)
            if request.transport is not None:
                request.transport.abort()
            return web.Response()

    async def _serve_socket(self, request: web.Request) -> web.StreamResponse:
        return await self.sockets.serve(request)

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response(text="ok")

    # Control.

    def _told(self, deed: Callable[[Json], Json]) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.Response:
            try:
                asked = await request.json() if request.can_read_body else {}
                if not isinstance(asked, dict):
                    raise ValueError("a JSON object")
                return web.json_response(deed(asked))
            except (ValueError, TypeError, KeyError) as error:
                return web.json_response({"error": str(error)}, status=400)

        return handle

    async def _verb(self, request: web.Request) -> web.Response:
        verb = request.match_info["verb"]
        answer: web.Response = await self._told(lambda asked: self._control.perform(verb, asked))(request)
        return answer

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response({**self._control.show(), **self.port.show(), "faults": sorted(FAULTS)})

    async def _forget(self, request: web.Request) -> web.Response:
        self.port.faults.clear()
        return web.Response(status=204)

    def _view(self, asked: Json) -> Json:
        self.port.change(asked)
        return self.port.show()

    def _fault(self, asked: Json) -> Json:
        self.fail(str(asked.pop("method")), str(asked.pop("fault")), **asked)
        return {}

    def _drop(self, asked: Json) -> Json:
        return {"dropped": self.sockets.drop(int(asked.get("code", 1006)))}

    def _heal(self, asked: Json) -> Json:
        self.port.heal()
        return self.port.show()


class SvmServer:
    """The whole node in the event loop of the caller. `ports`: 0 takes a free one."""

    def __init__(
        self,
        ports: tuple[int, ...] = (0, 0),
        *,
        directory: Path | None = None,
        running: bool = True,
        programs: Mapping[Pubkey, Path] | None = None,
        wall: Callable[[], int] = wall_ms,
    ) -> None:
        self.ledger = Ledger(directory, running=running, programs=programs, wall=wall)
        self.control = Control(self.ledger)
        self.ports = [
            PortServer(self.ledger, self.control, number, f"rpc-{index}") for index, number in enumerate(ports, 1)
        ]
        self._ticking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        for port in self.ports:
            await port.start()
        self._ticking = asyncio.create_task(self._tick(), name="slots")

    async def close(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        for port in self.ports:
            await port.close()
        self.ledger.close()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self.ledger.clock.until_next_s())
            with contextlib.suppress(ValueError):  # a plan that came too late to be carried out
                self.ledger.tick()
            for port in self.ports:
                port.sockets.look()
