"""Processes as the books show them: an operation and its steps."""

from __future__ import annotations

from typing import Final

from storage.database import Pool
from storage.reads.base import Found, Listing, Row, fetch_item, fetch_page, moment

STEPS: Final = f"""coalesce((SELECT json_agg(json_build_object('name', s.name, 'status', s.status,
                 'attempts', s.attempts, 'started_at', {moment("s.started_at")},
                 'finished_at', {moment("s.finished_at")}, 'detail', s.detail, 'links', s.links) ORDER BY s.position)
               FROM platform.operation_steps s WHERE s.operation_id = o.id), '[]'::json)"""
"""SQL: the steps of operation `o`."""

OPERATIONS: Final = Listing(
    body=f"""json_build_object('id', o.id, 'kind', o.kind, 'subject_id', o.subject_id, 'account_id', o.account_id,
             'status', o.status, 'summary', o.summary, 'failure_code', o.failure_code,
             'started_at', {moment("o.started_at")}, 'finished_at', {moment("o.finished_at")},
             'steps', {STEPS})""",
    source="platform.operations o",
    key="o.id",
    extra="""o.id, o.account_id AS owner, o.kind, o.subject_id, o.status::text AS status, o.workflow_id,
             o.dispatched_at IS NOT NULL AS dispatched""",
)


async def operation(pool: Pool, operation_id: str) -> Row | None:
    return await fetch_item(pool, OPERATIONS, operation_id)


async def operations(
    pool: Pool, *, account_id: str | None, kind: str | None, status: str | None, limit: int, after: str | None
) -> Found:
    filters = [
        ("o.account_id = %s::uuid", account_id),
        ("o.kind = %s", kind),
        ("o.status = %s::platform.operation_status", status),
    ]
    return await fetch_page(pool, OPERATIONS, filters, limit=limit, after=after)
