"""A connection of which there is one of a number in the database: its own session, locked for as long as it lives.

The lock belongs to the session that writes. Whoever loses the lock has lost the connection, so a write after that is
lost as well: two processes that both believe they hold a number cannot both write.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import structlog
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from storage.database import STATEMENT_TIMEOUT_MS, Connection, adapt, translated

log = structlog.get_logger(__name__)

GRACE_S: Final = 1.0
"""How long the holder before us may take to let go: Temporal has given the work to us, so the other one is gone,
or frozen and does not know it. Then its session is ended, and with it whatever it was about to write."""
LOOK_S: Final = 0.02

# A dead peer is noticed within seconds, and a transaction that nobody ends does not keep its locks.
_OPTIONS: Final[Mapping[str, int | str]] = {
    "timezone": "UTC",
    "statement_timeout": STATEMENT_TIMEOUT_MS,
    "lock_timeout": STATEMENT_TIMEOUT_MS,
    "idle_in_transaction_session_timeout": STATEMENT_TIMEOUT_MS,
    "tcp_keepalives_idle": 1,
    "tcp_keepalives_interval": 1,
    "tcp_keepalives_count": 3,
}
_END_HOLDER: Final = """
SELECT pg_terminate_backend(l.pid) FROM pg_locks l
WHERE l.locktype = 'advisory' AND l.granted AND l.classid = %s AND l.objid = %s AND l.objsubid = 2
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Fence(NamedTuple):
    """What is fenced. `lock_class`: one number each of the advisory locks. `options`: session settings of its own."""

    name: str
    lock_class: int
    options: Mapping[str, int | str] = {}


@asynccontextmanager
async def fenced(dsn: str, fence: Fence, number: int) -> AsyncIterator[Connection]:
    """The one connection of this number; autocommit, so that transactions are explicit.

    Waits for the holder before us, and ends it when it does not let go.
    """
    options = {**_OPTIONS, **fence.options}
    async with translated():
        connection: Connection = await AsyncConnection.connect(
            dsn,
            autocommit=True,
            row_factory=dict_row,
            application_name=f"holdfast-{fence.name}-{number}",
            options=" ".join(f"-c {name}={value}" for name, value in options.items()),
        )
        async with connection:
            await adapt(connection)
            await _take(connection, fence, number)
            yield connection


async def _take(connection: Connection, fence: Fence, number: int) -> None:
    patience = time.monotonic() + GRACE_S
    while not await _try(connection, fence, number):
        if time.monotonic() > patience:
            log.warning("holder_ended", fence=fence.name, number=number)
            await connection.execute(_END_HOLDER, [fence.lock_class, number])
            patience = time.monotonic() + GRACE_S
        await asyncio.sleep(LOOK_S)


async def _try(connection: Connection, fence: Fence, number: int) -> bool:
    cursor = await connection.execute("SELECT pg_try_advisory_lock(%s, %s) AS taken", [fence.lock_class, number])
    row = await cursor.fetchone()
    return row is not None and bool(row["taken"])
