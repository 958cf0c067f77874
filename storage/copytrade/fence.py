"""The locks of copying: one that keeps ingest and decisions apart, and connections of which there is one of a name.

Ingest. Whoever writes canonical rows or opens groups holds INGEST for its transaction and stamps detect times
then. So who waits for it once, shared, sees every group that was detected before (design/copytrade.md 3).

A fenced connection belongs to the session that holds its lock: whoever loses the lock has lost the connection, and what
it was about to write is lost with it. Two workers that both believe they are the feed cannot both write.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from storage.database import STATEMENT_TIMEOUT_MS, Connection, adapt, translated

log = structlog.get_logger(__name__)

INGEST: Final = 0x43_494E47_455354
"""Advisory: "CINGEST"."""
CLASS: Final = 7_200_040
FEED: Final = 1
GLOBAL: Final = 2
GRACE_S: Final = 1.0
"""How long the holder before us may take to let go; then its session is ended, and with it whatever it would write."""
LOOK_S: Final = 0.02
LONG_MS: Final = 30_000

_OPTIONS: Final = {
    "timezone": "UTC",
    "statement_timeout": LONG_MS,
    "lock_timeout": LONG_MS,
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


async def ingesting(connection: Connection) -> None:
    """Nobody else ingests, and nobody releases decisions, until this transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", [INGEST])


async def ingested(connection: Connection) -> None:
    """Whatever was detected until now is committed, hence visible to the next statement.

    The lock is the session's for one moment: a transaction that kept it would hold up the feed until it ends. No
    savepoint, as the driver forgets its prepared statements whenever one is rolled back.
    """
    await connection.execute("SELECT pg_advisory_lock_shared(%s)", [INGEST])
    await connection.execute("SELECT pg_advisory_unlock_shared(%s)", [INGEST])


@asynccontextmanager
async def fenced(dsn: str, number: int) -> AsyncIterator[Connection]:
    """The one connection of this number in the database; autocommit, so that transactions are explicit.

    Waits for the holder before us, and ends it when it does not let go.
    """
    async with translated():
        connection: Connection = await AsyncConnection.connect(
            dsn,
            autocommit=True,
            row_factory=dict_row,
            application_name=f"holdfast-copytrade-{number}",
            options=" ".join(f"-c {name}={value}" for name, value in _OPTIONS.items()),
        )
        async with connection:
            await adapt(connection)
            await _take(connection, number)
            yield connection


async def _take(connection: Connection, number: int) -> None:
    patience = time.monotonic() + GRACE_S
    while not await _try(connection, number):
        if time.monotonic() > patience:
            log.warning("copytrade_holder_ended", number=number)
            await connection.execute(_END_HOLDER, [CLASS, number])
            patience = time.monotonic() + GRACE_S
        await asyncio.sleep(LOOK_S)


async def _try(connection: Connection, number: int) -> bool:
    cursor = await connection.execute("SELECT pg_try_advisory_lock(%s, %s) AS taken", [CLASS, number])
    row = await cursor.fetchone()
    return row is not None and bool(row["taken"])
