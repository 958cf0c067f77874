"""Paper portfolios as they stand and as they went: positions at the newest marks, curves from snapshots."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from storage.database import Pool
from storage.reads.base import Row, fetch_all, fetch_one, moment, usdc

_POSITION: Final = f"""json_build_object('asset_id', h.token_id, 'market_id', h.condition_id, 'outcome', h.outcome,
  'question', h.question, 'shares', {usdc("h.share_micros")},
  'avg_cost_usdc', CASE WHEN h.share_micros <> 0
    THEN trim_scale(round(h.cost_micros::numeric / h.share_micros, 6))::text END,
  'cost_usdc', {usdc("h.cost_micros")}, 'mark_usdc', {usdc("h.mark")}, 'mark_source', h.source,
  'marked_at', {moment("h.observed_at")}, 'value_usdc', {usdc("h.value")},
  'unrealized_pnl_usdc', {usdc("(h.value - h.cost_micros)")}, 'realized_pnl_usdc', {usdc("h.realized_micros")})"""
_PORTFOLIO: Final = f"""
WITH h AS (
  SELECT p.*, a.outcome, m.question, k.mark_micros AS mark, k.source, k.observed_at,
    coalesce(floor(p.share_micros::numeric * k.mark_micros / 1000000), p.cost_micros)::bigint AS value
  FROM copytrade.portfolios f JOIN copytrade.positions p ON p.portfolio_id = f.id AND p.share_micros <> 0
  LEFT JOIN copytrade.outcome_assets a ON a.token_id = p.token_id
  LEFT JOIN copytrade.markets m ON m.condition_id = p.condition_id
  LEFT JOIN LATERAL (SELECT * FROM copytrade.mark_prices k WHERE k.token_id = p.token_id
                     ORDER BY k.bucket_time DESC LIMIT 1) k ON true
  WHERE f.portfolio_scope = %(scope)s::copytrade.portfolio_scope
    AND f.followed_user_id IS NOT DISTINCT FROM %(user)s::uuid
), s AS (
  SELECT coalesce(sum(value), 0)::bigint AS exposure, coalesce(sum(value - cost_micros), 0)::bigint AS unrealized,
    count(*) FILTER (WHERE mark IS NULL) AS unpriced FROM h
)
SELECT json_build_object('portfolio_scope', f.portfolio_scope, 'followed_user_id', f.followed_user_id,
  'equity_usdc', {usdc("(f.cash_micros + s.exposure)")}, 'cash_usdc', {usdc("f.cash_micros")},
  'exposure_usdc', {usdc("s.exposure")}, 'realized_pnl_usdc', {usdc("f.realized_micros")},
  'unrealized_pnl_usdc', {usdc("s.unrealized")}, 'contributed_usdc', {usdc("f.contributed_micros")},
  'pnl_usdc', {usdc("(f.cash_micros + s.exposure - f.contributed_micros)")}, 'fees_usdc', {usdc("f.fees_micros")},
  'unpriced', s.unpriced, 'drawdown_latched_at', {moment("coalesce(f.watched_latched_at, f.drawdown_latched_at)")},
  'opened_at', {moment("f.opened_at")}, 'resets', f.epoch,
  'positions', (SELECT coalesce(json_agg({_POSITION} ORDER BY h.value DESC, h.token_id), '[]') FROM h))::text AS body
FROM copytrade.portfolios f, s
WHERE f.portfolio_scope = %(scope)s::copytrade.portfolio_scope
  AND f.followed_user_id IS NOT DISTINCT FROM %(user)s::uuid
"""


class Range(NamedTuple):
    """A span of a curve: the table it is read from, and how wide one point of it is."""

    table: str
    span: str
    step: str


RANGES: Final = {
    "1H": Range("portfolio_snapshots", "1 hour", "1 minute"),
    "1D": Range("portfolio_snapshots", "1 day", "5 minutes"),
    "1W": Range("portfolio_hours", "7 days", "1 hour"),
    "1M": Range("portfolio_hours", "30 days", "4 hours"),
    "ALL": Range("portfolio_hours", "100 years", "1 day"),
}


async def portfolio(pool: Pool, scope: str, user_id: str | None) -> str | None:
    """One portfolio with its positions as JSON; None when there is none (yet)."""
    row = await fetch_one(pool, _PORTFOLIO, {"scope": scope, "user": user_id})
    return None if row is None else str(row["body"])


async def curve(pool: Pool, scope: str, user_id: str | None, name: str) -> list[Row]:
    """Points oldest first: the last snapshot of each step, as JSON. Steps without a snapshot have no point."""
    chosen = RANGES[name]
    sql = f"""
    SELECT json_build_object('at', {moment("x.bucket_time")}, 'equity_usdc', {usdc("x.equity_micros")},
      'cash_usdc', {usdc("x.cash_micros")}, 'exposure_usdc', {usdc("x.exposure_micros")},
      'pnl_usdc', {usdc("(x.equity_micros - x.contributed_micros)")}, 'unpriced', x.unpriced)::text AS body
    FROM (SELECT DISTINCT ON (date_bin(%(step)s::interval, s.bucket_time, 'epoch')) s.*
          FROM copytrade.{chosen.table} s JOIN copytrade.portfolios f ON f.id = s.portfolio_id
          WHERE f.portfolio_scope = %(scope)s::copytrade.portfolio_scope
            AND f.followed_user_id IS NOT DISTINCT FROM %(user)s::uuid
            AND s.bucket_time > clock_timestamp() - %(span)s::interval
          ORDER BY date_bin(%(step)s::interval, s.bucket_time, 'epoch'), s.bucket_time DESC) x
    ORDER BY x.bucket_time
    """
    values: dict[str, Any] = {"scope": scope, "user": user_id, "step": chosen.step, "span": chosen.span}
    return await fetch_all(pool, sql, values)
