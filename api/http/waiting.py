"""`Prefer: wait=N`: hold the answer until the resource is finished, at most N ≤ 10 seconds; 10 without a number."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from litestar import Request

LONGEST_S: Final = 10.0
_POLL_S: Final = 0.25
_WAIT: Final = re.compile(r"(?:^|[,;\s])wait(?:=([0-9]{1,3}))?(?:$|[,;\s])", re.ASCII)

Read = Callable[[], Awaitable[tuple[str, bool]]]


class Changes(Protocol):
    """Something that knows when anything was written to the outbox."""

    async def changed(self, timeout_s: float) -> None: ...


def asked(request: Request[Any, Any, Any]) -> float:
    """Seconds the client is willing to wait; 0 without the header."""
    match = _WAIT.search(request.headers.get("prefer", ""))
    return min(float(match.group(1) or LONGEST_S), LONGEST_S) if match else 0.0


async def until_finished(changes: Changes, seconds: float, read: Read) -> str | None:
    """Read again on every change until the resource is finished.

    Args:     read  gives the resource's JSON and whether it is finished.
    Returns:  the finished resource, or None when the time is over.
    """
    deadline = time.monotonic() + seconds
    while True:
        body, finished = await read()
        if finished:
            return body
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        await changes.changed(min(left, _POLL_S))
        await asyncio.sleep(0.005)
