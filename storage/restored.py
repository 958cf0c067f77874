"""Before and after a restore: is the target empty, and what must be set right in restored books (CG-087).

The restored workflow store is a little older than the restored books, or missing altogether. Both heal from here:
every operation that has not ended is dispatched again. Its process is found running and repeats its last steps, or it
is started anew from its row under the same id.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from domain.shared.errors import Rejected
from storage.database import Connection, translated

_USED: Final = """
SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
ORDER BY 1 LIMIT 1
"""
# The outbox is ordered by transaction number, and a new server counts from the beginning. Everything old is moved
# below zero in its old order, so that what is written from now on comes after it. Readers' positions move along.
_SHIFT: Final = """
WITH newest AS (SELECT greatest((SELECT max(xact) FROM platform.outbox),
                                (SELECT max(after_xact) FROM platform.webhooks),
                                (SELECT max(after_xact) FROM platform.outbox_cursors), 0) + 1 AS xact),
  events AS (UPDATE platform.outbox SET xact = outbox.xact - newest.xact FROM newest RETURNING 1),
  hooks AS (UPDATE platform.webhooks SET after_xact = after_xact - newest.xact FROM newest RETURNING 1),
  cursors AS (UPDATE platform.outbox_cursors SET after_xact = after_xact - newest.xact FROM newest RETURNING 1)
SELECT (SELECT count(*) FROM events) AS events, (SELECT count(*) FROM hooks) AS hooks
"""
# The run that wrote this very backup is in it as running; it is over.
_END_UPKEEP: Final = """
UPDATE platform.operations SET status = 'cancelled', summary = 'ended by a restore', finished_at = clock_timestamp()
WHERE kind IN ('backup', 'restore_drill') AND finished_at IS NULL
"""
_DISPATCH_AGAIN: Final = (
    "UPDATE platform.operations SET dispatched_at = NULL WHERE finished_at IS NULL",
    "UPDATE platform.webhook_deliveries SET dispatched_at = NULL WHERE status = 'pending'",
)


class Settled(NamedTuple):
    """How many processes and deliveries will be started again."""

    operations: int
    deliveries: int


async def require_empty(dsn: str) -> None:
    """Raises: Rejected conflict when the database holds any table; Unavailable."""
    async with translated():
        connection = await _connect(dsn)
        async with connection:
            row = await (await connection.execute(_USED)).fetchone()
    if row is not None:
        raise Rejected("conflict", f"the target is not empty: it holds {row['name']}")


async def settle(dsn: str) -> Settled:
    """Make restored books go on where they are. Again: changes nothing that matters."""
    async with translated():
        connection = await _connect(dsn)
        async with connection, connection.transaction():
            await connection.execute(_SHIFT)
            await connection.execute(_END_UPKEEP)
            counts = [(await connection.execute(statement)).rowcount for statement in _DISPATCH_AGAIN]
    return Settled(*counts)


async def _connect(dsn: str) -> Connection:
    return await AsyncConnection.connect(
        dsn, autocommit=True, row_factory=dict_row, application_name="holdfast-restore", options="-c timezone=UTC"
    )
