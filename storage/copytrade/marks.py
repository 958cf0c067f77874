"""Marks of held tokens, in buckets of 30 seconds.

A mark is stamped and written under a lock that whoever reads marks of a past moment takes too, shared. So once a moment
has passed and the lock was had, every mark observed before it is there: a snapshot taken late equals one taken on time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from domain.copytrade.inputs import Mark
from domain.copytrade.marks import BUCKET_S, Held, Priced
from storage.books import Books
from storage.database import Connection

LOCK: Final = 0x434D_41524B53
"""Advisory: "CMARKS"."""
_HELD: Final = """
SELECT p.token_id, CASE WHEN a.place IS NOT NULL THEN m.payouts[a.place + 1] END AS payout
FROM (SELECT DISTINCT token_id FROM copytrade.positions WHERE share_micros <> 0) p
LEFT JOIN copytrade.outcome_assets a USING (token_id) LEFT JOIN copytrade.markets m USING (condition_id)
ORDER BY p.token_id
"""
_WRITE: Final = """
WITH n AS MATERIALIZED (SELECT clock_timestamp() AS at)
INSERT INTO copytrade.mark_prices AS m (token_id, bucket_time, mark_micros, source, observed_at)
SELECT w.token_id, to_timestamp(floor(extract(epoch FROM n.at) / %(bucket)s) * %(bucket)s), w.micros,
  w.source::copytrade.mark_source, n.at
FROM unnest(%(tokens)s::text[], %(micros)s::bigint[], %(sources)s::text[]) AS w(token_id, micros, source)
CROSS JOIN n
ON CONFLICT (token_id, bucket_time) DO UPDATE SET mark_micros = excluded.mark_micros, source = excluded.source,
  observed_at = excluded.observed_at
"""
_LATEST: Final = """
SELECT t.token_id, m.mark_micros, m.source::text AS source, m.observed_at
FROM unnest(%s::text[]) AS t(token_id) CROSS JOIN LATERAL (
  SELECT mark_micros, source, observed_at FROM copytrade.mark_prices
  WHERE token_id = t.token_id AND observed_at <= %s ORDER BY bucket_time DESC LIMIT 1) m
"""
_BEFORE: Final = """
SELECT t.at, k.token_id, m.mark_micros
FROM unnest(%s::timestamptz[]) AS t(at) CROSS JOIN unnest(%s::text[]) AS k(token_id) CROSS JOIN LATERAL (
  SELECT mark_micros FROM copytrade.mark_prices
  WHERE token_id = k.token_id AND bucket_time < t.at ORDER BY bucket_time DESC LIMIT 1) m
"""


class MarkStore:
    def __init__(self, books: Books) -> None:
        self.books = books

    async def held(self) -> list[Held]:
        """Every token that any portfolio holds, and what it pays when its market is resolved."""
        async with self.books.begin() as book:
            return [Held(**row) for row in await (await book.connection.execute(_HELD)).fetchall()]

    async def write(self, found: Sequence[Priced]) -> None:
        """Prices as of now, one transaction; a bucket keeps its newest."""
        async with self.books.begin() as book:
            await book.connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            await book.connection.execute(
                _WRITE,
                {
                    "bucket": BUCKET_S,
                    "tokens": [one.token_id for one in found],
                    "micros": [one.micros for one in found],
                    "sources": [one.source for one in found],
                },
            )


async def settled(connection: Connection) -> None:
    """Wait until marks under way are written, and hold off new ones until this transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", [LOCK])


async def latest(connection: Connection, tokens: Iterable[str], at: datetime) -> dict[str, Mark]:
    """The newest mark of each token that was known at a moment; a token without one is left out: it is unpriced."""
    rows = await (await connection.execute(_LATEST, [sorted(set(tokens)), at])).fetchall()
    return {row["token_id"]: Mark(row["mark_micros"], row["source"], row["observed_at"]) for row in rows}


async def before(
    connection: Connection, tokens: Iterable[str], times: Sequence[datetime]
) -> dict[datetime, dict[str, int]]:
    """Per time, the marks of the newest bucket before it. A bucket that began before a full minute ended by it."""
    found: dict[datetime, dict[str, int]] = {time: {} for time in times}
    rows = await (await connection.execute(_BEFORE, [list(times), sorted(set(tokens))])).fetchall()
    for row in rows:
        found[row["at"]][row["token_id"]] = row["mark_micros"]
    return found
