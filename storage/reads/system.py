"""What operators read: controls, alerts, quarantine, audit, readiness, the state of the whole."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from storage.database import Pool
from storage.reads.base import Found, Listing, fetch_all, fetch_one, fetch_page, moment

CONTROLS: Final = ("exchange.trading", "exchange.withdrawals", "copytrade.engine", "launchpad.launches")
ALERTS: Final = Listing(
    body=f"""json_build_object('id', a.id, 'code', a.code, 'subject', a.subject, 'severity', a.severity,
             'detail', a.detail, 'data', a.data, 'times', a.times, 'created_at', {moment("a.created_at")},
             'last_seen_at', {moment("a.last_seen_at")}, 'resolved_at', {moment("a.resolved_at")},
             'resolved_by', a.resolved_by)""",
    source="platform.alerts a",
    key="a.id",
)
QUARANTINE: Final = Listing(
    body=f"""json_build_object('id', q.id, 'source', q.source, 'kind', q.kind, 'reason', q.reason,
             'payload', q.payload, 'state', q.state, 'decided_by', q.decided_by,
             'decided_at', {moment("q.decided_at")}, 'taken_up_at', {moment("q.taken_up_at")},
             'created_at', {moment("q.created_at")})""",
    source="platform.quarantine q",
    key="q.id",
)
AUDIT: Final = Listing(
    body=f"""json_build_object('id', l.id::text, 'principal', l.principal, 'action', l.action, 'subject', l.subject,
             'detail', l.detail, 'created_at', {moment("l.created_at")})""",
    source="platform.audit_log l",
    key="l.id",
    kind="bigint",
)
CONTROLS_SQL: Final = f"""
SELECT json_build_object('items', json_agg(json_build_object('name', n.name, 'enabled', coalesce(c.enabled, true),
  'reason', coalesce(c.reason, ''), 'changed_by', c.changed_by, 'changed_at', {moment("c.changed_at")})
  ORDER BY n.ord), 'next_cursor', null)::text AS body
FROM unnest(%s::text[]) WITH ORDINALITY AS n(name, ord) LEFT JOIN platform.controls c ON c.name = n.name
"""
_STATUS: Final = f"""
SELECT json_build_object(
  'operations', (SELECT coalesce(json_object_agg(status, n), '{{}}'::json) FROM
     (SELECT status::text, count(*) AS n FROM platform.operations GROUP BY status) x),
  'undispatched', (SELECT count(*) FROM platform.operations WHERE dispatched_at IS NULL),
  'dead_letters', (SELECT count(*) FROM platform.quarantine WHERE state = 'held'),
  'open_alerts', (SELECT count(*) FROM platform.alerts WHERE resolved_at IS NULL),
  'webhook_deliveries', (SELECT coalesce(json_object_agg(status, n), '{{}}'::json) FROM
     (SELECT status, count(*) AS n FROM platform.webhook_deliveries GROUP BY status) x),
  'last_event_at', (SELECT {moment("max(created_at)")} FROM platform.outbox),
  'last_backfill_at', (SELECT {moment("created_at")} FROM platform.audit_log WHERE action = 'chain_rescan'
     AND subject IN (SELECT 'chain:' || chain_id FROM exchange.chain_cursors) ORDER BY id DESC LIMIT 1),
  'chains', (SELECT coalesce(json_agg(json_build_object('chain_id', chain_id, 'head_block', head_block,
     'next_block', next_block, 'safe_block', safe_block, 'finalized_block', finalized_block,
     'halted_reason', halted_reason, 'updated_at', {moment("updated_at")})), '[]'::json) FROM exchange.chain_cursors),
  'jobs', (SELECT coalesce(json_agg(json_build_object('job', job, 'ok', ok, 'detail', detail,
     'created_at', {moment("created_at")}) ORDER BY job), '[]'::json)
     FROM (SELECT DISTINCT ON (job) * FROM platform.job_runs ORDER BY job, created_at DESC) j),
  'copytrade', (SELECT json_build_object(
     'following', (SELECT count(*) FROM copytrade.followed_users WHERE enabled AND baseline_at IS NOT NULL),
     'last_canonical_event_at', (SELECT {moment("max(event_time)")} FROM copytrade.trade_events),
     'last_read_at', (SELECT {moment("max(updated_at)")} FROM copytrade.checkpoints WHERE key = 'api:status'),
     'venue_lag_s', (SELECT (value->>'lag_s')::int FROM copytrade.checkpoints WHERE key = 'api:status'),
     'chain_socket', (SELECT value->>'state' FROM copytrade.checkpoints WHERE key = 'polygon:socket'),
     'q_group_events', (SELECT count(*) FROM copytrade.event_groups WHERE dispatched_at IS NULL),
     'q_copy_attempt_user', (SELECT count(*) FROM copytrade.event_groups g
        WHERE g.detect_time > now() - interval '1 day' AND NOT EXISTS
          (SELECT 1 FROM copytrade.group_inputs i WHERE i.group_key = g.group_key)),
     'q_ingest_waiting', (SELECT count(*) FROM copytrade.activity_applications WHERE state = 'waiting'),
     'last_mark_at', (SELECT {moment("max(observed_at)")} FROM copytrade.mark_prices
        WHERE bucket_time > now() - interval '1 day'),
     'last_snapshot_at', (SELECT {moment("max(bucket_time)")} FROM copytrade.portfolio_snapshots
        WHERE bucket_time > now() - interval '1 day'),
     'last_backfill_at', (SELECT {moment("max(created_at)")} FROM copytrade.backfills),
     'drifting_tokens', (SELECT count(*) FROM copytrade.shadow_drifts))),
  'database_bytes', pg_database_size(current_database()))::text AS body
"""
_REVISION = re.compile(r"^(revision|down_revision) = (?:\"([^\"]+)\"|None)", re.MULTILINE)


async def alerts(pool: Pool, *, open_only: bool | None, code: str | None, limit: int, after: str | None) -> Found:
    filters = [("(a.resolved_at IS NULL) = %s", open_only), ("a.code = %s", code)]
    return await fetch_page(pool, ALERTS, filters, limit=limit, after=after)


async def quarantine(pool: Pool, *, state: str | None, limit: int, after: str | None) -> Found:
    return await fetch_page(pool, QUARANTINE, [("q.state = %s", state)], limit=limit, after=after)


async def audit_log(pool: Pool, *, subject: str | None, limit: int, after: str | None) -> Found:
    return await fetch_page(pool, AUDIT, [("l.subject = %s", subject)], limit=limit, after=after)


async def controls(pool: Pool) -> str:
    """JSON list of every kill switch; one never touched is enabled."""
    rows = await fetch_all(pool, CONTROLS_SQL, [list(CONTROLS)])
    return str(rows[0]["body"])


async def status(pool: Pool) -> str:
    """JSON of what the database knows about the state of the whole."""
    rows = await fetch_all(pool, _STATUS)
    return str(rows[0]["body"])


class Revisions(NamedTuple):
    """The migrations this code was shipped with."""

    newest: str
    known: frozenset[str]

    def pending(self, at: str | None) -> bool:
        """Must some of them still run on a database at this revision?

        A revision that is not among them was made by a newer release, whose changes an older one bears
        (docs/how_to/migrations.md): that is how a release is rolled back.
        """
        return at is None or (at in self.known and at != self.newest)


@lru_cache(1)
def shipped_revisions() -> Revisions:
    """Read from the migration files (alembic is not loaded for it)."""
    folder = Path(__file__).parent.parent / "migrations" / "versions"
    found = [_REVISION.findall(path.read_text()) for path in folder.glob("*.py")]
    revisions = {name for lines in found for word, name in lines if word == "revision"}
    parents = {name for lines in found for word, name in lines if word == "down_revision"}
    (head,) = revisions - parents
    return Revisions(head, frozenset(revisions))


async def revision(pool: Pool) -> str | None:
    """The revision the database is at; None when it was never migrated."""
    exists = await fetch_one(pool, "SELECT to_regclass('platform.alembic_version') IS NOT NULL AS yes")
    if exists is None or not exists["yes"]:
        return None
    row = await fetch_one(pool, "SELECT version_num FROM platform.alembic_version")
    return None if row is None else str(row["version_num"])
