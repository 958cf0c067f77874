"""An intent that a process carries out: what was written, and whether its process is known to exist."""

from __future__ import annotations

from typing import NamedTuple

from storage.database import Pool, transaction


class Opened(NamedTuple):
    """The row a process is about, its operation, and under which id the process runs."""

    subject_id: str
    operation_id: str
    workflow_id: str
    account_id: str | None
    summary: str


async def mark_dispatched(pool: Pool, operation_id: str) -> None:
    """The workflow is known to exist: the dispatcher need not start it."""
    async with transaction(pool) as connection:
        await connection.execute(
            "UPDATE platform.operations SET dispatched_at = clock_timestamp() WHERE id = %s AND dispatched_at IS NULL",
            [operation_id],
        )


async def dispatch_again(pool: Pool, operation_id: str) -> None:
    """Hand the operation to the dispatcher once more: its workflow does not exist in Temporal."""
    async with transaction(pool) as connection:
        await connection.execute("UPDATE platform.operations SET dispatched_at = NULL WHERE id = %s", [operation_id])
        await connection.execute("SELECT pg_notify('intents', '')")
