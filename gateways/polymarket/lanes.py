"""One limit for all requests to the venue, with lanes: whoever waits for a trade goes before a mark."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from typing import Final

from gateways.limits import Sleep, TokenBucket
from gateways.polymarket.routes import Lane

_TURN_MIN_S: Final = 0.001


class Lanes:
    """A token bucket whose waiting callers are served by lane, and within a lane in the order they came.

    While nobody waits it is the bucket alone. Strict: a lane moves only when those before it are empty, which the
    buckets of the routes see to, since the first lanes cannot fill the overall limit for long.
    """

    def __init__(self, bucket: TokenBucket, *, sleep: Sleep = asyncio.sleep) -> None:
        self._bucket, self._sleep = bucket, sleep
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._number = itertools.count()
        self._server: asyncio.Task[None] | None = None

    async def take(self, lane: Lane, *, at_most_s: float) -> bool:
        """Wait for one's turn. False, and nothing taken, when it does not come in time."""
        if not self._waiting and await self._bucket.take(at_most_s=0):
            return True
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (lane, next(self._number), turn))
        if self._server is None or self._server.done():
            self._server = asyncio.create_task(self._serve())
        try:
            async with asyncio.timeout(at_most_s):
                await turn
        except TimeoutError:
            return False
        return True

    async def aclose(self) -> None:
        if self._server is not None:
            self._server.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._server

    async def _serve(self) -> None:
        """Hand out tokens until nobody waits. Whoever gave up (timeout, cancelled) costs none."""
        while self._waiting:
            wait = self._bucket.wait_s()
            if wait > 0:
                await self._sleep(max(wait, _TURN_MIN_S))
                continue
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done() and await self._bucket.take(at_most_s=0):
                turn.set_result(None)
