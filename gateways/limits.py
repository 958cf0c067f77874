"""How many calls a second an upstream may see from this process, and how long it asks us to wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

Clock = Callable[[], float]
"""Seconds that never go back, as time.monotonic gives."""

Sleep = Callable[[float], Awaitable[None]]

PAUSE_MAX_S: Final = 60.0
"""No upstream may silence us for longer with one Retry-After."""


class TokenBucket:
    """`rate_per_s` calls a second on average, `burst` at once.

    Callers are served in the order they ask: each takes its tokens at once, the level may go below zero, and whoever
    took the level below zero sleeps until the bucket has caught up. So there is no queue to starve in.
    """

    def __init__(
        self, rate_per_s: float, burst: int, *, clock: Clock = time.monotonic, sleep: Sleep = asyncio.sleep
    ) -> None:
        if rate_per_s <= 0 or burst < 1:
            raise ValueError("rate_per_s must be positive and burst at least 1")
        self._rate, self._burst = rate_per_s, float(burst)
        self._clock, self._sleep = clock, sleep
        self._level, self._filled_at = float(burst), clock()
        self._paused_until = 0.0

    def wait_s(self, cost: int = 1) -> float:
        """Seconds a call of this cost would wait now; 0 when it may go at once."""
        self._fill()
        debt = max(0.0, cost - self._level) if cost <= self._burst else max(0.0, self._burst - self._level)
        return max(debt / self._rate, self._paused_until - self._clock())

    async def take(self, cost: int = 1, *, at_most_s: float | None = None) -> bool:
        """Wait for one's turn. False, and nothing taken, when that would last longer than `at_most_s`.

        A call dearer than the whole bucket goes when the bucket is full and leaves a debt, so it never waits for ever.
        """
        wait = self.wait_s(cost)
        if at_most_s is not None and wait > at_most_s:
            return False
        self._level -= cost
        if wait > 0:
            try:
                await self._sleep(wait)
            except asyncio.CancelledError:
                self._level += cost
                raise
        return True

    def pause(self, seconds: float) -> None:
        """Let nobody through for a while: the upstream said Retry-After."""
        until = self._clock() + min(max(0.0, seconds), PAUSE_MAX_S)
        self._paused_until = max(self._paused_until, until)

    def _fill(self) -> None:
        now = self._clock()
        self._level = min(self._burst, self._level + (now - self._filled_at) * self._rate)
        self._filled_at = now


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds a Retry-After header asks for, as number or date; 0 without one or when it cannot be read.

    Args:  headers  with lower-case names, or indifferent to case as httpx's are.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # no date, or one without a zone: treated as absent, our own back-off applies
        return 0.0
