"""Where the chain trigger stands: the last block it saw, its socket, and what it asks of the feed. One checkpoint each.

Keys: `polygon:last_block`, `polygon:socket`, `polygon:reread`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from psycopg.types.json import Jsonb

from domain.shared.times import rfc3339
from storage.books import Books
from storage.copytrade.chain_logs import CHANNEL
from storage.database import Connection
from storage.events import raise_alert, resolve_alert

LAST_BLOCK, SOCKET, REREAD = "polygon:last_block", "polygon:socket", "polygon:reread"
SUBJECT: Final = "polygon"

State = Literal["up", "down", "off"]


class Resume(NamedTuple):
    """Where the last turn ended. `wait_s`: a node asked to be left alone for so long."""

    last_block: int | None
    wait_s: float


class ChainStateStore:
    def __init__(self, books: Books) -> None:
        self.books = books

    async def resume(self) -> Resume:
        async with self.books.begin() as book:
            last = await _get(book.connection, LAST_BLOCK)
            socket = await _get(book.connection, SOCKET) or {}
        until = socket.get("not_before")
        wait = (datetime.fromisoformat(until) - datetime.now(UTC)).total_seconds() if until else 0.0
        return Resume(int(last["block"]) if last else None, max(0.0, min(wait, 600.0)))

    async def reached(self, block: int) -> None:
        """Everything up to this block has been told, as far as the node tells everything."""
        async with self.books.begin() as book:
            await _put(book.connection, LAST_BLOCK, {"block": block})

    async def up(self, wallets: int, *, reread_s: int) -> None:
        """Subscribed. With `reread_s` the feed is asked to read so much of the past again: nobody told of it."""
        now = datetime.now(UTC)
        async with self.books.begin() as book:
            before = await _get(book.connection, SOCKET) or {}
            since = rfc3339(now) if reread_s or before.get("state") != "up" else before["since"]
            await _put(book.connection, SOCKET, {"state": "up", "since": since, "wallets": wallets})
            if reread_s:
                await ask_reread(book.connection, now - timedelta(seconds=reread_s))

    async def flowing(self) -> None:
        """A head came: the subscription is alive. Its alert is over."""
        async with self.books.begin() as book:
            await resolve_alert(book.connection, "websocket_down", SUBJECT, "chain trigger")

    async def down(self, reason: str, pause_s: float, *, throttled: bool, failures: int, alert_after: int) -> None:
        """The socket is lost; after some failures in a row an operator is told. Polls go on without it."""
        now = datetime.now(UTC)
        value: dict[str, Any] = {"state": "down", "since": rfc3339(now), "reason": reason, "failures": failures}
        if throttled:
            value["not_before"] = rfc3339(now + timedelta(seconds=pause_s))
        async with self.books.begin() as book:
            before = await _get(book.connection, SOCKET) or {}
            if before.get("state") == "down":
                value["since"] = before["since"]
            await _put(book.connection, SOCKET, value)
            if failures >= alert_after:
                detail = f"{failures} connections lost in a row, the last one: {reason}"
                await raise_alert(book.connection, "websocket_down", SUBJECT, detail)

    async def off(self) -> None:
        """No node is configured: leaders are polled only."""
        async with self.books.begin() as book:
            await _put(book.connection, SOCKET, {"state": "off", "since": rfc3339(datetime.now(UTC))})


async def ask_reread(connection: Connection, start: datetime) -> None:
    """Have the feed read every leader again from `start` on, soon. Several wishes are one, from the earliest."""
    await connection.execute(
        """INSERT INTO copytrade.checkpoints AS c (key, value) VALUES (%s, jsonb_build_object('from', %s::text))
           ON CONFLICT (key) DO UPDATE SET updated_at = clock_timestamp(),
             value = jsonb_build_object('from', least(c.value->>'from', excluded.value->>'from'))""",
        [REREAD, start.astimezone(UTC).isoformat()],
    )
    await connection.execute("SELECT pg_notify(%s, '')", [CHANNEL])


async def take_reread(connection: Connection) -> datetime | None:
    """The feed's side: from when on it shall read again, or None. Taken for good when the transaction commits."""
    cursor = await connection.execute(
        "DELETE FROM copytrade.checkpoints WHERE key = %s RETURNING value->>'from' AS start", [REREAD]
    )
    row = await cursor.fetchone()
    return datetime.fromisoformat(row["start"]) if row else None


async def _get(connection: Connection, key: str) -> dict[str, Any] | None:
    cursor = await connection.execute("SELECT value FROM copytrade.checkpoints WHERE key = %s", [key])
    row = await cursor.fetchone()
    return dict(row["value"]) if row else None


async def _put(connection: Connection, key: str, value: dict[str, Any]) -> None:
    await connection.execute(
        """INSERT INTO copytrade.checkpoints (key, value) VALUES (%s, %s)
           ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = clock_timestamp()""",
        [key, Jsonb(value)],
    )
