"""The intent to correct the ledger: a row and its operation. Another person decides, a worker books."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.types.json import Jsonb

from domain.operations.corrections import CORRECTION_STEPS, asset_of, check_correction, user_of
from domain.shared import ids
from domain.shared.errors import Rejected
from domain.shared.events import Event
from domain.shared.ledger import Line
from storage.database import Connection
from storage.events import audit, emit, new_id
from storage.intents.opened import Opened
from storage.operations import mark_step, open_operation, set_operation


async def open_correction(connection: Connection, *, reason: str, lines: Sequence[Line], requested_by: str) -> Opened:
    """Insert the request and its operation, and tell operators. Nothing moves.

    Raises: Rejected validation_failed, not_correctable; not_found when a line names no account or asset of ours.
    """
    check_correction(lines)
    await _must_exist(connection, "platform.accounts", lines, [user_of(account) for account, _, _ in lines])
    await _must_exist(connection, "exchange.assets", lines, [asset_of(account) for account, _, _ in lines])
    correction_id = new_id()
    workflow_id = ids.correction(correction_id)
    summary = f"Waits for another person's approval: {reason[:200]}"
    operation_id = await open_operation(
        connection,
        kind="correction",
        subject_id=correction_id,
        workflow_id=workflow_id,
        steps=CORRECTION_STEPS,
        summary=summary,
    )
    kept = [{"account": account, "unit": unit, "amount": str(amount)} for account, unit, amount in lines]
    await connection.execute(
        "INSERT INTO platform.corrections (id, reason, postings, requested_by, operation_id) VALUES (%s,%s,%s,%s,%s)",
        [correction_id, reason, Jsonb(kept), requested_by, operation_id],
    )
    await mark_step(connection, operation_id, "approval", "running")
    await set_operation(connection, operation_id, "waiting", summary)
    await audit(connection, requested_by, "correction_requested", correction_id, reason=reason, postings=kept)
    payload = {"id": correction_id, "status": "pending_approval", "reason": reason}
    await emit(connection, Event(topic="system", type="correction_requested", payload=payload))
    return Opened(correction_id, operation_id, workflow_id, None, summary)


async def _must_exist(connection: Connection, table: str, lines: Sequence[Line], named: Sequence[str | None]) -> None:
    wanted = [name for name in named if name is not None]
    cursor = await connection.execute(
        f"SELECT id FROM {table} WHERE id = ANY(%s::uuid[])",
        [wanted],
    )
    known = {row["id"] for row in await cursor.fetchall()}
    for number, name in enumerate(named):
        if name is not None and name not in known:
            raise Rejected("not_found", f"there is no {lines[number][0]}", pointer=f"/postings/{number}/account")
