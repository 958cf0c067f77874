"""Heartbeats for long activities: fast failover when a worker dies, prompt end when it shuts down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from temporalio import activity

from domain.shared.errors import Unavailable

BEAT_S = 0.5


async def ended(task: asyncio.Task[Any]) -> None:
    """Cancel a task until it has ended: in Python 3.11 a wait inside a driver can lose a cancellation."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.5)  # noqa: TID251  (not a workflow)


@asynccontextmanager
async def beating(every_s: float = BEAT_S) -> AsyncIterator[None]:
    """Beat in the background while the block runs; Temporal retries elsewhere soon after the beats stop."""

    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(every_s)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        await ended(task)


def leave_if_stopping() -> None:
    """Give the turn to another worker when this one shuts down."""
    if activity.is_worker_shutdown():
        raise Unavailable("unavailable", "this worker is shutting down")
