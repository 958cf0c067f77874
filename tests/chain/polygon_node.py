"""A node that speaks as a test tells it, and a socket under test that notes its waits."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from domain.copytrade.contracts import DEFAULT
from gateways.polymarket.chain import PolygonSocket
from gateways.polymarket.chain_session import News
from localnet.ports import HOST
from tests.patience import PATIENCE_S

Answer = Callable[[ServerConnection, dict[str, Any]], Awaitable[None]]
LEADER = "0x" + "a1" * 20


class Node:
    """Confirms every subscription unless told otherwise; `refuse` are HTTP statuses of the next handshakes."""

    def __init__(self) -> None:
        self.server: Server
        self.refuse: list[tuple[int, dict[str, str]]] = []
        self.calls: list[dict[str, Any]] = []
        self.sockets: list[ServerConnection] = []
        self.answer: Answer = self.confirm
        self.chain = "0x89"
        self.opened, self.subscribed = asyncio.Event(), asyncio.Event()

    @property
    def url(self) -> str:
        return f"ws://{HOST}:{self.server.sockets[0].getsockname()[1]}/v2/secret-key"

    async def confirm(self, socket: ServerConnection, call: dict[str, Any]) -> None:
        result = self.chain if call["method"] == "eth_chainId" else f"0x{call['id']:x}"
        await socket.send(json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": result}))

    async def tell(self, result: Any, subscription: str = "0x3") -> None:
        params = {"subscription": subscription, "result": result}
        await self.sockets[-1].send(json.dumps({"jsonrpc": "2.0", "method": "eth_subscription", "params": params}))

    async def head(self, number: int) -> None:
        block = {"number": hex(number), "hash": f"0x{number:064x}", "parentHash": f"0x{number - 1:064x}"}
        await self.tell({**block, "timestamp": "0x64"}, "0x2")

    async def handle(self, socket: ServerConnection) -> None:
        self.sockets.append(socket)
        self.opened.set()
        async for frame in socket:
            call = json.loads(frame)
            self.calls.append(call)
            await self.answer(socket, call)
            if len(self.calls) == 5:
                self.subscribed.set()

    def handshake(self, socket: ServerConnection, request: Request) -> Response | None:
        if not self.refuse:
            return None
        status, headers = self.refuse.pop(0)
        response = socket.respond(HTTPStatus(status), "<html>no</html>")
        for name, value in headers.items():
            response.headers[name] = value
        return response


class Listener:
    """A socket under test. Waits are noted and not waited; `now` is its clock."""

    def __init__(self, url: str, **options: Any) -> None:
        self.waits: list[float] = []
        self.now = 0.0
        self.socket = PolygonSocket(
            url, DEFAULT, sleep=self.sleep, clock=lambda: self.now, uniform=lambda low, high: high, **options
        )
        self.socket.watch(frozenset({LEADER}))

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)

    async def until(self, kind: type[News], count: int = 1) -> list[Any]:
        """News up to so many of a kind; only those are returned."""
        found: list[Any] = []
        async with asyncio.timeout(PATIENCE_S), contextlib.aclosing(self.socket.news()) as news:
            async for item in news:
                if isinstance(item, kind):
                    found.append(item)
                if len(found) == count:
                    return found
        raise AssertionError("unreachable")


@asynccontextmanager
async def node() -> AsyncIterator[Node]:
    made = Node()
    async with serve(made.handle, HOST, 0, process_request=made.handshake) as made.server:
        yield made
