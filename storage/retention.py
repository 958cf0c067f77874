"""What is removed when it is old enough. Money, audit, deposits and withdrawals are never touched."""

from __future__ import annotations

from typing import Final, LiteralString

from storage.backup_runs import note_run
from storage.books import Books

BATCH: Final = 2_000
BATCHES: Final = {"unused_pictures": 20}
"""Fewer where a row has megabytes."""

RULES: Final[dict[str, LiteralString]] = {
    "idempotency_keys": """
        DELETE FROM platform.idempotency_keys WHERE ctid = ANY(ARRAY(
          SELECT ctid FROM platform.idempotency_keys WHERE created_at < clock_timestamp() - interval '7 days'
          LIMIT %(limit)s FOR UPDATE SKIP LOCKED))""",
    "sessions": """
        DELETE FROM platform.sessions WHERE ctid = ANY(ARRAY(
          SELECT ctid FROM platform.sessions WHERE expires_at < clock_timestamp()
          LIMIT %(limit)s FOR UPDATE SKIP LOCKED))""",
    "webhook_deliveries": """
        DELETE FROM platform.webhook_deliveries WHERE ctid = ANY(ARRAY(
          SELECT ctid FROM platform.webhook_deliveries
          WHERE status IN ('delivered', 'failed') AND created_at < clock_timestamp() - interval '30 days'
          LIMIT %(limit)s FOR UPDATE SKIP LOCKED))""",
    # an event stays as long as a webhook or another consumer has not read it, or its delivery is under way
    "outbox": """
        DELETE FROM platform.outbox WHERE ctid = ANY(ARRAY(
          SELECT o.ctid FROM platform.outbox o
          WHERE o.created_at < clock_timestamp() - interval '30 days'
            AND NOT EXISTS (SELECT 1 FROM platform.webhooks w
                            WHERE w.deleted_at IS NULL AND (o.xact, o.id) > (w.after_xact, w.after_id))
            AND NOT EXISTS (SELECT 1 FROM platform.webhook_deliveries d
                            WHERE d.event_id = o.id AND d.status = 'pending')
            AND NOT EXISTS (SELECT 1 FROM platform.outbox_cursors c WHERE (o.xact, o.id) > (c.after_xact, c.after_id))
          LIMIT %(limit)s FOR UPDATE SKIP LOCKED))""",
    "price_ticks": """
        DELETE FROM exchange.price_ticks WHERE ctid = ANY(ARRAY(
          SELECT p.ctid FROM exchange.assets a CROSS JOIN LATERAL (
            SELECT ctid FROM exchange.price_ticks
            WHERE asset_id = a.id AND ticked_at < clock_timestamp() - %(tick_days)s * interval '1 day'
            LIMIT %(limit)s) p
          LIMIT %(limit)s))""",
    # minutes of paper portfolios; their hours are kept for ever
    "portfolio_snapshots": """
        DELETE FROM copytrade.portfolio_snapshots WHERE ctid = ANY(ARRAY(
          SELECT p.ctid FROM copytrade.portfolios f CROSS JOIN LATERAL (
            SELECT ctid FROM copytrade.portfolio_snapshots
            WHERE portfolio_id = f.id AND bucket_time < clock_timestamp() - interval '30 days'
            ORDER BY bucket_time LIMIT %(limit)s) p
          LIMIT %(limit)s))""",
    # the last of an hour is kept for ever: an hourly snapshot was made with it; what was thinned before stays
    "mark_prices": """
        DELETE FROM copytrade.mark_prices WHERE ctid = ANY(ARRAY(
          SELECT p.ctid FROM (SELECT DISTINCT token_id FROM copytrade.positions) t CROSS JOIN LATERAL (
            SELECT m.ctid FROM copytrade.mark_prices m
            WHERE m.token_id = t.token_id AND m.bucket_time < clock_timestamp() - interval '30 days'
              AND m.bucket_time > clock_timestamp() - interval '40 days' AND EXISTS (
                SELECT 1 FROM copytrade.mark_prices l WHERE l.token_id = m.token_id AND l.bucket_time > m.bucket_time
                  AND l.bucket_time < date_trunc('hour', m.bucket_time, 'UTC') + interval '1 hour')
            LIMIT %(limit)s) p
          LIMIT %(limit)s))""",
    # a picture that a launch begins to use is locked by it; the foreign key refuses what slips between
    "unused_pictures": """
        DELETE FROM launchpad.assets WHERE ctid = ANY(ARRAY(
          SELECT a.ctid FROM launchpad.assets a
          WHERE a.uploaded_at < clock_timestamp() - %(asset_days)s * interval '1 day'
            AND NOT EXISTS (SELECT 1 FROM launchpad.launch_assets u WHERE u.asset_id = a.id)
          LIMIT %(limit)s FOR UPDATE SKIP LOCKED))""",
}
"""In this order: deliveries before the events they are about."""


class RetentionStore:
    def __init__(self, books: Books, tick_days: int = 400, asset_days: int = 7) -> None:
        self.books = books
        self.days = {"tick_days": tick_days, "asset_days": asset_days}

    async def delete_batch(self, rule: str) -> tuple[int, bool]:
        """One short transaction; returns how many rows went, and whether there may be more."""
        limit = BATCHES.get(rule, BATCH)
        async with self.books.begin() as book:
            gone = (await book.connection.execute(RULES[rule], {"limit": limit, **self.days})).rowcount
        return gone, gone == limit

    async def record(self, deleted: dict[str, int]) -> None:
        async with self.books.begin() as book:
            await note_run(book.connection, "retention", ok=True, detail={**deleted})
