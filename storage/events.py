"""Facts that travel with a change: outbox events, audit entries, alerts. Each takes the caller's open transaction."""

from __future__ import annotations

import uuid_utils
from psycopg.types.json import Jsonb

from domain.shared.events import Event
from storage.database import Connection


def new_id() -> str:
    """A UUIDv7: unique, and sorts by time."""
    return str(uuid_utils.uuid7())


async def emit(connection: Connection, *events: Event) -> None:
    """Write events to the outbox; listeners wake when the transaction commits."""
    await connection.execute(
        """INSERT INTO platform.outbox (topic, type, version, account_id, payload)
           SELECT * FROM unnest(%s::text[], %s::text[], %s::int2[], %s::uuid[], %s::jsonb[])""",
        [
            [e.topic for e in events],
            [e.type for e in events],
            [e.version for e in events],
            [e.account_id for e in events],
            [Jsonb(e.payload) for e in events],
        ],
    )


async def audit(connection: Connection, principal: str, action: str, subject: str, **detail: object) -> None:
    """Record who changed what. Append-only."""
    await connection.execute(
        "INSERT INTO platform.audit_log (principal, action, subject, detail) VALUES (%s, %s, %s, %s)",
        [principal, action, subject, Jsonb(detail)],
    )


async def raise_alert(
    connection: Connection, code: str, subject: str, detail: str, *, critical: bool = False, **data: object
) -> None:
    """Open an alert, or count it again when the same one is open. Emits `alert_opened` only the first time."""
    cursor = await connection.execute(
        """INSERT INTO platform.alerts AS a (id, code, subject, severity, detail, data)
           VALUES (%s, %s, %s, %s, %s, %s)
           ON CONFLICT (code, subject) WHERE resolved_at IS NULL
           DO UPDATE SET times = a.times + 1, last_seen_at = clock_timestamp(), detail = excluded.detail,
                         data = excluded.data
           RETURNING times""",
        [new_id(), code, subject, "critical" if critical else "warning", detail, Jsonb(data)],
    )
    row = await cursor.fetchone()
    if row is not None and row["times"] == 1:
        await emit(
            connection,
            Event(topic="system", type="alert_opened", payload={"code": code, "subject": subject, "detail": detail}),
        )


async def resolve_alert(connection: Connection, code: str, subject: str, by: str) -> None:
    """Close the open alert of this code and subject, if there is one."""
    cursor = await connection.execute(
        """UPDATE platform.alerts SET resolved_at = clock_timestamp(), resolved_by = %s
           WHERE code = %s AND subject = %s AND resolved_at IS NULL RETURNING id""",
        [by, code, subject],
    )
    if await cursor.fetchone() is not None:
        await emit(connection, Event(topic="system", type="alert_resolved", payload={"code": code, "subject": subject}))


async def trip(connection: Connection, control: str, reason: str, by: str) -> None:
    """Switch a control off (a kill switch), with audit. Switching on again is an operator's act."""
    cursor = await connection.execute(
        """UPDATE platform.controls SET enabled = false, reason = %s, changed_by = %s, changed_at = clock_timestamp()
           WHERE name = %s AND enabled RETURNING name""",
        [reason, by, control],
    )
    if await cursor.fetchone() is not None:
        await audit(connection, by, "control_off", control, reason=reason)
        await emit(
            connection,
            Event(
                topic="system", type="control_changed", payload={"name": control, "enabled": False, "reason": reason}
            ),
        )
