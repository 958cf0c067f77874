"""What Prometheus reads from the books at scrape time: one statement, one row per sample."""

from __future__ import annotations

from typing import Final, NamedTuple

from storage.database import Pool
from storage.reads.base import fetch_all
from storage.reads.system import CONTROLS

HELP: Final[dict[str, str]] = {
    "holdfast_chain_head_lag_seconds": "Seconds since the chain's head was last seen to move.",
    "holdfast_scanner_lag_blocks": "Blocks between the head and the scanner.",
    "holdfast_deposits_pending": "Deposits seen and not yet credited.",
    "holdfast_withdrawals_open": "Withdrawals that have not ended, by status.",
    "holdfast_hot_wallet_usdc_micros": "USDC of the hot wallet at the last custody upkeep; absent before the first.",
    "holdfast_hot_wallet_wei": "ETH of the hot wallet at the last custody upkeep, in wei.",
    "holdfast_gas_wallet_wei": "ETH of the gas wallet at the last custody upkeep, in wei.",
    "holdfast_outbox_age_seconds": "Age of the oldest intent not dispatched or event not handed to a webhook.",
    "holdfast_alerts_open": "Open alerts, by code.",
    "holdfast_kill_switch_open": "1: the area is switched off.",
    "holdfast_backup_age_seconds": "Seconds since the last good backup; absent before the first.",
    "holdfast_quarantine_items": "Items held in quarantine.",
    "holdfast_orders_pending": "Orders without a verdict.",
    "holdfast_orders_parked": "Orders set aside for an operator.",
    "holdfast_orders_oldest_seconds": "Age of the oldest order that waits for its verdict.",
    "holdfast_engine_seen_seconds": "Seconds since the market engine was last at work.",
    "holdfast_engine_verdicts_total": "Verdicts the engine has given.",
    "holdfast_engine_last_batch_orders": "Orders in the engine's last batch.",
    "holdfast_engine_last_batch_seconds": "How long the engine's last batch took.",
    "holdfast_oracle_degraded_assets": "Active assets without a valid oracle signal now: the market weighs 0.95.",
    "holdfast_polygon_socket_up": "1: subscribed to the chain Polymarket settles on; absent without a node.",
    "holdfast_polygon_lag_seconds": "From a block's time to the arrival of its logs, the last hour's; absent without.",
    "holdfast_polygon_mismatches": "Leaders' fills of the last hour on which chain and API disagree.",
    "holdfast_copytrade_read_age_seconds": "Since the feed of leaders noted a look; absent before that, and with v1.",
    "holdfast_copytrade_undecided_seconds": "How long the oldest group is past its due time without a decision.",
    "holdfast_job_last_run_timestamp_seconds": "When a periodic job last recorded a run, by name; absent before that.",
    "holdfast_ledger_ok": "1: the last ledger check passed.",
    "holdfast_solvency_ok": "1: the last solvency check passed.",
}
_SQL: Final = """
SELECT 'holdfast_chain_head_lag_seconds' AS name, 'chain' AS label, chain_id::text AS value_of,
       extract(epoch FROM clock_timestamp() - updated_at)::text AS value FROM exchange.chain_cursors
UNION ALL SELECT 'holdfast_scanner_lag_blocks', 'chain', chain_id::text,
       greatest(0, head_block - next_block + 1)::text FROM exchange.chain_cursors
UNION ALL SELECT 'holdfast_deposits_pending', '', '', count(*)::text FROM exchange.deposits
       WHERE status IN ('seen', 'confirming')
UNION ALL SELECT 'holdfast_withdrawals_open', 'status', s.status, count(w.id)::text
       FROM unnest(ARRAY['requested', 'pending_approval', 'approved', 'signed', 'broadcast', 'confirming']) AS s(status)
       LEFT JOIN exchange.withdrawals w ON w.status = s.status::exchange.withdrawal_status GROUP BY s.status
UNION ALL SELECT 'holdfast_outbox_age_seconds', '', '', coalesce(extract(epoch FROM clock_timestamp() - least(
         (SELECT min(started_at) FROM platform.operations WHERE dispatched_at IS NULL),
         (SELECT min(created_at) FROM platform.webhook_deliveries WHERE dispatched_at IS NULL AND status = 'pending'),
         (SELECT min(o.created_at) FROM platform.outbox o, platform.webhooks h WHERE h.deleted_at IS NULL
            AND o.topic = ANY(h.topics) AND (o.xact, o.id) > (h.after_xact, h.after_id)))), 0)::text
UNION ALL SELECT 'holdfast_alerts_open', 'code', code, count(*)::text FROM platform.alerts
       WHERE resolved_at IS NULL GROUP BY code
UNION ALL SELECT 'holdfast_kill_switch_open', 'area', n.name, (NOT coalesce(c.enabled, true))::int::text
       FROM unnest(%s::text[]) AS n(name) LEFT JOIN platform.controls c ON c.name = n.name
UNION ALL SELECT 'holdfast_backup_age_seconds', '', '', extract(epoch FROM clock_timestamp() - max(created_at))::text
       FROM platform.job_runs WHERE job = 'backup' AND ok HAVING max(created_at) IS NOT NULL
UNION ALL SELECT 'holdfast_quarantine_items', '', '', count(*)::text FROM platform.quarantine WHERE state = 'held'
UNION ALL SELECT l.name, '', '', w.detail ->> l.figure
       FROM (SELECT detail FROM platform.job_runs WHERE job = 'wallet_levels' ORDER BY created_at DESC LIMIT 1) w,
         (VALUES ('holdfast_hot_wallet_usdc_micros', 'hot_usdc_micros'), ('holdfast_hot_wallet_wei', 'hot_wei'),
                 ('holdfast_gas_wallet_wei', 'gas_wei')) AS l(name, figure)
       WHERE w.detail ->> l.figure IS NOT NULL
UNION ALL SELECT 'holdfast_orders_pending', '', '', count(*)::text FROM exchange.trades
       WHERE status = 'pending' AND parked_at IS NULL
UNION ALL SELECT 'holdfast_orders_parked', '', '', count(*)::text FROM exchange.trades
       WHERE parked_at IS NOT NULL AND status = 'pending'
UNION ALL SELECT 'holdfast_orders_oldest_seconds', '', '',
       coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::text FROM exchange.trades
       WHERE status = 'pending' AND parked_at IS NULL
UNION ALL SELECT g.name, 'engine', e.number::text, g.value FROM exchange.engines e CROSS JOIN LATERAL (VALUES
       ('holdfast_engine_seen_seconds', extract(epoch FROM clock_timestamp() - e.seen_at)::text),
       ('holdfast_engine_verdicts_total', e.verdicts::text),
       ('holdfast_engine_last_batch_orders', e.last_batch_orders::text),
       ('holdfast_engine_last_batch_seconds', (e.last_batch_us * 0.000001)::text)) AS g(name, value)
UNION ALL SELECT 'holdfast_oracle_degraded_assets', '', '', count(*)::text FROM exchange.asset_prices p
       JOIN exchange.assets a ON a.id = p.asset_id WHERE p.degraded_until > clock_timestamp() AND a.status = 'active'
UNION ALL SELECT 'holdfast_polygon_socket_up', '', '', (value->>'state' = 'up')::int::text
       FROM copytrade.checkpoints WHERE key = 'polygon:socket' AND value->>'state' <> 'off'
UNION ALL SELECT 'holdfast_polygon_lag_seconds', 'quantile', q.name, q.value::text
       FROM (SELECT percentile_cont('{0.5,0.95}'::float8[]) WITHIN GROUP (
               ORDER BY extract(epoch FROM arrived_at - block_time)) AS lags FROM copytrade.chain_logs
             WHERE arrived_at > clock_timestamp() - interval '1 hour' AND NOT removed) l,
         unnest('{0.5,0.95}'::text[], l.lags) AS q(name, value) WHERE q.value IS NOT NULL
UNION ALL SELECT 'holdfast_polygon_mismatches', '', '', count(DISTINCT (tx_hash, wallet, token_id, side))::text
       FROM copytrade.chain_logs
       WHERE mismatch IS NOT NULL AND NOT removed AND arrived_at > clock_timestamp() - interval '1 hour'
UNION ALL SELECT 'holdfast_copytrade_read_age_seconds', '', '',
       extract(epoch FROM clock_timestamp() - updated_at)::text FROM copytrade.checkpoints WHERE key = 'api:status'
UNION ALL SELECT 'holdfast_copytrade_undecided_seconds', '', '',
       greatest(0, coalesce(extract(epoch FROM clock_timestamp() - min(due_at)), 0))::text
       FROM copytrade.event_groups WHERE global_decided_at IS NULL
UNION ALL SELECT 'holdfast_job_last_run_timestamp_seconds', 'name', n.job, extract(epoch FROM r.created_at)::text
       FROM unnest('{ledger_check,solvency,wallet_levels,retention,backup,restore_drill}'::text[]) AS n(job), LATERAL (
         SELECT created_at FROM platform.job_runs j WHERE j.job = n.job ORDER BY created_at DESC LIMIT 1) r
UNION ALL (SELECT 'holdfast_ledger_ok', '', '', ok::int::text FROM platform.job_runs WHERE job = 'ledger_check'
       ORDER BY created_at DESC LIMIT 1)
UNION ALL (SELECT 'holdfast_solvency_ok', '', '', ok::int::text FROM platform.job_runs WHERE job = 'solvency'
       ORDER BY created_at DESC LIMIT 1)
"""


class Sample(NamedTuple):
    name: str
    label: str
    value_of: str
    value: str


async def samples(pool: Pool) -> list[Sample]:
    """Every gauge with its label (empty: none) and its value as Postgres writes it."""
    rows = await fetch_all(pool, _SQL, [list(CONTROLS)])
    return [Sample(r["name"], r["label"], r["value_of"], r["value"]) for r in rows]
