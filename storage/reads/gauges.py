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
    "holdfast_outbox_age_seconds": "Age of the oldest intent not dispatched or event not handed to a webhook.",
    "holdfast_alerts_open": "Open alerts, by code.",
    "holdfast_kill_switch_open": "1: the area is switched off.",
    "holdfast_backup_age_seconds": "Seconds since the last good backup; absent before the first.",
    "holdfast_quarantine_items": "Items held in quarantine.",
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
