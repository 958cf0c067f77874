"""Operators' acts on the system itself: kill switches, alerts, quarantine. All audited, all told to listeners."""

from __future__ import annotations

from domain.copytrade.odd_rows import read_again_from
from domain.exchange.passed_over import blocks_of
from domain.shared.errors import Rejected
from domain.shared.events import Event
from storage.copytrade.chain_state import ask_reread
from storage.database import Connection
from storage.events import audit, emit


async def set_control(connection: Connection, *, name: str, enabled: bool, reason: str, principal: str) -> None:
    """Switch an area on or off."""
    await connection.execute(
        """INSERT INTO platform.controls (name, enabled, reason, changed_by) VALUES (%s, %s, %s, %s)
           ON CONFLICT (name) DO UPDATE SET enabled = excluded.enabled, reason = excluded.reason,
             changed_by = excluded.changed_by, changed_at = clock_timestamp()""",
        [name, enabled, reason, principal],
    )
    await audit(connection, principal, "control_on" if enabled else "control_off", name, reason=reason)
    await emit(
        connection,
        Event(topic="system", type="control_changed", payload={"name": name, "enabled": enabled, "reason": reason}),
    )


async def close_alert(connection: Connection, *, alert_id: str, principal: str, note: str) -> None:
    """Resolve an alert by hand; one already resolved is left as it is.

    Raises: Rejected not_found.
    """
    cursor = await connection.execute(
        "SELECT code, subject, resolved_at FROM platform.alerts WHERE id = %s FOR UPDATE", [alert_id]
    )
    row = await cursor.fetchone()
    if row is None:
        raise Rejected("not_found", "no such alert")
    if row["resolved_at"] is not None:
        return
    await connection.execute(
        "UPDATE platform.alerts SET resolved_at = clock_timestamp(), resolved_by = %s WHERE id = %s",
        [principal, alert_id],
    )
    await audit(connection, principal, "alert_resolved", alert_id, code=row["code"], note=note)
    payload: dict[str, str | int | bool | None] = {"id": alert_id, "code": row["code"], "subject": row["subject"]}
    await emit(connection, Event(topic="system", type="alert_resolved", payload=payload))


async def decide_quarantine(connection: Connection, *, item_id: str, state: str, principal: str, note: str) -> None:
    """Have an item read again (`replayed`) or drop it (`discarded`), once.

    Transfers that were passed over are read again by the scanner, rows of leaders' activity by the feed. Everything
    else was asked for again by the step that met it. All but transfers count as taken up at once.

    Raises: Rejected not_found, conflict.
    """
    cursor = await connection.execute(
        "SELECT source, kind, payload, state FROM platform.quarantine WHERE id = %s FOR UPDATE", [item_id]
    )
    row = await cursor.fetchone()
    if row is None:
        raise Rejected("not_found", "no such item")
    if row["state"] == state:
        return
    if row["state"] != "held":
        raise Rejected("conflict", f"it is {row['state']} already")
    at_once = state == "replayed" and blocks_of(row["kind"], row["payload"]) is None
    await connection.execute(
        """UPDATE platform.quarantine SET state = %s, decided_by = %s, decided_at = clock_timestamp(),
             taken_up_at = CASE WHEN %s THEN clock_timestamp() END WHERE id = %s""",
        [state, principal, at_once, item_id],
    )
    again = read_again_from(row["source"], row["payload"]) if state == "replayed" else None
    if again is not None:
        await ask_reread(connection, again)
    await audit(connection, principal, f"quarantine_{state}", item_id, source=row["source"], note=note)
    payload: dict[str, str | int | bool | None] = {"id": item_id, "source": row["source"], "kind": row["kind"]}
    await emit(connection, Event(topic="system", type=f"quarantine_{state}", payload=payload))
