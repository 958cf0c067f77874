"""The event feed: what the outbox says about assets, in an order that never skips (see storage/reads/events.py)."""

from __future__ import annotations

from typing import Final, NamedTuple

from domain.exchange.price_messages import AssetNews
from storage.books import Books

CONSUMER: Final = "prices"
WANTED: Final = ("trade", "asset_activated")
"""Types of events on the topics `trades` and `assets` that a price engine is told of."""
_CURSOR: Final = """
INSERT INTO platform.outbox_cursors (consumer) VALUES (%s) ON CONFLICT DO NOTHING
"""
_READ: Final = """
SELECT o.xact, o.id, CASE WHEN o.topic IN ('trades', 'assets') AND o.type = ANY(%s) THEN o.payload->>'asset_id' END
  AS asset_id, c.after_xact, c.after_id
FROM platform.outbox_cursors c CROSS JOIN LATERAL (
  SELECT xact, id, topic, type, payload FROM platform.outbox
  WHERE (xact, id) > (c.after_xact, c.after_id) AND xact < (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint
  ORDER BY xact, id LIMIT %s) o
WHERE c.consumer = %s ORDER BY o.xact, o.id
"""
_MOVE: Final = """
UPDATE platform.outbox_cursors SET after_xact = %s, after_id = %s, updated_at = clock_timestamp()
WHERE consumer = %s AND (after_xact, after_id) = (%s, %s)
"""


class Position(NamedTuple):
    xact: int
    id: int


class Page(NamedTuple):
    """What stands between two positions: the news of each asset, and how many events they are."""

    after: Position
    upto: Position
    news: dict[str, AssetNews]
    events: int


class FeedStore:
    """Reading moves nothing: the cursor is moved when the news have been passed on."""

    def __init__(self, books: Books) -> None:
        self.books = books

    async def read(self, limit: int) -> Page | None:
        """Up to `limit` events after the cursor, summed up by asset; None: there is nothing new now."""
        async with self.books.begin() as book:
            await book.connection.execute(_CURSOR, [CONSUMER])
            rows = await (await book.connection.execute(_READ, [list(WANTED), limit, CONSUMER])).fetchall()
        if not rows:
            return None
        news: dict[str, AssetNews] = {}
        for row in rows:
            asset_id = row["asset_id"]
            if asset_id is not None:
                events = news[asset_id].events + 1 if asset_id in news else 1
                news[asset_id] = AssetNews(xact=row["xact"], position=row["id"], events=events)
        first, last = rows[0], rows[-1]
        after = Position(first["after_xact"], first["after_id"])
        return Page(after, Position(last["xact"], last["id"]), news, len(rows))

    async def advance(self, page: Page) -> bool:
        """Move past a page; False when another feed has moved the cursor meanwhile: then it passed the page on."""
        async with self.books.begin() as book:
            moved = await book.connection.execute(_MOVE, [*page.upto, CONSUMER, *page.after])
            return moved.rowcount == 1

    async def traded(self) -> list[str]:
        """Every asset that has a price engine, or should have one."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                "SELECT id FROM exchange.assets WHERE status IN ('active', 'halted') ORDER BY id"
            )
            return [row["id"] for row in await cursor.fetchall()]
