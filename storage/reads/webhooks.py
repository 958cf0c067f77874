"""Webhook subscriptions and what became of their deliveries. The signing secret is never read here."""

from __future__ import annotations

from typing import Final

from storage.database import Pool
from storage.reads.base import Found, Listing, Row, fetch_item, fetch_page, moment

WEBHOOKS: Final = Listing(
    body=f"""json_build_object('id', h.id, 'account_id', h.account_id, 'url', h.url, 'topics', h.topics,
             'created_at', {moment("h.created_at")})""",
    source="(SELECT * FROM platform.webhooks WHERE deleted_at IS NULL) h",
    key="h.id",
    extra="h.account_id AS owner",
)
DELIVERIES: Final = Listing(
    body=f"""json_build_object('id', d.id, 'webhook_id', d.webhook_id, 'event_id', d.event_id::text,
             'event_type', o.type, 'topic', o.topic, 'status', d.status, 'attempts', d.attempts,
             'last_error', d.last_error, 'delivered_at', {moment("d.delivered_at")},
             'created_at', {moment("d.created_at")})""",
    source="platform.webhook_deliveries d LEFT JOIN platform.outbox o ON o.id = d.event_id",
    key="d.id",
    extra="d.webhook_id, d.status, d.dispatched_at IS NOT NULL AS dispatched",
)


async def webhook(pool: Pool, webhook_id: str) -> Row | None:
    return await fetch_item(pool, WEBHOOKS, webhook_id)


async def webhooks(pool: Pool, *, account_id: str | None, limit: int, after: str | None) -> Found:
    return await fetch_page(pool, WEBHOOKS, [("h.account_id = %s::uuid", account_id)], limit=limit, after=after)


async def deliveries(pool: Pool, webhook_id: str, *, status: str | None, limit: int, after: str | None) -> Found:
    filters = [("d.webhook_id = %s::uuid", webhook_id), ("d.status = %s", status)]
    return await fetch_page(pool, DELIVERIES, filters, limit=limit, after=after)


async def delivery(pool: Pool, delivery_id: str) -> Row | None:
    return await fetch_item(pool, DELIVERIES, delivery_id)
