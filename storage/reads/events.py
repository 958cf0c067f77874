"""The outbox in an order that never skips: only rows older than every running transaction, by (xact, id).

A transaction that began early and commits late writes rows with a small `xact`; a reader that took newer rows first
would never see them. So nothing at or above the oldest running transaction is handed out yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from storage.database import Connection, Pool
from storage.reads.base import reading

_COLUMNS: Final = "xact, id, topic, type, version, account_id, payload::text AS payload, created_at::text AS created_at"
_FRONTIER: Final = "(pg_snapshot_xmin(pg_current_snapshot())::text)::bigint"


class Position(NamedTuple):
    """A place in the outbox; `id:` of a server-sent event is `{xact}-{id}`."""

    xact: int
    id: int

    def __str__(self) -> str:
        return f"{self.xact}-{self.id}"


class OutboxRow(NamedTuple):
    position: Position
    topic: str
    type: str
    version: int
    account_id: str | None
    payload: str
    created_at: str


async def now(connection: Connection) -> Position:
    """Just before the oldest running transaction: everything before was or could be delivered."""
    row = await (await connection.execute(f"SELECT {_FRONTIER} AS xact")).fetchone()
    assert row is not None
    return Position(row["xact"], 0)


async def since(
    connection: Connection, after: Position, *, topics: Sequence[str] | None = None, limit: int = 500
) -> tuple[list[OutboxRow], bool]:
    """Rows after a position that may be told now, and whether newer ones wait for a running transaction."""
    cursor = await connection.execute(
        f"""SELECT {_COLUMNS} FROM platform.outbox
            WHERE (xact, id) > (%(xact)s, %(id)s) AND xact < {_FRONTIER}
              AND (%(topics)s::text[] IS NULL OR topic = ANY(%(topics)s))
            ORDER BY xact, id LIMIT %(limit)s""",
        {"xact": after.xact, "id": after.id, "topics": list(topics) if topics else None, "limit": limit},
    )
    rows = [
        OutboxRow(
            Position(r["xact"], r["id"]), r["topic"], r["type"], r["version"], r["account_id"], r["payload"],
            r["created_at"],
        )
        for r in await cursor.fetchall()
    ]  # fmt: skip
    cursor = await connection.execute(f"SELECT EXISTS (SELECT 1 FROM platform.outbox WHERE xact >= {_FRONTIER}) AS yes")
    waiting = await cursor.fetchone()
    return rows, bool(waiting and waiting["yes"])


async def resumable(pool: Pool, after: Position) -> Position | None:
    """None when a client that was told everything up to `after` can go on there; else where it must begin anew: now.

    It cannot when the outbox does not hold that event: it is older than what is kept, or its number comes from a
    server whose database has been restored since. Numbers start again then, and waiting for larger ones would be
    silence. A position without an event (id 0) is one that was handed out here.
    """
    async with reading(pool) as connection:
        current = await now(connection)
        if after.id == 0:
            return None if after.xact <= current.xact else current
        cursor = await connection.execute(
            "SELECT 1 FROM platform.outbox WHERE id = %s AND xact = %s", [after.id, after.xact]
        )
        return None if await cursor.fetchone() is not None else current


async def backlog(pool: Pool, after: Position, topics: Sequence[str] | None, limit: int = 500) -> list[OutboxRow]:
    """Rows after a position, for a client that resumes."""
    async with reading(pool) as connection:
        rows, _ = await since(connection, after, topics=topics, limit=limit)
    return rows
