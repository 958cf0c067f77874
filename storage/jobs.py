"""Intents that still need their process started, runs of periodic jobs, and the quarantine."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from psycopg.types.json import Jsonb
from pydantic import BaseModel, ConfigDict

from storage.books import Books
from storage.events import new_id, raise_alert, resolve_alert, resolve_alerts_about
from storage.operations import set_operation


class Undispatched(BaseModel):
    model_config = ConfigDict(frozen=True)
    operation_id: str
    kind: str
    subject_id: str
    workflow_id: str
    summary: str
    account_id: str | None


class JobStore:
    def __init__(self, books: Books) -> None:
        self.books = books

    async def undispatched(self, limit: int = 200) -> list[Undispatched]:
        """Operations whose workflow is not known to exist yet, oldest first."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                """SELECT id AS operation_id, kind, subject_id, workflow_id, summary, account_id
                   FROM platform.operations WHERE dispatched_at IS NULL ORDER BY id LIMIT %s""",
                [limit],
            )
            return [Undispatched.model_validate(row) for row in await cursor.fetchall()]

    async def mark_dispatched(self, operation_ids: list[str]) -> None:
        async with self.books.begin() as book:
            await book.connection.execute(
                """UPDATE platform.operations SET dispatched_at = clock_timestamp()
                   WHERE id = ANY(%s::uuid[]) AND dispatched_at IS NULL""",
                [operation_ids],
            )

    async def redispatch(self, operation_ids: list[str]) -> None:
        """Have these processes started again: Temporal does not know them (any more)."""
        async with self.books.begin() as book:
            await book.connection.execute(
                "UPDATE platform.operations SET dispatched_at = NULL WHERE id = ANY(%s::uuid[])", [operation_ids]
            )
            await book.connection.execute("SELECT pg_notify('intents', '')")

    async def alert_broken(self, code: str, subject: str, detail: str) -> None:
        """A Broken failure: an operator must act."""
        await self.alert(code, subject, detail, critical=True)

    async def record_run(self, job: str, *, ok: bool, **detail: object) -> None:
        """What a periodic job found; the newest row of each job is what /metrics and the status page show."""
        async with self.books.begin() as book:
            await book.connection.execute(
                "INSERT INTO platform.job_runs (id, job, ok, detail) VALUES (%s, %s, %s, %s)",
                [new_id(), job, ok, Jsonb(detail)],
            )
            await book.connection.execute(
                "DELETE FROM platform.job_runs WHERE job = %s AND created_at < clock_timestamp() - interval '30 days'",
                [job],
            )

    async def quarantine(self, source: str, kind: str, reason: str, payload: Any) -> None:
        """Keep what could not be understood, once per content; nothing is guessed, nothing is lost.

        What comes again after an operator had it replayed is held again.
        """
        text = json.dumps(payload, sort_keys=True, default=str)
        fingerprint = hashlib.sha256(f"{source}\0{kind}\0{text}".encode()).hexdigest()
        async with self.books.begin() as book:
            await book.connection.execute(
                """INSERT INTO platform.quarantine (id, source, kind, fingerprint, reason, payload)
                   VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (source, fingerprint) DO UPDATE
                     SET state = 'held', decided_by = NULL, decided_at = NULL, taken_up_at = NULL
                     WHERE quarantine.state = 'replayed'""",
                [new_id(), source, kind, fingerprint, reason, Jsonb(json.loads(text))],
            )
            await raise_alert(book.connection, "quarantined", source, f"{kind}: {reason}")

    async def park(self, workflow_id: str, operation_id: str | None, code: str, detail: str) -> None:
        """Show an operation as waiting for an operator, and open the alert of its process."""
        async with self.books.begin() as book:
            await set_operation(book.connection, operation_id, "needs_operator", f"{code}: {detail}", code)
            await raise_alert(book.connection, code, workflow_id, detail, critical=True, operation_id=operation_id)

    async def unpark(self, workflow_id: str, operation_id: str | None, detail: str) -> None:
        """Show an operation as running again, unless its end was booked meanwhile. Its alerts are over.

        If it fails again, they open again.
        """
        async with self.books.begin() as book:
            waits = await book.connection.execute(
                "SELECT 1 FROM platform.operations WHERE id = %s AND status = 'needs_operator' FOR UPDATE",
                [operation_id],
            )
            if await waits.fetchone() is not None:
                await set_operation(book.connection, operation_id, "running", detail)
            await resolve_alerts_about(book.connection, workflow_id, "retry")

    async def report(
        self, code: str, subject: str, *, bad: bool, detail: str = "", by: str, critical: bool = False
    ) -> None:
        """Open the alert when `bad`, close it when it is good again."""
        async with self.books.begin() as book:
            if bad:
                await raise_alert(book.connection, code, subject, detail, critical=critical)
            else:
                await resolve_alert(book.connection, code, subject, by)

    async def alert(self, code: str, subject: str, detail: str, *, critical: bool = False) -> None:
        """Open an alert in a transaction of its own (for failures that rolled theirs back)."""
        async with self.books.begin() as book:
            await raise_alert(book.connection, code, subject, detail, critical=critical)
