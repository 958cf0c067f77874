"""The connection an engine writes with: its own, and locked to the engine's number for as long as it lives.

The lock belongs to the session that writes. Whoever loses the lock has lost the connection, so a write after that is
lost as well: two engines of one number cannot both change a market, whatever their processes believe.
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

CLASS: Final = 7_200_020
GRACE_S: Final = 1.0
"""How long the holder before us may take to let go: Temporal has given the engine to us, so the other one is gone,
or frozen and does not know it. Then its session is ended, and with it whatever it was about to write."""
LOOK_S: Final = 0.02

# Plans: one generic plan per statement over indexes, as a plan made while a table is empty stays in its session.
# A dead peer is noticed within seconds, and a transaction that nobody ends does not keep the market locked.
_OPTIONS: Final = {
    "timezone": "UTC",
    "statement_timeout": STATEMENT_TIMEOUT_MS,
    "lock_timeout": STATEMENT_TIMEOUT_MS,
    "idle_in_transaction_session_timeout": STATEMENT_TIMEOUT_MS,
    "tcp_keepalives_idle": 1,
    "tcp_keepalives_interval": 1,
    "tcp_keepalives_count": 3,
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
}
_END_HOLDER: Final = """
SELECT pg_terminate_backend(l.pid) FROM pg_locks l
WHERE l.locktype = 'advisory' AND l.granted AND l.classid = %s AND l.objid = %s AND l.objsubid = 2
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@asynccontextmanager
async def fenced(dsn: str, number: int) -> AsyncIterator[Connection]:
    """The one connection that may write for engine `number`; autocommit, so that transactions are explicit.

    Waits for the holder before us, and ends it when it does not let go.
    """
    async with translated():
        connection: Connection = await AsyncConnection.connect(
            dsn,
            autocommit=True,
            row_factory=dict_row,
            application_name=f"holdfast-engine-{number}",
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
            log.warning("engine_holder_ended", engine=number)
            await connection.execute(_END_HOLDER, [CLASS, number])
            patience = time.monotonic() + GRACE_S
        await asyncio.sleep(LOOK_S)


async def _try(connection: Connection, number: int) -> bool:
    cursor = await connection.execute("SELECT pg_try_advisory_lock(%s, %s) AS taken", [CLASS, number])
    row = await cursor.fetchone()
    return row is not None and bool(row["taken"])
