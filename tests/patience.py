"""Waiting for a state. The bound is there to end a test that hangs: it costs nothing while things work, and a machine
that is half as fast and busy with something else needs all of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE_S = 100.0


async def until(
    look: Callable[[], Awaitable[T]],
    good: Callable[[T], Any] = bool,
    seconds: float = PATIENCE_S,
    every: float = 0.05,
) -> T:
    """Looks again until it is as expected; the last look stands in the failure's message."""
    deadline = time.monotonic() + seconds
    while not good(seen := await look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {seen!r} after {seconds} s")
        await asyncio.sleep(every)
    return seen
