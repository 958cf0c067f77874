"""The projection of running processes: what operators and users read instead of asking Temporal."""

from __future__ import annotations

from typing import Final

from psycopg.types.json import Jsonb

from domain.shared.events import Event
from storage.database import Connection
from storage.events import emit, new_id

ENDED: Final = ("completed", "failed", "cancelled")
_END_STEPS: Final = """
UPDATE platform.operation_steps SET
  status = (CASE WHEN status = 'pending' THEN 'skipped' WHEN %(done)s THEN 'done' ELSE 'failed' END)
           ::platform.step_status,
  finished_at = clock_timestamp()
WHERE operation_id = %(id)s AND status IN ('pending', 'running')
"""


async def open_operation(
    connection: Connection,
    *,
    kind: str,
    subject_id: str,
    workflow_id: str,
    steps: tuple[str, ...],
    summary: str,
    account_id: str | None = None,
) -> str:
    """Insert an operation with its steps; return its id. The same workflow id gives the same operation."""
    cursor = await connection.execute(
        """INSERT INTO platform.operations (id, kind, subject_id, account_id, workflow_id, summary)
           VALUES (%s, %s, %s, %s, %s, %s)
           ON CONFLICT (workflow_id) DO UPDATE SET workflow_id = excluded.workflow_id RETURNING id""",
        [new_id(), kind, subject_id, account_id, workflow_id, summary],
    )
    row = await cursor.fetchone()
    assert row is not None
    operation_id: str = row["id"]
    await connection.execute(
        """INSERT INTO platform.operation_steps (operation_id, name, position)
           SELECT %s, name, ord FROM unnest(%s::text[]) WITH ORDINALITY AS s(name, ord) ON CONFLICT DO NOTHING""",
        [operation_id, list(steps)],
    )
    return operation_id


async def mark_step(
    connection: Connection,
    operation_id: str | None,
    name: str,
    status: str,
    detail: str = "",
    links: list[dict[str, str]] | None = None,
) -> None:
    """Set a step's status; counts an attempt each time it becomes `running`, stamps its first start and its end."""
    if operation_id is None:
        return
    await connection.execute(
        """INSERT INTO platform.operation_steps AS s
             (operation_id, name, position, status, attempts, detail, links, started_at, finished_at)
           VALUES (%(op)s, %(name)s,
             (SELECT coalesce(max(position), 0) + 1 FROM platform.operation_steps WHERE operation_id = %(op)s),
             %(status)s, 1, %(detail)s, %(links)s, clock_timestamp(),
             CASE WHEN %(ended)s THEN clock_timestamp() END)
           ON CONFLICT (operation_id, name) DO UPDATE SET
             status = excluded.status,
             attempts = s.attempts + (excluded.status = 'running' OR s.attempts = 0)::int,
             detail = CASE WHEN excluded.detail = '' THEN s.detail ELSE excluded.detail END,
             links = CASE WHEN excluded.links = '[]' THEN s.links ELSE excluded.links END,
             started_at = coalesce(s.started_at, excluded.started_at),
             finished_at = excluded.finished_at""",
        {
            "op": operation_id,
            "name": name,
            "status": status,
            "ended": status in ("done", "failed", "skipped", "undone"),
            "detail": detail,
            "links": Jsonb(links or []),
        },
    )


async def set_operation(
    connection: Connection, operation_id: str | None, status: str, summary: str, failure_code: str | None = None
) -> None:
    """Set status and the sentence an operator reads; stamps the end when the status is final; tells listeners."""
    if operation_id is None:
        return
    cursor = await connection.execute(
        """UPDATE platform.operations SET status = %(status)s, summary = %(summary)s, failure_code = %(code)s,
             finished_at = CASE WHEN %(ended)s THEN clock_timestamp() END
           WHERE id = %(id)s RETURNING kind, subject_id, account_id""",
        {
            "status": status,
            "ended": status in ENDED,
            "summary": summary,
            "code": failure_code,
            "id": operation_id,
        },
    )
    row = await cursor.fetchone()
    if status in ENDED:
        await connection.execute(_END_STEPS, {"id": operation_id, "done": status == "completed"})
    if row is not None:
        await emit(
            connection,
            Event(
                topic="operations",
                type="operation_changed",
                account_id=row["account_id"],
                payload={"id": operation_id, "kind": row["kind"], "subject_id": row["subject_id"], "status": status},
            ),
        )
