"""Webhook subscriptions. A new one starts after the newest event: what happened before is not sent."""

from __future__ import annotations

from domain.shared.errors import Rejected
from storage.database import Connection
from storage.events import audit, new_id


async def add_webhook(
    connection: Connection, *, account_id: str, url: str, topics: list[str], secret: str, principal: str
) -> str:
    """Insert a subscription; return its id.

    The start is the newest position that no running transaction can still get under, so nothing committed later is
    missed and nothing older is sent.
    """
    webhook_id = new_id()
    await connection.execute(
        """INSERT INTO platform.webhooks (id, account_id, url, topics, secret, after_xact, after_id)
           SELECT %s, %s, %s, %s, %s, coalesce(max(x.xact), 0), coalesce(max(x.id) FILTER (WHERE x.last), 0)
           FROM (SELECT xact, id, row_number() OVER (ORDER BY xact DESC, id DESC) = 1 AS last FROM platform.outbox
                 WHERE xact < (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint
                 ORDER BY xact DESC, id DESC LIMIT 1) x""",
        [webhook_id, account_id, url, topics, secret],
    )
    await audit(connection, principal, "webhook_created", webhook_id, url=url, topics=topics)
    return webhook_id


async def delete_webhook(connection: Connection, *, webhook_id: str, principal: str) -> None:
    """End a subscription; its deliveries stay readable."""
    await connection.execute(
        "UPDATE platform.webhooks SET deleted_at = coalesce(deleted_at, clock_timestamp()) WHERE id = %s",
        [webhook_id],
    )
    await audit(connection, principal, "webhook_deleted", webhook_id)


async def redeliver(
    connection: Connection, *, webhook_id: str, delivery_id: str, principal: str, abandoned: bool = False
) -> str:
    """A new delivery of the same event under a new id, because the old one's process has ended; return the new id.

    One delivery row exists per webhook and event: the row is given a new id and starts over.

    Args:   abandoned  the process is known to have ended without an answer (terminated); without that a pending
                       delivery is under way.
    Raises: Rejected not_found; conflict while it is under way.
    """
    cursor = await connection.execute(
        """SELECT status FROM platform.webhook_deliveries WHERE id = %s AND webhook_id = %s FOR UPDATE""",
        [delivery_id, webhook_id],
    )
    row = await cursor.fetchone()
    if row is None:
        raise Rejected("not_found", "no such delivery")
    if row["status"] == "pending" and not abandoned:
        raise Rejected("conflict", "it is still being delivered")
    fresh = new_id()
    await connection.execute(
        """UPDATE platform.webhook_deliveries SET id = %s, status = 'pending', attempts = 0, last_error = '',
             delivered_at = NULL, dispatched_at = NULL WHERE id = %s""",
        [fresh, delivery_id],
    )
    await connection.execute("SELECT pg_notify('intents', '')")
    await audit(connection, principal, "webhook_redelivered", delivery_id, new_id=fresh)
    return fresh
