"""The statements of the market engine: each takes a whole batch, as columns (storage/columns.py)."""

from __future__ import annotations

from typing import Any, Final

from domain.exchange.batch import Pending
from domain.exchange.trading import Order
from storage.books import BOOK_NEW

PENDING: Final = """
SELECT seq, id, asset_id, account_id, side::text, asked, min_out FROM exchange.trades
WHERE status = 'pending' AND parked_at IS NULL AND seq > %s AND seq <> ALL (%s::bigint[])
  AND mod(shard, %s::int) = %s::int ORDER BY seq LIMIT %s
"""
DISCARDED: Final = """
SELECT t.id, t.asset_id, t.account_id, t.side::text, t.asked, t.min_out
FROM exchange.trades t JOIN platform.quarantine q ON q.source = 'market' AND q.fingerprint = t.id::text
WHERE t.parked_at IS NOT NULL AND t.status = 'pending' AND mod(t.shard, %s) = %s AND q.state = 'discarded'
ORDER BY t.seq LIMIT 100
"""
RELEASE: Final = """
UPDATE exchange.trades t SET parked_at = NULL FROM platform.quarantine q
WHERE t.parked_at IS NOT NULL AND mod(t.shard, %s) = %s AND q.source = 'market' AND q.fingerprint = t.id::text
  AND q.state = 'replayed' AND q.decided_at > t.parked_at
"""

# Funding, payouts and halts lock the same row first. NO KEY UPDATE lets orders come in meanwhile.
LOCK_ASSETS: Final = """
SELECT id, status::text, p0_micros, k_atto, fee_bps, lp_part_bps, breaker_bps, supply_atto, lp_shares_micros,
  fee_index, fee_carry, fills, verdicts
FROM exchange.assets WHERE id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""
# Read after the locks are held: the clock of a batch is not before what it waited for.
CLOCK: Final = """
SELECT clock_timestamp() AS now, coalesce((SELECT enabled FROM platform.controls WHERE name = 'exchange.trading'), true)
"""
# Shares need no lock of their own: nobody else moves those of an asset whose row is locked.
# Each look-up goes from the batch to the table: with FOR UPDATE or OFFSET 0 it cannot be turned round (see VERDICTS).
LOCK_BALANCES: Final = """
SELECT l.account, l.balance FROM (SELECT account FROM unnest(%s::text[]) AS a(account) ORDER BY account) w,
  LATERAL (SELECT b.account, b.balance FROM platform.balances b WHERE b.account = w.account AND b.unit = 'USDC'
           FOR UPDATE) l
"""
POSITIONS: Final = """
SELECT l.account_id, l.asset_id, l.shares_atto, l.cost_micros, l.realised_micros
FROM unnest(%s::uuid[], %s::uuid[]) AS w(account_id, asset_id),
  LATERAL (SELECT * FROM exchange.positions p WHERE p.account_id = w.account_id AND p.asset_id = w.asset_id OFFSET 0) l
"""
# What an engine that has not followed an asset reads once: spot prices and volume by second, and the newest moment.
HISTORY: Final = """
SELECT floor(extract(epoch FROM executed_at))::bigint AS second, min(spot_after_micros) AS low,
  max(spot_after_micros) AS high, sum(pool_micros)::bigint AS volume
FROM exchange.trades
WHERE asset_id = %s AND status = 'filled'
  AND executed_at >= to_timestamp(floor(extract(epoch FROM %s::timestamptz)) - %s) GROUP BY 1 ORDER BY 1
"""

# A batch whose orders are not all pending is an error, so that the COMMIT behind it does nothing.
VERDICTS: Final = """
WITH given AS (UPDATE exchange.trades t SET status = v.status, reject_code = v.reject_code, shares_atto = v.shares_atto,
  amount_micros = v.amount_micros, pool_micros = v.pool_micros, fee_micros = v.fee_micros,
  lp_fee_micros = v.lp_fee_micros, realised_micros = v.realised_micros, spot_before_micros = v.spot_before_micros,
  spot_after_micros = v.spot_after_micros, verdict = v.verdict, saw_usdc_micros = v.saw_usdc_micros,
  saw_lp_shares_micros = v.saw_lp_shares_micros, executed_at = %s::timestamptz, parked_at = NULL
FROM unnest(%s::uuid[], %s::exchange.trade_status[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[],
  %s::numeric[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
  AS v(id, status, reject_code, verdict, saw_usdc_micros, saw_lp_shares_micros, shares_atto, amount_micros, pool_micros,
    fee_micros, lp_fee_micros, spot_before_micros, spot_after_micros, realised_micros),
  LATERAL (SELECT s.ctid AS place FROM exchange.trades s WHERE s.id = v.id OFFSET 0) l
WHERE t.ctid = l.place AND t.status = 'pending' RETURNING 1)
SELECT exchange.all_given(count(*), %s) FROM given
"""
"""Not `t.id = v.id`: a session that planned that join while there were few trades reads all of them for every batch."""
ASSETS: Final = """
UPDATE exchange.assets a SET supply_atto = m.supply, fee_index = m.fee_index, fee_carry = m.fee_carry, fills = m.fills,
  verdicts = m.verdicts
FROM unnest(%s::uuid[], %s::numeric[], %s::numeric[], %s::numeric[], %s::bigint[], %s::bigint[])
  AS m(id, supply, fee_index, fee_carry, fills, verdicts)
WHERE a.id = m.id
"""
KEEP_POSITIONS: Final = """
INSERT INTO exchange.positions (account_id, asset_id, shares_atto, cost_micros, realised_micros, updated_at)
SELECT account_id, asset_id, shares, cost, realised, %s::timestamptz
FROM unnest(%s::uuid[], %s::uuid[], %s::numeric[], %s::bigint[], %s::bigint[])
  AS p(account_id, asset_id, shares, cost, realised)
ON CONFLICT (account_id, asset_id) DO UPDATE SET shares_atto = excluded.shares_atto,
  cost_micros = excluded.cost_micros, realised_micros = excluded.realised_micros, updated_at = excluded.updated_at
"""
EVENTS: Final = """
INSERT INTO platform.outbox (topic, type, account_id, payload)
SELECT 'trades', e.type, e.account_id, e.payload
FROM unnest(%s::text[], %s::uuid[], %s::jsonb[]) AS e(type, account_id, payload)
"""

WIRE: Final = {
    "pending": PENDING,
    "begin": "BEGIN",
    "assets": LOCK_ASSETS,
    "clock": CLOCK,
    "balances": LOCK_BALANCES,
    "positions": POSITIONS,
    "history": HISTORY,
    "book": BOOK_NEW,
    "give": VERDICTS,
    "keep_positions": KEEP_POSITIONS,
    "keep_assets": ASSETS,
    "tell": EVENTS,
    "commit": "COMMIT",
    "rollback": "ROLLBACK",
}
"""What an engine's session prepares (market_wire.py)."""

PARK: Final = """
UPDATE exchange.trades SET parked_at = clock_timestamp() WHERE id = %s AND status = 'pending'
"""
KEEP_PARKED: Final = """
INSERT INTO platform.quarantine AS q (id, source, kind, fingerprint, reason, payload)
VALUES (%s, 'market', 'order', %s, %s, %s)
ON CONFLICT (source, fingerprint) DO UPDATE SET state = 'held', reason = excluded.reason, payload = excluded.payload,
  decided_by = NULL, decided_at = NULL
"""


def pending(row: tuple[Any, ...]) -> Pending:
    """A row of DISCARDED, or of PENDING without its first column."""
    order_id, asset_id, account_id, side, asked, min_out = row
    return Pending(order_id, asset_id, account_id, Order(side, asked, min_out))
