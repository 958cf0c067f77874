"""Programs brought onto the chain, for operators."""

from __future__ import annotations

from typing import Any, Final

from domain.launchpad.deployment import SUBJECT
from storage.database import Pool
from storage.reads.base import fetch_all, fetch_one, moment

_DEPLOYMENTS: Final = f"""
SELECT d.id, d.name, d.cluster, d.program_id, d.buffer, d.so_sha256, octet_length(d.content) AS bytes, d.chunks,
  d.final, d.requested_by, {moment("d.created_at")} AS created_at, {moment("d.deployed_at")} AS deployed_at,
  {moment("d.cancelled_at")} AS cancelled_at, coalesce(o.status::text, '') AS status,
  coalesce(o.failure_code, '') AS failure_code, coalesce(o.summary, '') AS summary, coalesce((
    SELECT s.name FROM platform.operation_steps s WHERE s.operation_id = o.id AND s.status <> 'pending'
    ORDER BY s.position DESC LIMIT 1), 'waits for a worker') AS step,
  (SELECT count(*) FROM launchpad.transactions t WHERE t.subject_kind = %(subject)s AND t.subject_id = d.id
     AND t.key LIKE 'deployment:%%:chunk:%%' AND t.status IN ('landed', 'finalized')) AS written
FROM launchpad.deployments d LEFT JOIN platform.operations o ON o.id = d.operation_id
"""


async def deployments(pool: Pool) -> list[dict[str, Any]]:
    """Newest first."""
    return await fetch_all(pool, f"{_DEPLOYMENTS} ORDER BY d.id DESC", {"subject": SUBJECT})


async def deployment(pool: Pool, name: str) -> dict[str, Any] | None:
    """The one of this id, or the newest of this name or program address."""
    return await fetch_one(
        pool,
        f"{_DEPLOYMENTS} WHERE %(name)s IN (d.id::text, d.name, d.program_id) ORDER BY d.id DESC LIMIT 1",
        {"subject": SUBJECT, "name": name},
    )


async def transactions(pool: Pool, deployment_id: str) -> list[dict[str, Any]]:
    """What it did on the chain, in order."""
    return await fetch_all(
        pool,
        """SELECT key, status::text AS status, signature, slot FROM launchpad.transactions
           WHERE subject_kind = %s AND subject_id = %s ORDER BY slot NULLS LAST, key""",
        [SUBJECT, deployment_id],
    )
