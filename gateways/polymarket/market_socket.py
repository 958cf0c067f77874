"""The CLOB's market socket: books that are there before they are asked for. An accelerator, never needed.

A connection carries at most 200 tokens (more than 500 get no books at all), sends PING every 10 s, and is replaced when
nothing came for 30 s. Fresh is what flows: a socket that answers PING and brings no frame is asked to start again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from domain.copytrade.books import Touch
from domain.copytrade.venue import Book
from gateways.limits import Clock
from gateways.polymarket import wire
from gateways.polymarket.asking import Quarantine
from gateways.polymarket.live_books import LiveBooks
from gateways.polymarket.recording import Recorder
from gateways.polymarket.transport import PAYLOAD_MAX, user_agent

log = structlog.get_logger()

CHUNK: Final = 200
PING_S: Final = 10.0
STALE_S: Final = 30.0
MUTE_S: Final = 120.0
"""No frame but PONG for so long: subscribed and silent. A new connection begins with whole books."""
BACKOFF_FIRST_S: Final = 0.25
BACKOFF_MAX_S: Final = 30.0
FRAME_MAX: Final = 8 << 20
ROUTE: Final = "clob_market_socket"


class Timing(NamedTuple):
    """How long what may last, in seconds."""

    ping: float = PING_S
    stale: float = STALE_S
    mute: float = MUTE_S


class _Lost(Exception):
    """The socket is there and of no use."""


class _Line:
    """One connection and its tokens."""

    def __init__(self, owner: MarketSocket) -> None:
        self._owner = owner
        self.tokens: dict[str, None] = {}
        self.books = LiveBooks()
        self.data_at = self.frame_at = 0.0
        self.connections = 0
        self._socket: ClientConnection | None = None
        self.task = asyncio.create_task(self._run())

    async def tell(self, operation: str, tokens: list[str]) -> None:
        """Subscribe or unsubscribe on the open socket; a closed one subscribes to everything when it opens."""
        if self._socket is not None and tokens:
            with contextlib.suppress(WebSocketException):
                await self._send(self._socket, {"operation": operation, "assets_ids": tokens})

    async def _run(self) -> None:
        """For ever; waits double to 30 s and start again after a frame."""
        failures = 0
        while True:
            try:
                await self._connected()
            except (OSError, TimeoutError, WebSocketException, _Lost) as failure:
                failures = 1 if self.data_at else failures + 1
                log.info("market_socket_lost", reason=str(failure) or type(failure).__name__, failures=failures)
            self._socket, self.books = None, LiveBooks()
            self.data_at = 0.0
            pause = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2.0 ** min(failures, 10))
            await asyncio.sleep(self._owner.uniform(pause / 2, pause))

    async def _connected(self) -> None:
        async with connect(
            self._owner.url, open_timeout=5, close_timeout=1, max_size=FRAME_MAX, proxy=None, ping_interval=None,
            user_agent_header=user_agent(),
        ) as socket:  # fmt: skip
            self.connections += 1
            self.frame_at = self._owner.clock()
            self.data_at = 0.0
            began = self.frame_at
            told = dict(self.tokens)
            await self._send(socket, {"type": "market", "assets_ids": list(told)})
            self._socket = socket
            await self.tell("subscribe", [token for token in self.tokens if token not in told])
            pinging = asyncio.create_task(self._ping(socket))
            try:
                while True:
                    await self._frame(socket)
                    if self._owner.clock() - max(began, self.data_at) > self._owner.timing.mute:
                        raise _Lost("subscribed and silent")
            finally:
                pinging.cancel()
                await asyncio.gather(pinging, return_exceptions=True)

    async def _frame(self, socket: ClientConnection) -> None:
        async with asyncio.timeout(self._owner.timing.stale):
            body = await socket.recv()
        text = body if isinstance(body, str) else body.decode("utf-8", "replace")
        self.frame_at = self._owner.clock()
        if text.strip() in ("PONG", ""):
            return
        if self._owner.recorder is not None:
            self._owner.recorder.socket(ROUTE, "in", text)
        if await self._owner.read(text, self.books):
            self.data_at = self.frame_at

    async def _ping(self, socket: ClientConnection) -> None:
        with contextlib.suppress(WebSocketException):
            while True:
                await asyncio.sleep(self._owner.timing.ping)
                await socket.send("PING")

    async def _send(self, socket: ClientConnection, message: object) -> None:
        text = json.dumps(message)
        if self._owner.recorder is not None:
            self._owner.recorder.socket(ROUTE, "out", text)
        await socket.send(text)


class MarketSocket:
    """Follow tokens, ask for their books. Give it to one event loop; `aclose` ends its connections."""

    def __init__(
        self,
        url: str,
        *,
        quarantine: Quarantine,
        recorder: Recorder | None = None,
        chunk: int = CHUNK,
        timing: Timing = Timing(),  # noqa: B008
        clock: Clock = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.url, self.recorder, self.timing, self.clock, self.uniform = url, recorder, timing, clock, uniform
        self._quarantine, self._chunk = quarantine, chunk
        self._lines: list[_Line] = []
        self._line_of: dict[str, _Line] = {}
        self._odd: set[str] = set()

    async def follow(self, token_ids: Iterable[str]) -> None:
        """Exactly these from now on. Connections are opened and closed as needed."""
        wanted = dict.fromkeys(token_ids)
        gone = [token for token in self._line_of if token not in wanted]
        for line in self._lines:
            theirs = [token for token in gone if token in line.tokens]
            for token in theirs:
                line.tokens.pop(token)
                line.books.forget(token)
                del self._line_of[token]
            await line.tell("unsubscribe", theirs)
        for line in [line for line in self._lines if not line.tokens]:
            await self._close(line)
        await self._place([token for token in wanted if token not in self._line_of])

    async def _place(self, new: list[str]) -> None:
        """Fill the connections there are, then open more."""
        for line in self._lines:
            room = new[: max(0, self._chunk - len(line.tokens))]
            new = new[len(room) :]
            self._assign(line, room)
            await line.tell("subscribe", room)
        while new:
            line = _Line(self)
            self._lines.append(line)
            self._assign(line, new[: self._chunk])
            new = new[self._chunk :]

    def _assign(self, line: _Line, tokens: list[str]) -> None:
        line.tokens |= dict.fromkeys(tokens)
        self._line_of |= dict.fromkeys(tokens, line)

    def book(self, token_id: str) -> tuple[Book, float] | None:
        """The book, and seconds since its connection last brought anything. None: ask the CLOB."""
        line = self._flowing(token_id)
        book = line.books.book(token_id) if line else None
        return None if book is None or line is None else (book, self.clock() - line.data_at)

    def touch(self, token_id: str) -> Touch | None:
        """Best bid and ask as far as they flow; None: ask the CLOB."""
        line = self._flowing(token_id)
        return line.books.touch(token_id) if line else None

    def _flowing(self, token_id: str) -> _Line | None:
        line = self._line_of.get(token_id)
        fresh = line is not None and line.data_at > 0 and self.clock() - line.data_at <= self.timing.stale
        return line if fresh else None

    @property
    def connections(self) -> int:
        """Opened so far by the connections there are, for metrics and tests."""
        return sum(line.connections for line in self._lines)

    async def read(self, text: str, books: LiveBooks) -> bool:
        """Apply one message, an object or a list of them. False when it held nothing but oddities."""
        try:
            whole = wire.load(text)
        except wire.NotJson:
            await self._keep("not JSON", text)
            return False
        good = False
        for frame in whole if isinstance(whole, list) else [whole]:
            try:
                books.apply(frame)
                good = True
            except wire.Odd as odd:
                await self._keep(str(odd), frame)
        return good or whole == []

    async def _keep(self, reason: str, frame: object) -> None:
        """One oddity of each kind a process: the socket may repeat it a hundred times a second."""
        if reason not in self._odd and len(self._odd) < 100:
            self._odd.add(reason)
            kept = wire.plain(frame)
            payload = kept if len(repr(kept)) <= PAYLOAD_MAX else repr(kept)[:PAYLOAD_MAX]
            await self._quarantine("polymarket", ROUTE, reason, payload)

    async def _close(self, line: _Line) -> None:
        self._lines.remove(line)
        line.task.cancel()
        await asyncio.gather(line.task, return_exceptions=True)

    async def aclose(self) -> None:
        for line in list(self._lines):
            await self._close(line)
        self._line_of.clear()
