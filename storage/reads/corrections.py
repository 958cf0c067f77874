"""Corrections of the ledger, as operators see them."""

from __future__ import annotations

from typing import Final

from domain.operations.corrections import WAITS
from storage.database import Pool
from storage.reads.base import Found, Listing, Row, fetch_item, fetch_page, moment

_ENDS: Final = f"(c.created_at + interval '{WAITS.days} days')"
CORRECTIONS: Final = Listing(
    body=f"""json_build_object('id', c.id, 'reason', c.reason, 'status', c.status, 'failure_code', c.failure_code,
             'postings', (SELECT json_agg(json_build_object('account', p.v ->> 'account', 'unit', p.v ->> 'unit',
                'amount', trim_scale((p.v ->> 'amount')::numeric * 0.000001)::text) ORDER BY p.n)
                FROM jsonb_array_elements(c.postings) WITH ORDINALITY AS p(v, n)),
             'requested_by', c.requested_by, 'decided_by', c.decided_by, 'created_at', {moment("c.created_at")},
             'expires_at', {moment(_ENDS)}, 'decided_at', {moment("c.decided_at")},
             'booked_at', {moment("c.booked_at")},
             'transfer', CASE WHEN c.status = 'booked' THEN 'correction:' || c.id END,
             'operation_id', c.operation_id)""",
    source="platform.corrections c",
    key="c.id",
    extra="c.status, c.requested_by, c.operation_id, c.postings, c.reason",
)
"""Amounts in USDC: nothing else can be corrected (domain/operations/corrections.py)."""


async def corrections(pool: Pool, *, status: str | None, limit: int, after: str | None) -> Found:
    return await fetch_page(pool, CORRECTIONS, [("c.status = %s", status)], limit=limit, after=after)


async def correction(pool: Pool, correction_id: str) -> Row | None:
    return await fetch_item(pool, CORRECTIONS, correction_id)
