"""One account's money in one asset over a period: what it had, what moved, what it has. Read in one snapshot."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from domain.shared import ledger
from storage.database import Pool
from storage.reads.base import fetch_one, moment, on_accounts

LINES_MAX: Final = 10_000
_SQL: Final = f"""
WITH scale AS (
  SELECT CASE WHEN %(unit)s = 'USDC' THEN 0.000001 ELSE 0.000000000000000001 END AS of
), known AS (
  SELECT p.id, split_part(p.account, ':', 3) AS bucket, p.amount, t.key, t.kind, t.ref, t.phase, t.created_at,
    %(start)s::timestamptz IS NOT NULL AND t.created_at < %(start)s::timestamptz AS before
  FROM platform.postings p JOIN platform.transfers t ON t.id = p.transfer_id
  WHERE p.account = ANY(%(accounts)s) AND {on_accounts("%(accounts)s")} AND p.unit = %(unit)s
    AND (%(ends)s::timestamptz IS NULL OR t.created_at < %(ends)s::timestamptz)
), sums AS (
  SELECT coalesce(sum(amount) FILTER (WHERE before AND bucket = 'available'), 0) AS opening_available,
    coalesce(sum(amount) FILTER (WHERE before AND bucket = 'held'), 0) AS opening_held,
    coalesce(sum(amount) FILTER (WHERE bucket = 'available'), 0) AS closing_available,
    coalesce(sum(amount) FILTER (WHERE bucket = 'held'), 0) AS closing_held,
    count(*) FILTER (WHERE NOT before) AS lines FROM known
), shown AS (
  SELECT json_build_object('id', id::text, 'transfer', key, 'kind', kind, 'ref', ref, 'phase', phase,
    'asset', %(unit)s::text, 'bucket', bucket, 'amount', trim_scale(amount * (SELECT of FROM scale))::text,
    'created_at', {moment("created_at")})::text AS body, created_at, id
  FROM known WHERE NOT before AND (SELECT lines FROM sums) <= %(most)s
)
SELECT lines, (SELECT coalesce(array_agg(body ORDER BY created_at, id), '{{}}') FROM shown) AS bodies,
  trim_scale(opening_available * of)::text AS opening_available, trim_scale(opening_held * of)::text AS opening_held,
  trim_scale((opening_available + opening_held) * of)::text AS opening_total,
  trim_scale(closing_available * of)::text AS closing_available, trim_scale(closing_held * of)::text AS closing_held,
  trim_scale((closing_available + closing_held) * of)::text AS closing_total
FROM sums, scale
"""


class Sums(NamedTuple):
    """Decimal strings; `total` is what belongs to the account, set aside or not."""

    available: str
    held: str
    total: str


class Statement(NamedTuple):
    """`bodies`: the lines as JSON text, oldest first; empty when there are more than LINES_MAX."""

    opening: Sums
    bodies: list[str]
    closing: Sums
    lines: int


async def statement(pool: Pool, account_id: str, unit: str, start: datetime | None, ends: datetime | None) -> Statement:
    """What was booked from `start` on and before `ends`; None: from the beginning, until now."""
    names = [ledger.available(account_id), ledger.held(account_id)]
    asked = {"accounts": names, "unit": unit, "start": start, "ends": ends, "most": LINES_MAX}
    row = await fetch_one(pool, _SQL, asked)
    assert row is not None
    opening, closing = (
        Sums(*(row[f"{end}_{part}"] for part in ("available", "held", "total"))) for end in ("opening", "closing")
    )
    return Statement(opening, row["bodies"], closing, row["lines"])
