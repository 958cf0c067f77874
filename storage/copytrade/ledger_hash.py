"""One number for everything that copying came to: two databases with the same hash hold the same ledgers.

Over business columns in the order of natural keys. Surrogate ids and the times at which something was processed are
left out (design/copytrade.md 1).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final, LiteralString

from storage.database import Connection

_PARTS: Final[dict[str, LiteralString]] = {
    "events": """
SELECT source_id, followed_user_id, token_id, side::text, share_micros, usdc_micros, fee_micros, event_time,
  detect_time, baseline, backfilled FROM copytrade.trade_events ORDER BY source_id
""",
    "activities": """
SELECT v.source_id, v.followed_user_id, v.kind, v.share_micros, v.usdc_micros, v.event_time, v.detect_time,
  a.state::text, a.legs::text, a.cash_micros
FROM copytrade.activity_events v LEFT JOIN copytrade.activity_applications a ON a.event_id = v.id ORDER BY v.source_id
""",
    "groups": """
SELECT group_key, kind::text, condition_id, token_ids, event_time, detect_time, frozen_at, due_at, jitter_ms,
  share_micros, notional_micros, price_micros, usdc_micros, fee_micros, fills, source_type::text, buffered_count
FROM copytrade.event_groups ORDER BY group_key
""",
    "attempts": """
SELECT portfolio_scope::text, group_key, decision::text, reason_codes, target_notional_micros, filled_notional_micros,
  filled_share_micros, filled_ratio_bps, vwap_price_micros, fee_micros, their_reference_price_micros,
  mid_price_micros_at_decision, slippage_micros, clamped, detect_lag_ms, copy_lag_ms, source_type::text, buffered_count,
  out_of_order, guards::text, sizing::text, portfolio::text, config_version, decided_at
FROM copytrade.copy_attempts ORDER BY portfolio_scope, group_key
""",
    "fills": """
SELECT a.portfolio_scope::text, a.group_key, f.level, f.filled_share_micros, f.fill_price_micros,
  f.fill_notional_micros, f.fee_micros
FROM copytrade.executable_fills f JOIN copytrade.copy_attempts a ON a.id = f.copy_attempt_id ORDER BY 1, 2, 3
""",
    "ledger": """
SELECT f.portfolio_scope::text, f.followed_user_id, e.epoch, e.source_followed_user_id, e.entry_type::text, e.ref_id,
  e.condition_id, e.token_id, e.share_delta_micros, e.cash_delta_micros, e.cost_delta_micros, e.realized_micros,
  e.price_micros, e.event_time
FROM copytrade.ledger_entries e JOIN copytrade.portfolios f ON f.id = e.portfolio_id
ORDER BY f.portfolio_scope, f.followed_user_id, e.epoch, e.ref_id, e.entry_type, e.token_id
""",
    "positions": """
SELECT f.portfolio_scope::text, f.followed_user_id, p.token_id, p.share_micros, p.cost_micros, p.realized_micros,
  p.settled
FROM copytrade.positions p JOIN copytrade.portfolios f ON f.id = p.portfolio_id
ORDER BY f.portfolio_scope, f.followed_user_id, p.token_id
""",
    "portfolios": """
SELECT portfolio_scope::text, followed_user_id, epoch, cash_micros, contributed_micros, realized_micros, fees_micros,
  peak_pnl_micros, drawdown_latched_at FROM copytrade.portfolios ORDER BY portfolio_scope, followed_user_id
""",
}
PAGE: Final = 1_000


async def part_hashes(connection: Connection) -> dict[str, str]:
    """The hash of each part: where two differ, it says what to compare. In one snapshot when the caller's is."""
    found = {}
    for name, statement in _PARTS.items():
        digest = hashlib.sha256()
        cursor = await connection.execute(statement)
        while rows := await cursor.fetchmany(PAGE):
            for row in rows:
                digest.update(repr(tuple(row.values())).encode())
        found[name] = digest.hexdigest()
    return found


def combined(parts: Mapping[str, str]) -> str:
    """One hash over all parts: what is printed and compared by eye."""
    return hashlib.sha256("".join(f"{name}={value}\n" for name, value in sorted(parts.items())).encode()).hexdigest()
