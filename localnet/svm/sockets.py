"""The WebSocket side of a port: subscriptions, their notifications, connections that fall silent or are cut."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from localnet.svm import watching
from localnet.svm.errors import RpcRefusal, invalid, method_not_found
from localnet.svm.ledger import Landed, Undone
from localnet.svm.port import Port
from localnet.svm.rpc import INVALID_REQUEST, PARSE_ERROR
from localnet.svm.watching import KINDS, News, Watch

Json = dict[str, Any]
BACKLOG = 2_000
"""Messages a connection may leave unread; then it is closed, as a node drops a slow reader."""


class Connection:
    """Messages go out through a queue, so that nobody waits for a slow reader."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self.watches: dict[int, Watch] = {}
        self.outgoing: asyncio.Queue[str] = asyncio.Queue(BACKLOG)

    def say(self, message: Json | list[Any]) -> None:
        try:
            self.outgoing.put_nowait(json.dumps(message, separators=(",", ":")))
        except asyncio.QueueFull:
            self.drop(WSCloseCode.TRY_AGAIN_LATER)

    def drop(self, code: int) -> None:
        """Closes it; 1006 without a farewell."""
        transport = self.socket._req.transport if self.socket._req is not None else None
        if code == WSCloseCode.ABNORMAL_CLOSURE and transport is not None:
            transport.abort()
        else:
            self._closing = asyncio.get_running_loop().create_task(self.socket.close(code=code))

    async def write(self) -> None:
        while True:
            await self.socket.send_str(await self.outgoing.get())


class Sockets:
    """All connections of one port. ``look`` is called once a slot."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self.news = News()
        self.connections: set[Connection] = set()
        self._numbers = itertools.count(1)
        port.ledger.listeners.append(self._hear)

    def _hear(self, event: Landed | Undone) -> None:
        if isinstance(event, Undone):
            self.news.undo(event.slot)
            for connection in self.connections:
                for watch in connection.watches.values():
                    watch.seen = min(watch.seen, event.slot - 1)
            return
        self.news.add(event, self.port.ledger.now().slot)
        self._notify(lambda watch: watching.at_once(self.port, watch, event))
        self._notify(lambda watch: watching.made(self.port, watch, self.news) if watch.kind == "signature" else ())

    def look(self) -> None:
        """Tells what has become confirmed or final."""
        self._notify(lambda watch: watching.made(self.port, watch, self.news))

    def _notify(self, look: Any) -> None:
        for connection in list(self.connections):
            for number, watch in list(connection.watches.items()):
                for result, last in look(watch):
                    if self.port.mood == "speaks":
                        params = {"result": result, "subscription": number}
                        connection.say({"jsonrpc": "2.0", "method": f"{watch.kind}Notification", "params": params})
                    if last:
                        connection.watches.pop(number, None)

    def drop(self, code: int) -> int:
        """Ends all connections with a close code; returns how many there were."""
        found = list(self.connections)
        for connection in found:
            connection.drop(code)
        return len(found)

    async def close(self) -> None:
        self.port.ledger.listeners.remove(self._hear)
        for connection in list(self.connections):
            await connection.socket.close()

    # A connection.

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if self.port.mood == "refuses":
            return web.Response(status=503, text="no more connections")
        socket = web.WebSocketResponse(max_msg_size=2**20)
        await socket.prepare(request)
        connection = Connection(socket)
        self.connections.add(connection)
        writer = asyncio.create_task(connection.write())
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    self._take(connection, message.data)
        finally:
            self.connections.discard(connection)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        return socket

    def _take(self, connection: Connection, text: str) -> None:
        try:
            asked = json.loads(text)
        except ValueError:
            connection.say(PARSE_ERROR)
            return
        if isinstance(asked, list):
            connection.say([self._answer(connection, one) for one in asked])
        else:
            connection.say(self._answer(connection, asked))
        self.look()

    def _answer(self, connection: Connection, asked: Any) -> Json:
        if not isinstance(asked, dict) or not isinstance(asked.get("method"), str):
            return {"jsonrpc": "2.0", "error": INVALID_REQUEST, "id": None}
        told: Json = {"jsonrpc": "2.0"}
        self.port.calls[asked["method"]] += 1
        try:
            told["result"] = self._perform(connection, asked["method"], asked.get("params") or [])
        except RpcRefusal as refusal:
            told["error"] = refusal.envelope()
        except (KeyError, TypeError, ValueError) as error:
            told["error"] = invalid(f"Invalid params: {error}").envelope()
        return {**told, "id": asked.get("id")}

    def _perform(self, connection: Connection, method: str, params: list[Any]) -> Any:
        for kind in KINDS:
            if method == f"{kind}Subscribe":
                number = next(self._numbers)
                connection.watches[number] = watching.opened(self.port, kind, params)
                return number
            if method == f"{kind}Unsubscribe":
                if not params or connection.watches.pop(params[0], None) is None:
                    raise invalid("Invalid subscription id.")
                return True
        raise method_not_found()
