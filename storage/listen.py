"""LISTEN as wake-ups: a hint that something was committed, never the thing itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import psycopg
import structlog
from psycopg import AsyncConnection, sql

log = structlog.get_logger(__name__)


async def ended(task: asyncio.Task[None]) -> None:
    """Cancel a task until it has ended: in Python 3.11 a wait inside the driver can lose a cancellation."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.5)  # noqa: TID251  (not a workflow)


class Listener:
    """Opens one connection of its own per use: pooled ones must not keep subscriptions."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    @asynccontextmanager
    async def listen(
        self, channel: str, silence_s: float, wanted: Callable[[str], bool] | None = None
    ) -> AsyncIterator[AsyncIterator[None]]:
        """Yield an iterator that ticks at once, then after every notification, and at least every `silence_s`.

        A lost connection only makes it tick by time; it is opened again in the background. `wanted` chooses
        notifications by their payload.
        """
        wake = asyncio.Event()
        wake.set()
        task = asyncio.create_task(self._follow(channel, wake, wanted or (lambda _: True)))
        try:
            yield self._ticks(wake, silence_s)
        finally:
            await ended(task)

    async def _ticks(self, wake: asyncio.Event, silence_s: float) -> AsyncIterator[None]:
        while True:
            # silence is a tick too: a notification may have been lost with its connection
            # not wait_for: in Python 3.11 it loses a cancellation that comes together with the wake-up
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(silence_s):
                    await wake.wait()
            wake.clear()
            yield

    async def _follow(self, channel: str, wake: asyncio.Event, wanted: Callable[[str], bool]) -> None:
        while True:
            try:
                connection = await AsyncConnection.connect(self.dsn, autocommit=True)
                async with connection:
                    await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                    wake.set()
                    async for notification in connection.notifies():
                        if wanted(notification.payload):
                            wake.set()
            except psycopg.Error as error:
                log.warning("listen_lost", channel=channel, error=type(error).__name__)
            await asyncio.sleep(1)
