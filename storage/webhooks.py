"""From the outbox to deliveries: which webhook is told what, and how each delivery went."""

from __future__ import annotations

import json
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict

from domain.operations.messages import RecordAttempt
from domain.shared.events import PUBLIC_TOPICS
from storage.books import Book, Books
from storage.events import new_id, raise_alert, resolve_alert

FAILING: Final = "webhook_failing"
DELETED: Final = "the webhook was deleted"
_PUBLIC: Final = sorted(PUBLIC_TOPICS)
_LOCK: Final = "SELECT id FROM platform.webhooks WHERE deleted_at IS NULL ORDER BY id FOR UPDATE SKIP LOCKED"
# Only rows older than every running transaction: a transaction that began early and commits late has a small `xact`,
# and would be skipped by a reader that had gone past it. Locked rows are read by a statement of their own, so that the
# positions are those of now.
_NEXT: Final = """
SELECT w.id AS webhook_id, o.xact, o.id AS event_id,
  NOT a.disabled AND o.topic = ANY(w.topics) AND (a.role IN ('admin', 'operator') OR o.account_id = w.account_id
    OR (o.account_id IS NULL AND o.topic = ANY(%(public)s))) IS TRUE AS wanted
FROM platform.webhooks w JOIN platform.accounts a ON a.id = w.account_id
CROSS JOIN LATERAL (
  SELECT xact, id, topic, account_id FROM platform.outbox
  WHERE (xact, id) > (w.after_xact, w.after_id) AND xact < (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint
  ORDER BY xact, id LIMIT %(limit)s) o
WHERE w.id = ANY(%(webhooks)s::uuid[]) ORDER BY w.id, o.xact, o.id
"""
_CREATE: Final = """
INSERT INTO platform.webhook_deliveries (id, webhook_id, event_id)
SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::bigint[]) ON CONFLICT (webhook_id, event_id) DO NOTHING
"""
_MOVE: Final = """
UPDATE platform.webhooks w SET after_xact = p.xact, after_id = p.id
FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[]) AS p(webhook_id, xact, id) WHERE w.id = p.webhook_id
"""
_MESSAGE: Final = """
SELECT w.url, w.secret, w.deleted_at, o.id AS event_id, o.type, o.payload,
  (extract(epoch FROM o.created_at) * 1000000)::bigint AS micros,
  to_char(o.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS timestamp
FROM platform.webhook_deliveries d JOIN platform.webhooks w ON w.id = d.webhook_id
LEFT JOIN platform.outbox o ON o.id = d.event_id
WHERE d.id = %s AND d.status = 'pending'
"""


class WaitingDelivery(BaseModel):
    """A delivery whose workflow is not known to exist yet."""

    model_config = ConfigDict(frozen=True)
    delivery_id: str
    account_id: str
    summary: str


class OutgoingMessage(NamedTuple):
    """One POST. `message_id` is the event's: the same on every attempt and redelivery, and of no other event, even
    when a restore makes event numbers start again at an earlier one."""

    url: str
    secret: str
    message_id: str
    body: bytes


class WebhookStore:
    """One fan-out at a time holds the webhooks' rows; a second one finds nothing to do."""

    def __init__(self, books: Books) -> None:
        self.books = books

    async def fan_out(self, limit: int = 500) -> int:
        """Create the deliveries of up to `limit` events per webhook and move its position past them, in one
        transaction. Returns how many events were read; 0: there is nothing more now."""
        async with self.books.begin() as book:
            locked = [row["id"] for row in await (await book.connection.execute(_LOCK)).fetchall()]
            if not locked:
                return 0
            cursor = await book.connection.execute(_NEXT, {"limit": limit, "webhooks": locked, "public": _PUBLIC})
            rows = await cursor.fetchall()
            wanted = [row for row in rows if row["wanted"]]
            if wanted:
                ids = [new_id() for _ in wanted]
                columns = [[row[name] for row in wanted] for name in ("webhook_id", "event_id")]
                await book.connection.execute(_CREATE, [ids, *columns])
            last = {row["webhook_id"]: (row["xact"], row["event_id"]) for row in rows}
            if last:
                xacts, events = zip(*last.values(), strict=True)
                await book.connection.execute(_MOVE, [list(last), list(xacts), list(events)])
        return len(rows)

    async def waiting(self, limit: int = 200) -> list[WaitingDelivery]:
        """Deliveries to start, oldest first; also those an operator asked to repeat."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                """SELECT d.id AS delivery_id, w.account_id, 'Webhook: event ' || d.event_id AS summary
                   FROM platform.webhook_deliveries d JOIN platform.webhooks w ON w.id = d.webhook_id
                   WHERE d.dispatched_at IS NULL AND d.status = 'pending' ORDER BY d.id LIMIT %s""",
                [limit],
            )
            return [WaitingDelivery.model_validate(row) for row in await cursor.fetchall()]

    async def mark_started(self, delivery_ids: list[str]) -> None:
        async with self.books.begin() as book:
            await book.connection.execute(
                "UPDATE platform.webhook_deliveries SET dispatched_at = clock_timestamp() WHERE id = ANY(%s::uuid[])",
                [delivery_ids],
            )

    async def message(self, delivery_id: str) -> OutgoingMessage | str:
        """What to send, the same bytes every time; or why there is nothing to send any more."""
        async with self.books.begin() as book:
            row = await (await book.connection.execute(_MESSAGE, [delivery_id])).fetchone()
        if row is None:
            return "it has ended before"
        if row["deleted_at"] is not None:
            return DELETED
        if row["event_id"] is None:
            return "the event is not kept any more"
        body = {"type": row["type"], "timestamp": row["timestamp"], "data": row["payload"]}
        return OutgoingMessage(
            url=row["url"],
            secret=row["secret"],
            message_id=f"evt_{row['event_id']}_{row['micros']:x}",
            body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
        )

    async def record(self, attempt: RecordAttempt) -> None:
        """How it went. A delivery that has ended keeps its end."""
        status = "delivered" if attempt.delivered else "failed" if attempt.final else "pending"
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                """UPDATE platform.webhook_deliveries SET status = %(status)s, attempts = %(attempts)s,
                     last_error = CASE WHEN %(delivered)s THEN last_error ELSE %(error)s END,
                     delivered_at = CASE WHEN %(delivered)s THEN clock_timestamp() END
                   WHERE id = %(id)s AND status = 'pending' RETURNING webhook_id""",
                {
                    "status": status,
                    "attempts": attempt.attempts,
                    "delivered": attempt.delivered,
                    "error": attempt.detail[:500],
                    "id": attempt.delivery_id,
                },
            )
            row = await cursor.fetchone()
            if row is not None:
                await self._alert(book, row["webhook_id"], attempt)

    async def _alert(self, book: Book, webhook_id: str, attempt: RecordAttempt) -> None:
        """A receiver that stays away calls an operator; one that takes a delivery is well again."""
        if attempt.delivered:
            await resolve_alert(book.connection, FAILING, webhook_id, "a delivery")
        elif attempt.alarm:
            detail = f"given up after {attempt.attempts} attempts: {attempt.detail}"
            await raise_alert(book.connection, FAILING, webhook_id, detail[:500])
