"""Copytrade as users see it: leaders, their fills, attempts with every number of the decision, markets."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from storage.database import Pool
from storage.reads.base import Found, Listing, Row, fetch_item, fetch_page, moment, usdc

LEADERS: Final = Listing(
    body=f"""json_build_object('id', u.id, 'label', u.label, 'profile', u.profile, 'wallet', u.profile_wallet,
             'wallets', (SELECT coalesce(json_agg(w.wallet ORDER BY w.wallet), '[]') FROM copytrade.followed_wallets w
                         WHERE w.followed_user_id = u.id),
             'enabled', u.enabled, 'mode', u.mode, 'leg_policy', u.leg_policy,
             'bankroll_usdc', {usdc("u.bankroll_micros")}, 'followed_since', {moment("u.followed_since")},
             'baseline_at', {moment("u.baseline_at")}, 'unfollowed_at', {moment("u.unfollowed_at")},
             'status', CASE WHEN u.unfollowed_at IS NOT NULL THEN 'unfollowed'
                            WHEN u.baseline_at IS NULL THEN 'starting' WHEN u.enabled THEN 'following'
                            ELSE 'disabled' END,
             'operation_id', u.operation_id)""",
    source="copytrade.followed_users u",
    key="u.id",
)
TRADES: Final = Listing(
    body=f"""json_build_object('id', t.id, 'followed_user_id', t.followed_user_id, 'wallet', t.wallet,
             'source', t.source, 'tx_hash', t.tx_hash, 'market_id', t.condition_id, 'asset_id', t.token_id,
             'outcome', a.outcome, 'question', m.question, 'side', t.side, 'price', {usdc("t.price_micros")},
             'shares', {usdc("t.share_micros")}, 'notional_usdc', {usdc("t.notional_micros")},
             'fee_usdc', {usdc("t.fee_micros")}, 'event_time', {moment("t.event_time")},
             'detect_time', {moment("t.detect_time")},
             'detect_lag_ms', (extract(epoch FROM t.detect_time - t.event_time) * 1000)::bigint,
             'baseline', t.baseline, 'backfilled', t.backfilled, 'group_key', g.group_key,
             'attempts', (SELECT coalesce(json_agg(json_build_object('id', c.id, 'portfolio_scope', c.portfolio_scope,
                            'decision', c.decision, 'reason_codes', c.reason_codes) ORDER BY c.portfolio_scope), '[]')
                          FROM copytrade.copy_attempts c WHERE c.group_key = g.group_key))""",
    source="""copytrade.trade_events t LEFT JOIN copytrade.group_members g ON g.event_id = t.id
              LEFT JOIN copytrade.outcome_assets a ON a.token_id = t.token_id
              LEFT JOIN copytrade.markets m ON m.condition_id = t.condition_id""",
    key="t.ordinal",
    kind="bigint",
)
_FACTS: Final = """replace(i.facts::text, '+00:00"', 'Z"')::json"""
"""Kept as Postgres writes times; shown as the contract has them."""
_ATTEMPT: Final = f"""'id', c.id, 'portfolio_scope', c.portfolio_scope, 'followed_user_id', c.followed_user_id,
  'label', u.label, 'group_key', c.group_key, 'kind', g.kind, 'market_id', g.condition_id, 'asset_ids', g.token_ids,
  'question', m.question, 'decision', c.decision, 'reason_codes', c.reason_codes,
  'target_notional_usdc', {usdc("c.target_notional_micros")},
  'filled_notional_usdc', {usdc("c.filled_notional_micros")},
  'filled_shares', {usdc("c.filled_share_micros")}, 'filled_ratio_bps', c.filled_ratio_bps,
  'vwap_price', {usdc("c.vwap_price_micros")}, 'fee_usdc', {usdc("c.fee_micros")},
  'their_reference_price', {usdc("c.their_reference_price_micros")},
  'mid_price_at_decision', {usdc("c.mid_price_micros_at_decision")}, 'slippage', {usdc("c.slippage_micros")},
  'clamped', nullif(c.clamped, ''), 'detect_lag_ms', c.detect_lag_ms, 'copy_lag_ms', c.copy_lag_ms,
  'source_type', c.source_type, 'buffered_count', c.buffered_count, 'out_of_order', c.out_of_order,
  'config_version', c.config_version, 'decided_at', {moment("c.decided_at")}, 'created_at', {moment("c.created_at")}"""
_ATTEMPTS_FROM: Final = """copytrade.copy_attempts c JOIN copytrade.event_groups g ON g.group_key = c.group_key
  JOIN copytrade.followed_users u ON u.id = c.followed_user_id
  LEFT JOIN copytrade.markets m ON m.condition_id = g.condition_id"""
ATTEMPTS: Final = Listing(body=f"json_build_object({_ATTEMPT})", source=_ATTEMPTS_FROM, key="c.ordinal", kind="bigint")
ATTEMPT: Final = Listing(
    body=f"""json_build_object({_ATTEMPT}, 'guards', c.guards, 'sizing', c.sizing, 'portfolio', c.portfolio,
      'due_at', {moment("g.due_at")}, 'jitter_ms', g.jitter_ms, 'window_start', {moment("g.window_start")},
      'event_time', {moment("g.event_time")}, 'detect_time', {moment("g.detect_time")},
      'book', i.book, 'book_source', i.book_source, 'book_requested_at', {moment("i.requested_at")},
      'book_received_at', {moment("i.received_at")}, 'lateness_us', i.lateness_us, 'facts', {_FACTS},
      'levels', (SELECT coalesce(json_agg(json_build_object('level', f.level, 'price', {usdc("f.fill_price_micros")},
                   'shares', {usdc("f.filled_share_micros")}, 'notional_usdc', {usdc("f.fill_notional_micros")},
                   'fee_usdc', {usdc("f.fee_micros")}) ORDER BY f.level), '[]')
                 FROM copytrade.executable_fills f WHERE f.copy_attempt_id = c.id),
      'event_ids', (SELECT coalesce(json_agg(e.event_id ORDER BY e.event_id), '[]') FROM copytrade.group_members e
                    WHERE e.group_key = c.group_key))""",
    source=f"{_ATTEMPTS_FROM} LEFT JOIN copytrade.group_inputs i ON i.group_key = c.group_key",
    key="c.id",
)
_MARKET: Final = f"""'id', m.condition_id, 'gamma_id', m.gamma_id, 'slug', m.slug, 'question', m.question,
  'event_id', m.event_id, 'neg_risk', m.neg_risk, 'version', m.version, 'closes_at', {moment("m.closes_at")},
  'active', m.active, 'closed', m.closed, 'accepting_orders', m.accepting_orders, 'tick', {usdc("m.tick_micros")},
  'fee_rate_ppm', m.fee_rate_ppm, 'blacklisted', m.blacklisted, 'resolution_status', nullif(m.resolution_status, ''),
  'resolved_at', {moment("m.resolved_at")},
  'outcomes', (SELECT coalesce(json_agg(json_build_object('asset_id', a.token_id, 'place', a.place,
                 'outcome', a.outcome, 'payout', {usdc("m.payouts[a.place + 1]")},
                 'mark', (SELECT {usdc("k.mark_micros")} FROM copytrade.mark_prices k WHERE k.token_id = a.token_id
                          ORDER BY k.bucket_time DESC LIMIT 1)) ORDER BY a.place), '[]')
               FROM copytrade.outcome_assets a WHERE a.condition_id = m.condition_id)"""
MARKETS: Final = Listing(
    body=f"json_build_object({_MARKET})", source="copytrade.markets m", key="m.condition_id", kind="text"
)
MARKET: Final = Listing(
    body=f"""json_build_object({_MARKET},
      'positions', (SELECT coalesce(json_agg(json_build_object('portfolio_scope', f.portfolio_scope,
                      'followed_user_id', f.followed_user_id, 'asset_id', p.token_id,
                      'shares', {usdc("p.share_micros")}) ORDER BY f.portfolio_scope, f.followed_user_id), '[]')
                    FROM copytrade.positions p JOIN copytrade.portfolios f ON f.id = p.portfolio_id
                    WHERE p.condition_id = m.condition_id AND p.share_micros <> 0),
      'slippage', (SELECT coalesce(json_agg(json_build_object('attempt_id', s.id, 'at', {moment("s.decided_at")},
                     'slippage', {usdc("s.slippage_micros")})), '[]')
                   FROM (SELECT c.id, c.decided_at, c.slippage_micros FROM copytrade.copy_attempts c
                         JOIN copytrade.event_groups g ON g.group_key = c.group_key
                         WHERE g.condition_id = m.condition_id AND c.slippage_micros IS NOT NULL
                         ORDER BY c.ordinal DESC LIMIT 50) s),
      'book', (SELECT json_build_object('read_at', {moment("b.received_at")}, 'book', b.book)
               FROM copytrade.group_inputs b JOIN copytrade.event_groups g ON g.group_key = b.group_key
               WHERE g.condition_id = m.condition_id AND b.book IS NOT NULL ORDER BY b.received_at DESC LIMIT 1))""",
    source="copytrade.markets m",
    key="m.condition_id",
    kind="text",
)
DRIFTS: Final = Listing(
    body=f"""json_build_object('followed_user_id', d.followed_user_id, 'asset_id', d.token_id,
             'shadow_shares', {usdc("d.shadow_micros")}, 'venue_shares', {usdc("d.venue_micros")},
             'drift_shares', {usdc("(d.shadow_micros - d.venue_micros)")}, 'seen', d.seen,
             'checked_at', {moment("d.checked_at")}, 'since', {moment("d.created_at")})""",
    source="copytrade.shadow_drifts d",
    key="(d.followed_user_id::text || ':' || d.token_id)",
    kind="text",
)
CONFIG_TESTS: Final = Listing(
    body=f"""json_build_object('id', t.id, 'status', CASE WHEN t.done THEN 'completed' ELSE 'running' END,
             'followed_user_id', t.followed_user_id, 'since', {moment("t.from_at")}, 'until', {moment("t.until_at")},
             'config', t.proposed, 'result', t.result, 'operation_id', t.operation_id,
             'created_at', {moment("t.created_at")})""",
    source="copytrade.config_tests t",
    key="t.id",
)


async def leaders(pool: Pool, *, gone: bool, limit: int, after: str | None) -> Found:
    """Newest first. `gone`: also those who are followed no more."""
    filters = [] if gone else [("(u.unfollowed_at IS NULL) = %s", True)]
    return await fetch_page(pool, LEADERS, filters, limit=limit, after=after)


async def leader(pool: Pool, user_id: str) -> Row | None:
    return await fetch_item(pool, LEADERS, user_id)


async def trades(
    pool: Pool,
    *,
    user_id: str | None,
    market: str | None,
    side: str | None,
    start: datetime | None,
    end: datetime | None,
    limit: int,
    after: str | None,
) -> Found:
    """Their fills, newest seen first."""
    filters = [
        ("t.followed_user_id = %s", user_id),
        ("t.condition_id = %s", market),
        ("t.side = %s::copytrade.trade_side", side),
        ("t.event_time >= %s", start),
        ("t.event_time < %s", end),
    ]
    return await fetch_page(pool, TRADES, filters, limit=limit, after=after)


async def attempts(
    pool: Pool,
    *,
    user_id: str | None,
    scope: str | None,
    market: str | None,
    decision: str | None,
    reason: str | None,
    start: datetime | None,
    end: datetime | None,
    limit: int,
    after: str | None,
) -> Found:
    """Decisions, newest first."""
    filters = [
        ("c.followed_user_id = %s", user_id),
        ("c.portfolio_scope = %s::copytrade.portfolio_scope", scope),
        ("g.condition_id = %s", market),
        ("c.decision = %s::copytrade.copy_decision", decision),
        ("%s = ANY(c.reason_codes)", reason),
        ("c.decided_at >= %s", start),
        ("c.decided_at < %s", end),
    ]
    return await fetch_page(pool, ATTEMPTS, filters, limit=limit, after=after)


async def attempt(pool: Pool, attempt_id: str) -> Row | None:
    """With the book that was used, the levels consumed, and every guard with its numbers."""
    return await fetch_item(pool, ATTEMPT, attempt_id)


async def markets(pool: Pool, *, blacklisted: bool | None, closed: bool | None, limit: int, after: str | None) -> Found:
    filters = [("m.blacklisted = %s", blacklisted), ("m.closed = %s", closed)]
    return await fetch_page(pool, MARKETS, filters, limit=limit, after=after)


async def market(pool: Pool, condition_id: str) -> Row | None:
    return await fetch_item(pool, MARKET, condition_id)


async def drifts(pool: Pool, *, limit: int, after: str | None) -> Found:
    return await fetch_page(pool, DRIFTS, [], limit=limit, after=after)


async def config_tests(pool: Pool, *, limit: int, after: str | None) -> Found:
    return await fetch_page(pool, CONFIG_TESTS, [], limit=limit, after=after)


async def config_test(pool: Pool, test_id: str) -> Row | None:
    return await fetch_item(pool, CONFIG_TESTS, test_id)
