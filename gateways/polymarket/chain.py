"""One WebSocket to a Polygon node: what followed wallets do, seconds before the venue's API tells it.

A hint, never the truth (copytrade.md 2): it may drop, lag, repeat itself or fall silent while it looks alive. So it is
watched by flow: without a new head for a while it is closed, and whoever compares it with the API can `distrust` it.
The URL is a secret (providers put keys into it) and stands in no message.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncGenerator, Callable
from typing import Final

import structlog
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

from domain.copytrade.contracts import Contracts
from gateways.limits import Clock, Sleep, retry_after_s
from gateways.polymarket.chain_session import Down, HeadSeen, Lost, News, Session

log = structlog.get_logger(__name__)

FRAME_MAX: Final = 4 * 2**20
FIRST_S, LONGEST_S = 1.0, 300.0
"""Waits between two tries, doubling."""
THROTTLED_FIRST_S, THROTTLED_LONGEST_S = 120.0, 600.0
"""The same after HTTP 429. They start again only after a connection that gave a head."""
STEADY_S: Final = 60.0
"""A connection that lasted so long was a good one: waits start again from the first."""


class PolygonSocket:
    """Follows the wallets it was told to `watch`; none: no connection.

    Args:  silence_s  without a new head for so long the connection is closed: Polygon makes a block every two seconds.
    """

    def __init__(
        self,
        ws_url: str,
        contracts: Contracts,
        *,
        chain_id: int = 137,
        silence_s: float = 30.0,
        steady_s: float = STEADY_S,
        sleep: Sleep = asyncio.sleep,
        clock: Clock = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._url, self._contracts, self._chain_id = ws_url, contracts, chain_id
        self._silence_s, self._steady_s = silence_s, steady_s
        self._sleep, self._clock, self._uniform = sleep, clock, uniform
        self._wallets: frozenset[str] = frozenset()
        self._changed = asyncio.Event()
        self._distrusted = ""
        self._failures = self._throttles = 0
        self.connections = 0
        """Sockets opened so far, for metrics and tests."""

    def watch(self, wallets: frozenset[str]) -> None:
        """From now on these wallets; the subscriptions follow at once."""
        if wallets != self._wallets:
            self._wallets = wallets
            self._changed.set()

    def distrust(self, reason: str) -> None:
        """Close a connection that looks alive but does not tell what happens."""
        self._distrusted = reason
        self._changed.set()

    async def news(self, wait_s: float = 0.0) -> AsyncGenerator[News, None]:
        """Endless. Closing the iterator closes the socket.

        Args:  wait_s  before the first try, for a predecessor was asked to wait so long.
        """
        if wait_s > 0:
            await self._sleep(wait_s)
        while True:
            while not self._wallets:
                self._changed.clear()
                await self._changed.wait()
            opened_at = self._clock()
            try:
                async with contextlib.aclosing(self._connection()) as connection:
                    async for item in connection:
                        yield item
            except (OSError, TimeoutError, WebSocketException, Lost) as failure:
                if not self._wallets:
                    continue
                down = self._down(failure, self._clock() - opened_at)
                log.info("polygon_socket_lost", reason=down.reason, failures=down.failures, pause_s=down.pause_s)
                yield down
                await self._sleep(down.pause_s)

    def _down(self, failure: Exception, lasted_s: float) -> Down:
        lost = _reason(failure)
        if lasted_s >= self._steady_s:
            self._failures = 0
        self._failures += 1
        self._throttles += lost.throttled
        if lost.throttled:
            ceiling = min(THROTTLED_LONGEST_S, THROTTLED_FIRST_S * 2.0 ** min(self._throttles - 1, 10))
            pause = max(lost.pause_s, ceiling)
        else:
            ceiling = min(LONGEST_S, FIRST_S * 2.0 ** min(self._failures - 1, 20))
            pause = max(lost.pause_s, self._uniform(ceiling / 2, ceiling))
        return Down(lost.reason, pause, lost.throttled, self._failures)

    async def _connection(self) -> AsyncGenerator[News, None]:
        """One socket until it is lost or there is nobody to follow."""
        self._distrusted = ""
        async with connect(self._url, open_timeout=10, close_timeout=1, max_size=FRAME_MAX, proxy=None) as socket:
            self.connections += 1
            session = Session(socket, self._contracts, self._chain_id, self._clock)
            self._changed.clear()
            await session.subscribe(self._wallets)
            async with contextlib.aclosing(session.frames(self._changed, self._silence_s)) as frames:
                async for item in frames:
                    if item is None:
                        await self._on_change(session)
                    else:
                        self._throttles = 0 if isinstance(item, HeadSeen) else self._throttles
                        yield item

    async def _on_change(self, session: Session) -> None:
        self._changed.clear()
        if self._distrusted:
            raise Lost(self._distrusted)
        if not self._wallets:
            raise Lost("nobody is followed")
        await session.subscribe(self._wallets)


def _reason(failure: Exception) -> Lost:
    """What went wrong, without the address it went wrong at."""
    if isinstance(failure, Lost):
        return failure
    if isinstance(failure, InvalidStatus):
        status = failure.response.status_code
        return Lost(f"HTTP {status}", pause_s=retry_after_s(failure.response.headers), throttled=status == 429)
    return Lost(type(failure).__name__)
