"""Prices over time and halts, as users see them: raw ticks, candles made by Postgres, halts of an asset."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from storage.database import Pool
from storage.reads.base import Found, Listing, Row, fetch_all, fetch_item, fetch_one, fetch_page, moment, usdc

INTERVALS: Final = {
    "1m": "1 minute",
    "5m": "5 minutes",
    "15m": "15 minutes",
    "1h": "1 hour",
    "4h": "4 hours",
    "1d": "1 day",
}
TICKS: Final = Listing(
    body=f"""json_build_object('id', p.id, 'asset_id', p.asset_id, 'ticked_at', {moment("p.ticked_at")},
             'cause', p.cause, 'display_price_usdc', {usdc("p.display_micros")},
             'market_price_usdc', {usdc("p.market_micros")}, 'market_low_usdc', {usdc("p.market_low_micros")},
             'market_high_usdc', {usdc("p.market_high_micros")}, 'volume_usdc', {usdc("p.volume_micros")},
             'volume_5m_usdc', {usdc("p.volume_5m_micros")}, 'weight_bps', p.weight_bps,
             'fundamental_price_usdc', trim_scale(p.fundamental_pico * 0.000000000001)::text)""",
    source="exchange.price_ticks p",
    key="p.ticked_at",
    kind="timestamptz",
)
HALTS: Final = Listing(
    body=f"""json_build_object('id', h.id, 'asset_id', h.asset_id,
             'status', CASE WHEN h.ended_at IS NULL THEN 'halted' ELSE 'ended' END,
             'cause', CASE WHEN h.old_price_micros IS NULL THEN 'operator' ELSE 'circuit_breaker' END,
             'reason', h.cause, 'started_by', h.started_by, 'started_at', {moment("h.created_at")},
             'until', {moment("h.until")}, 'ended_at', {moment("h.ended_at")}, 'ended_by', h.ended_by,
             'old_price_usdc', {usdc("h.old_price_micros")}, 'new_price_usdc', {usdc("h.new_price_micros")},
             'change_percent', trim_scale(h.change_bps * 0.01)::text, 'seconds_since_tick', h.seconds_since_tick,
             'operation_id', h.operation_id)""",
    source="exchange.asset_halts h",
    key="h.id",
)
# A page of candles is a span of time, so that a page reads no more ticks than it shows. It ends with the newest tick
# before its end: nothing is asked of times without any.
_CANDLES: Final = f"""
WITH newest AS (
  SELECT max(ticked_at) AS at FROM exchange.price_ticks WHERE asset_id = %(asset)s
    AND ticked_at < least(coalesce(%(before)s::timestamptz, %(to)s::timestamptz), clock_timestamp() + interval '1 day')
), span AS (
  SELECT greatest(date_bin(%(interval)s::interval, at, 'epoch') - (%(limit)s - 1) * %(interval)s::interval,
    %(from)s::timestamptz) AS lower, at AS upper FROM newest
), candles AS (
  SELECT date_bin(%(interval)s::interval, p.ticked_at, 'epoch') AS start, count(*) AS ticks,
    sum(volume_micros) AS volume,
    (array_agg(display_micros ORDER BY ticked_at))[1] AS display_open, min(display_micros) AS display_low,
    (array_agg(display_micros ORDER BY ticked_at DESC))[1] AS display_close, max(display_micros) AS display_high,
    (array_agg(market_micros ORDER BY ticked_at))[1] AS market_open, min(market_low_micros) AS market_low,
    (array_agg(market_micros ORDER BY ticked_at DESC))[1] AS market_close, max(market_high_micros) AS market_high
  FROM exchange.price_ticks p, span
  WHERE p.asset_id = %(asset)s AND p.ticked_at >= span.lower AND p.ticked_at <= span.upper GROUP BY 1
)
SELECT json_build_object('start', {moment("c.start")},
    'display_open_usdc', {usdc("c.display_open")}, 'display_high_usdc', {usdc("c.display_high")},
    'display_low_usdc', {usdc("c.display_low")}, 'display_close_usdc', {usdc("c.display_close")},
    'market_open_usdc', {usdc("c.market_open")}, 'market_high_usdc', {usdc("c.market_high")},
    'market_low_usdc', {usdc("c.market_low")}, 'market_close_usdc', {usdc("c.market_close")},
    'volume_usdc', {usdc("c.volume")}, 'ticks', c.ticks)::text AS body,
  (SELECT lower::text FROM span WHERE EXISTS (
     SELECT 1 FROM exchange.price_ticks WHERE asset_id = %(asset)s AND ticked_at < lower
       AND ticked_at >= coalesce(%(from)s::timestamptz, '-infinity'))) AS next_key
FROM candles c ORDER BY c.start DESC
"""


async def known(pool: Pool, asset_id: str) -> bool:
    return await fetch_one(pool, "SELECT 1 FROM exchange.assets WHERE id = %s", [asset_id]) is not None


async def ticks(
    pool: Pool, asset_id: str, *, begin: datetime | None, end: datetime | None, limit: int, after: str | None
) -> Found:
    """Raw ticks, newest first, from `begin` and before `end`."""
    filters = [("p.asset_id = %s::uuid", asset_id), ("p.ticked_at >= %s", begin), ("p.ticked_at < %s", end)]
    return await fetch_page(pool, TICKS, filters, limit=limit, after=after)


async def candles(
    pool: Pool,
    asset_id: str,
    *,
    interval: str,
    begin: datetime | None,
    end: datetime | None,
    limit: int,
    after: str | None,
) -> Found:
    """Candles of one of INTERVALS, newest first, over at most `limit` intervals; those without a tick are left out."""
    names = {
        "asset": asset_id,
        "interval": INTERVALS[interval],
        "from": begin,
        "to": end,
        "before": after,
        "limit": limit,
    }
    rows = await fetch_all(pool, _CANDLES, names)
    return Found(rows, rows[0]["next_key"] if rows else None)


async def open_halt(pool: Pool, asset_id: str) -> Row | None:
    """The halt that lasts now: halt_id, operation_id."""
    return await fetch_one(
        pool,
        "SELECT id AS halt_id, operation_id FROM exchange.asset_halts WHERE asset_id = %s AND ended_at IS NULL",
        [asset_id],
    )


async def halt(pool: Pool, halt_id: str) -> Row | None:
    return await fetch_item(pool, HALTS, halt_id)


async def halts(pool: Pool, asset_id: str, *, limit: int, after: str | None) -> Found:
    return await fetch_page(pool, HALTS, [("h.asset_id = %s::uuid", asset_id)], limit=limit, after=after)
