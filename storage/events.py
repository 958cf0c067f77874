"""Facts that travel with a change: outbox events, audit entries, alerts. Each takes the caller's open transaction."""

from __future__ import annotations

from typing import LiteralString

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
    await _resolve(connection, "code = %s AND subject = %s", [code, subject], by)


async def resolve_alerts_about(connection: Connection, subject: str, by: str) -> None:
    """Close every open alert of this subject: somebody has dealt with it."""
    await _resolve(connection, "subject = %s", [subject], by)


async def _resolve(connection: Connection, condition: LiteralString, values: list[str], by: str) -> None:
    cursor = await connection.execute(
        f"""UPDATE platform.alerts SET resolved_at = clock_timestamp(), resolved_by = %s
            WHERE {condition} AND resolved_at IS NULL RETURNING code, subject""",
        [by, *values],
    )
    for row in await cursor.fetchall():
        payload: dict[str, str | int | bool | None] = {"code": row["code"], "subject": row["subject"]}
        await emit(connection, Event(topic="system", type="alert_resolved", payload=payload))


async def trip(connection: Connection, control: str, reason: str, by: str) -> None:
    """Switch a control off (a kill switch), with audit; one nobody has touched counts as on. Switching on again is an
    operator's act."""
    cursor = await connection.execute(
        """INSERT INTO platform.controls AS c (name, enabled, reason, changed_by) VALUES (%s, false, %s, %s)
           ON CONFLICT (name) DO UPDATE SET enabled = false, reason = excluded.reason,
             changed_by = excluded.changed_by, changed_at = clock_timestamp()
           WHERE c.enabled RETURNING name""",
        [control, reason, by],
    )
    if await cursor.fetchone() is not None:
        await audit(connection, by, "control_off", control, reason=reason)
        await emit(
            connection,
            Event(
                topic="system", type="control_changed", payload={"name": control, "enabled": False, "reason": reason}
            ),
        )
