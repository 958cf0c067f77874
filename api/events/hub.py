"""One LISTEN connection per process; its news fan out to event streams and to requests that wait."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from storage.database import Connection
from storage.listen import ended
from storage.reads import events
from storage.reads.events import OutboxRow, Position

_IDLE_S: Final = 1.0
_BEHIND_S: Final = 0.02
"""How soon to look again while rows wait for a running transaction."""
_RECONNECT_S: Final = 0.5
_QUEUE: Final = 1_000
_log = structlog.get_logger("api.events")


class Subscription:
    """One client's queue. When it is full the client is too slow: it is ended and resumes by Last-Event-ID."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[OutboxRow | None] = asyncio.Queue(_QUEUE)
        self.ended = False

    def offer(self, row: OutboxRow) -> None:
        if self.queue.full():
            self.ended = True
        else:
            self.queue.put_nowait(row)

    def end(self) -> None:
        """Wake the client's stream and let it finish."""
        self.ended = True
        if not self.queue.full():
            self.queue.put_nowait(None)


class Hub:
    """Follows the outbox. `position` is how far it has told."""

    def __init__(self, database_url: str) -> None:
        self._dsn = database_url
        self._subscriptions: set[Subscription] = set()
        self._task: asyncio.Task[None] | None = None
        self._pulse = asyncio.Event()
        self.position: Position | None = None
        self.connected = False

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="event-hub")

    async def stop(self) -> None:
        """End every stream and the connection."""
        self.close_streams()
        if self._task is not None:
            await ended(self._task)
            self._task = None

    def close_streams(self) -> None:
        """Tell every client's stream to end: the server is going."""
        for subscription in self._subscriptions:
            subscription.end()

    def subscribe(self) -> Subscription:
        subscription = Subscription()
        self._subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)

    @property
    def pulse(self) -> asyncio.Event:
        """Set by the next write to the outbox from now on."""
        return self._pulse

    async def changed(self, timeout_s: float, pulse: asyncio.Event | None = None) -> None:
        """Until anything is written to the outbox, since `pulse` was taken if given, or the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                await (pulse or self._pulse).wait()
        except TimeoutError:
            return

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
            except (psycopg.Error, OSError) as error:
                self.connected = False
                _log.warning("listen_lost", error=type(error).__name__)
                await asyncio.sleep(_RECONNECT_S)

    async def _follow(self) -> None:
        connection: Connection = await AsyncConnection.connect(
            self._dsn,
            autocommit=True,
            row_factory=dict_row,
            application_name="holdfast-api-listen",
            options="-c timezone=UTC -c statement_timeout=5000",
        )
        async with connection:
            connection.adapters.register_loader("uuid", psycopg.types.string.TextLoader)
            await connection.execute("LISTEN outbox")
            if self.position is None:
                self.position = await events.now(connection)
            self.connected = True
            while True:
                behind = await self._tell(connection)
                await self._hear(connection, _BEHIND_S if behind else _IDLE_S)

    async def _hear(self, connection: AsyncConnection[DictRow], timeout_s: float) -> None:
        async for _ in connection.notifies(timeout=timeout_s, stop_after=1):
            self._beat()

    def _beat(self) -> None:
        pulse, self._pulse = self._pulse, asyncio.Event()
        pulse.set()

    async def _tell(self, connection: Connection) -> bool:
        if not self._subscriptions:
            here = await events.now(connection)
            if not self._subscriptions:
                # nobody listens, nor came meanwhile: whoever does starts from here, and the events need not be read
                self.position = here
                return False
        while True:
            assert self.position is not None
            rows, waiting = await events.since(connection, self.position)
            self._fan_out(rows)
            if not rows:
                return waiting

    def _fan_out(self, rows: Iterable[OutboxRow]) -> None:
        for row in rows:
            for subscription in self._subscriptions:
                subscription.offer(row)
            self.position = row.position
