"""The locks of copying: one that keeps ingest and decisions apart, and the connections of feed and global portfolio.

Ingest. Whoever writes canonical rows or opens groups holds INGEST for its transaction and stamps detect times
then. So who waits for it once, shared, sees every group that was detected before (design/copytrade.md 3).

Two workers that both believe they are the feed cannot both write (storage/fence.py).
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Final

from storage import fence
from storage.database import Connection

INGEST: Final = 0x43_494E47_455354
"""Advisory: "CINGEST"."""
CLASS: Final = 7_200_040
FEED: Final = 1
GLOBAL: Final = 2
LONG_MS: Final = 30_000
COPYTRADE: Final = fence.Fence("copytrade", CLASS, {"statement_timeout": LONG_MS, "lock_timeout": LONG_MS})


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


def fenced(dsn: str, number: int) -> AbstractAsyncContextManager[Connection]:
    """The one connection of this number, FEED or GLOBAL."""
    return fence.fenced(dsn, COPYTRADE, number)
