"""Launches as people see them: where one stands, what it has put on the chain, what its creator is to sign."""

from __future__ import annotations

from typing import Final

from storage.database import Connection, Pool
from storage.reads.base import Found, Listing, Row, fetch_all, fetch_item, fetch_one, fetch_page, moment, sol
from storage.reads.operations import STEPS
from storage.reads.projects import PROMOTION

_STATUS: Final = "CASE WHEN o.status = 'needs_operator' THEN 'needs_operator' ELSE l.status::text END"
"""A launch that waits for an operator says so, whatever step it was at."""

LAUNCHES: Final = Listing(
    body=f"""json_build_object('id', l.id, 'status', {_STATUS}, 'step', nullif(l.step, ''), 'steps', {STEPS},
      'name', l.request->>'name', 'symbol', l.request->>'symbol', 'account_id', l.account_id, 'signing', l.signing,
      'creator_wallet', l.creator_wallet, 'cluster', l.cluster, 'token_address', p.token_address,
      'sale_id', (SELECT s.id FROM launchpad.sales s WHERE s.project_id = l.id),
      'sale_address', p.bonding_curve_address, 'metadata_uri', l.metadata_uri,
      'tax_account', p.tax_program_account, 'referral_account', p.referral_program_account,
      'spent_sol', {sol("l.spent_lamports")}, 'budget_sol', {sol("l.budget_lamports")},
      'cancel_requested', l.cancel_requested_at IS NOT NULL AND l.failure_code IS NULL,
      'failure_code', coalesce(l.failure_code, CASE WHEN o.status = 'needs_operator' THEN o.failure_code END),
      'failure_detail', CASE WHEN o.status = 'needs_operator' THEN o.summary ELSE l.failure_detail END,
      'promotion', (SELECT {PROMOTION} FROM launchpad.promo_activations a WHERE a.project_id = l.id
                    ORDER BY a.id DESC LIMIT 1),
      'operation_id', l.operation_id, 'created_at', {moment("l.created_at")},
      'updated_at', {moment("l.updated_at")})""",
    source="""launchpad.launches l JOIN launchpad.projects p ON p.id = l.id
              LEFT JOIN platform.operations o ON o.id = l.operation_id""",
    key="l.id",
    extra=f"""l.id, l.account_id AS owner, {_STATUS} AS status, l.step, l.signing, l.operation_id, l.cluster,
              l.signature_until, o.workflow_id, o.dispatched_at IS NOT NULL AS dispatched""",
)


async def launch(pool: Pool, launch_id: str) -> Row | None:
    return await fetch_item(pool, LAUNCHES, launch_id)


async def just_written(connection: Connection, launch_id: str) -> Row:
    """The launch as this transaction wrote it."""
    sql = f"SELECT ({LAUNCHES.body})::text AS body, {LAUNCHES.extra} FROM {LAUNCHES.source} WHERE {LAUNCHES.key} = %s"
    row = await (await connection.execute(sql, [launch_id])).fetchone()
    assert row is not None
    return row


async def launches(pool: Pool, *, account_id: str | None, status: str | None, limit: int, after: str | None) -> Found:
    filters = [("l.account_id = %s::uuid", account_id), (f"({_STATUS}) = %s", status)]
    return await fetch_page(pool, LAUNCHES, filters, limit=limit, after=after)


async def signatures(pool: Pool, launch_ids: list[str]) -> dict[str, list[tuple[str, str]]]:
    """Launch → (step, signature) of every transaction of it that is known on the chain, in their order."""
    rows = await fetch_all(
        pool,
        """SELECT subject_id, split_part(key, ':', 3) AS step, signature FROM launchpad.transactions
           WHERE subject_kind = 'launch' AND subject_id = ANY(%s::uuid[]) AND signature IS NOT NULL ORDER BY id""",
        [launch_ids],
    )
    found: dict[str, list[tuple[str, str]]] = {launch_id: [] for launch_id in launch_ids}
    for row in rows:
        found[row["subject_id"]].append((row["step"], row["signature"]))
    return found


async def transaction_id(pool: Pool, key: str) -> str | None:
    """Of what is planned under this key."""
    row = await fetch_one(pool, "SELECT id FROM launchpad.transactions WHERE key = %s", [key])
    return row["id"] if row is not None else None


async def enabled(pool: Pool) -> bool:
    """Whether launches are switched on."""
    row = await fetch_one(pool, "SELECT enabled FROM platform.controls WHERE name = 'launchpad.launches'")
    return row is None or bool(row["enabled"])
