"""When to look at a chain again: a subscription by WebSocket as a hint, a timer as the floor."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from domain.shared.errors import Unavailable

log = structlog.get_logger()

_BACKOFF_FIRST_S: Final = 0.1
_BACKOFF_MAX_S: Final = 10.0
_FRAME_MAX: Final = 2**20

NEW_HEADS: Final = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]})


class WakeUps:
    """Ticks. Several heads between two reads are one tick; a socket that is dead, silent or refused costs nothing but
    promptness, because the timer ticks anyway.

    Args:  ws_urls  one is subscribed at a time, the next when it is lost; none, or empty: timer only.
           poll_s  longest time between two ticks.
           silence_s  a socket without any frame for so long is replaced: the far side may be gone without a FIN.
           subscription  the request that is sent first; its answer and every frame after it is a tick.
    """

    def __init__(
        self,
        *ws_urls: str,
        poll_s: float,
        silence_s: float = 10.0,
        subscription: str = NEW_HEADS,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._urls = [url for url in ws_urls if url]
        self._poll_s, self._silence_s, self._uniform = poll_s, silence_s, uniform
        self._subscription = subscription
        self.connections = 0
        """Sockets opened so far, for metrics and tests."""

    async def ticks(self) -> AsyncIterator[None]:
        """Endless. Closing the iterator closes the socket."""
        news = asyncio.Event()
        listener = asyncio.create_task(self._listen(news)) if self._urls else None
        try:
            while True:
                with contextlib.suppress(TimeoutError):  # the timer's tick
                    async with asyncio.timeout(self._poll_s):
                        await news.wait()
                news.clear()
                yield
        finally:
            if listener is not None:
                listener.cancel()
                await asyncio.gather(listener, return_exceptions=True)

    async def _listen(self, news: asyncio.Event) -> None:
        """Keep one subscription alive for ever; back-off doubles to 10 s and starts again after a frame."""
        failures = 0
        for url in itertools.cycle(self._urls):
            try:
                async for _ in self._heads(url):
                    failures = 0
                    news.set()
            except (OSError, TimeoutError, WebSocketException, Unavailable) as failure:
                failures += 1
                log.info("wake_up_socket_lost", reason=type(failure).__name__, failures=failures)
            pause = min(_BACKOFF_MAX_S, _BACKOFF_FIRST_S * 2.0 ** min(failures, 10))
            await asyncio.sleep(self._uniform(pause / 2, pause))

    async def _heads(self, url: str) -> AsyncIterator[None]:
        """Subscribe and yield per frame, the first being the subscription itself: heads may have been missed."""
        async with connect(url, open_timeout=5, close_timeout=1, max_size=_FRAME_MAX, proxy=None) as socket:
            self.connections += 1
            await socket.send(self._subscription)
            check_subscribed(await self._frame(socket))
            yield
            while True:
                await self._frame(socket)
                yield

    async def _frame(self, socket: ClientConnection) -> str | bytes:
        async with asyncio.timeout(self._silence_s):
            return await socket.recv()


def check_subscribed(frame: str | bytes) -> None:
    """Read the answer to the subscription.

    Raises: Unavailable chain_unavailable when the node refuses it or says something else.
    """
    try:
        answer: Any = json.loads(frame)
    except ValueError as failure:
        raise Unavailable("chain_unavailable", "the WebSocket does not speak JSON") from failure
    if not isinstance(answer, dict) or not isinstance(answer.get("result"), str | int):
        raise Unavailable("chain_unavailable", "the node refuses the subscription")
