"""Figures about copying: rates, distributions, reasons, exposure, who earned. What was not measured is null, never 0.

Definitions (docs/concepts/paper_portfolios.md): attempt rate = groups decided / groups seen; fill rate = executed /
decided; partial rate = executed in part / executed; win rate = closed positions that earned / closed positions;
slippage = our price against the leader's, + is a cost on both sides; detect lag = seen − happened; copy lag = asked for
the book − happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from storage.database import Pool
from storage.reads.base import fetch_one, moment, usdc

SLIPPAGE_EDGES: Final = (-20_000, -10_000, -5_000, 0, 5_000, 10_000, 20_000)
"""Micros a share: from two cents better to two cents worse."""
LAG_EDGES_MS: Final = (1_000, 3_000, 5_000, 10_000, 20_000, 60_000)

_TRIED: Final = """
  SELECT a.* FROM copytrade.copy_attempts a
  WHERE a.portfolio_scope = %(scope)s::copytrade.portfolio_scope AND a.created_at >= %(since)s
    AND (%(user)s::uuid IS NULL OR a.followed_user_id = %(user)s::uuid)"""
_RATE: Final = "CASE WHEN {whole} > 0 THEN ({part} * 10000 / {whole})::int END"
_CLOSED: Final = """
  SELECT p.token_id, p.realized_micros FROM copytrade.portfolios f
  JOIN copytrade.positions p ON p.portfolio_id = f.id AND p.share_micros = 0
  WHERE f.portfolio_scope = %(scope)s::copytrade.portfolio_scope AND f.followed_user_id IS NOT DISTINCT FROM %(owner)s
    AND EXISTS (SELECT 1 FROM copytrade.ledger_entries e WHERE e.portfolio_id = f.id AND e.epoch = f.epoch
      AND e.token_id = p.token_id AND e.share_delta_micros < 0)"""


def _spread(column: str, edges: tuple[int, ...]) -> str:
    """SQL: median, 95th percentile, count and histogram of a column of `t`; null where nothing was measured."""
    listed = f"ARRAY[{','.join(map(str, edges))}]::bigint[]"
    return f"""(SELECT json_build_object('measured', count({column}),
      'p50', percentile_disc(0.5) WITHIN GROUP (ORDER BY {column}),
      'p95', percentile_disc(0.95) WITHIN GROUP (ORDER BY {column}), 'edges', {listed},
      'counts', (SELECT json_agg(coalesce(h.n, 0) ORDER BY b.bin) FROM generate_series(0, {len(edges)}) AS b(bin)
        LEFT JOIN (SELECT width_bucket({column}, {listed}) AS bin, count(*) AS n FROM t
                   WHERE {column} IS NOT NULL GROUP BY 1) h USING (bin))) FROM t)"""


_COPYING: Final = f"""
WITH t AS ({_TRIED}
), n AS (
  SELECT count(*) AS tried, count(*) FILTER (WHERE decision = 'EXECUTE') AS executed,
    count(*) FILTER (WHERE decision = 'EXECUTE' AND filled_ratio_bps < 10000) AS partly,
    count(*) FILTER (WHERE out_of_order) AS late FROM t
), g AS (
  SELECT count(*) AS seen FROM copytrade.event_groups
  WHERE detect_time >= %(since)s AND (%(user)s::uuid IS NULL OR followed_user_id = %(user)s::uuid)
), c AS (
  SELECT count(*) AS closed, count(*) FILTER (WHERE realized_micros > 0) AS won FROM ({_CLOSED}) p
)
SELECT json_build_object(
  'groups', g.seen, 'attempts', n.tried, 'executed', n.executed, 'skipped', n.tried - n.executed,
  'out_of_order', n.late,
  'attempt_rate_bps', {_RATE.format(part="least(n.tried, g.seen)", whole="g.seen")},
  'fill_rate_bps', {_RATE.format(part="n.executed", whole="n.tried")},
  'partial_rate_bps', {_RATE.format(part="n.partly", whole="n.executed")},
  'closed_positions', c.closed, 'won_positions', c.won, 'win_rate_bps', {_RATE.format(part="c.won", whole="c.closed")},
  'skipped_for_age_bps', (SELECT {
    _RATE.format(part="count(*) FILTER (WHERE 'EVENT_TOO_OLD' = ANY(reason_codes))", whole="count(*)")
} FROM t),
  'slippage_micros', {_spread("slippage_micros", SLIPPAGE_EDGES)},
  'detect_lag_ms', {_spread("detect_lag_ms", LAG_EDGES_MS)},
  'copy_lag_ms', {_spread("copy_lag_ms", LAG_EDGES_MS)},
  'skip_reasons', (SELECT coalesce(json_agg(json_build_object('code', code, 'count', count) ORDER BY count DESC, code),
      '[]') FROM (SELECT code, count(*) FROM t, unnest(t.reason_codes) AS code GROUP BY code) r)
)::text AS body FROM n, g, c
"""
_EXPOSURE: Final = f"""
WITH f AS (
  SELECT id, epoch FROM copytrade.portfolios WHERE portfolio_scope = %(scope)s::copytrade.portfolio_scope
    AND followed_user_id IS NOT DISTINCT FROM %(owner)s
), h AS (
  SELECT p.token_id, p.condition_id, p.share_micros,
    greatest(0, coalesce(floor(p.share_micros::numeric * k.mark_micros / 1000000), p.cost_micros))::bigint AS value
  FROM f JOIN copytrade.positions p ON p.portfolio_id = f.id AND p.share_micros > 0
  LEFT JOIN LATERAL (SELECT mark_micros FROM copytrade.mark_prices m WHERE m.token_id = p.token_id
                     ORDER BY m.bucket_time DESC LIMIT 1) k ON true
), s AS (
  SELECT h.token_id, e.source_followed_user_id AS leader, sum(e.share_delta_micros) AS shares
  FROM h, f JOIN copytrade.ledger_entries e ON e.portfolio_id = f.id AND e.epoch = f.epoch
  WHERE e.token_id = h.token_id AND e.source_followed_user_id IS NOT NULL
    AND e.id > (SELECT coalesce(max(x.id), 0) FROM copytrade.ledger_entries x WHERE x.token_id = h.token_id
      AND x.portfolio_id = f.id AND x.source_followed_user_id IS NULL AND x.share_delta_micros < 0)
  GROUP BY 1, 2
)
SELECT json_build_object(
  'exposure_usdc', (SELECT {usdc("coalesce(sum(value), 0)")} FROM h),
  'by_market', (SELECT coalesce(json_agg(x.body ORDER BY x.value DESC), '[]') FROM (
     SELECT sum(h.value) AS value, json_build_object('market_id', h.condition_id, 'question', max(m.question),
       'exposure_usdc', {usdc("sum(h.value)")}) AS body
     FROM h LEFT JOIN copytrade.markets m USING (condition_id) GROUP BY h.condition_id
     ORDER BY 1 DESC LIMIT %(limit)s) x),
  'by_user', (SELECT coalesce(json_agg(x.body ORDER BY x.value DESC), '[]') FROM (
     SELECT sum(floor(h.value * least(s.shares, h.share_micros) / h.share_micros)) AS value,
       json_build_object('followed_user_id', s.leader, 'label', max(u.label), 'exposure_usdc',
         {usdc("sum(floor(h.value * least(s.shares, h.share_micros) / h.share_micros))")}) AS body
     FROM s JOIN h USING (token_id) JOIN copytrade.followed_users u ON u.id = s.leader WHERE s.shares > 0
     GROUP BY s.leader ORDER BY 1 DESC LIMIT %(limit)s) x)
)::text AS body
"""
_SINCE: Final = """(SELECT s.equity_micros - s.contributed_micros FROM copytrade.portfolio_snapshots s
   WHERE s.portfolio_id = f.id AND s.epoch = f.epoch AND s.bucket_time <= {start}
   ORDER BY s.bucket_time DESC LIMIT 1)"""
_EARNED: Final = f"""
WITH f AS (
  SELECT f.*, n.bucket_time, n.equity_micros, n.equity_micros - n.contributed_micros AS pnl, n.exposure_micros,
    {_SINCE.format(start="date_trunc('day', clock_timestamp(), 'UTC')")} AS day,
    {_SINCE.format(start="clock_timestamp() - interval '7 days'")} AS week
  FROM copytrade.portfolios f LEFT JOIN LATERAL (
    SELECT * FROM copytrade.portfolio_snapshots s WHERE s.portfolio_id = f.id AND s.epoch = f.epoch
    ORDER BY s.bucket_time DESC LIMIT 1) n ON true
  WHERE f.portfolio_scope = %(scope)s::copytrade.portfolio_scope
)
SELECT coalesce(json_agg(json_build_object('followed_user_id', f.followed_user_id, 'label', u.label,
  'as_of', {moment("f.bucket_time")}, 'equity_usdc', {usdc("f.equity_micros")}, 'pnl_usdc', {usdc("f.pnl")},
  'pnl_today_usdc', {usdc("(f.pnl - f.day)")}, 'pnl_7d_usdc', {usdc("(f.pnl - f.week)")},
  'drawdown_usdc', {usdc("greatest(0, greatest(f.peak_pnl_micros, f.watched_peak_micros) - f.pnl)")},
  'drawdown_latched', coalesce(f.watched_latched_at, f.drawdown_latched_at) IS NOT NULL)
  ORDER BY f.pnl DESC NULLS LAST, f.id), '[]')::text AS body
FROM f LEFT JOIN copytrade.followed_users u ON u.id = f.followed_user_id
WHERE %(user)s::uuid IS NULL OR f.followed_user_id = %(user)s::uuid
"""


async def copying(pool: Pool, scope: str, user_id: str | None, since: datetime) -> str:
    """Rates, distributions and reasons of one leader, or of all in EXEC_GLOBAL, as JSON."""
    owner = user_id if scope == "EXEC_USER" else None
    values = {"scope": scope, "user": user_id, "owner": owner, "since": since}
    return await _body(pool, _COPYING, values)


async def exposure(pool: Pool, scope: str, user_id: str | None, limit: int = 10) -> str:
    """What is at risk by market and by leader, largest first, as JSON."""
    owner = user_id if scope == "EXEC_USER" else None
    return await _body(pool, _EXPOSURE, {"scope": scope, "owner": owner, "limit": limit})


async def earned(pool: Pool, scope: str, user_id: str | None = None) -> str:
    """Profit of the portfolios of a scope, best first: in all, today, in seven days; as JSON. Null: not measured."""
    return await _body(pool, _EARNED, {"scope": scope, "user": user_id})


async def _body(pool: Pool, sql: str, values: Mapping[str, object]) -> str:
    row = await fetch_one(pool, sql, values)
    assert row is not None
    return str(row["body"])
