"""Runs of the system's own upkeep as operators see them, and the moment of the books that a backup is taken of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from domain.operations.messages import BooksFacts, CloseRun, LedgerTotals, OpenRun, StepNote
from domain.shared.errors import Broken
from storage.books import Books
from storage.database import Connection, translated
from storage.events import new_id, raise_alert, resolve_alert
from storage.operations import mark_step, open_operation, set_operation

FAILED: Final = "backup_failed"
_FACTS: Final = """
SELECT (SELECT version_num FROM platform.alembic_version) AS revision,
  (SELECT count(*) FROM platform.transfers) AS transfers, (SELECT count(*) FROM platform.postings) AS postings,
  (SELECT coalesce(jsonb_object_agg(unit, total::text), '{}') FROM (
     SELECT unit, sum(amount) AS total FROM platform.postings WHERE amount > 0 GROUP BY unit) t) AS turnover
"""


class Moment(NamedTuple):
    """`snapshot`: what pg_dump is given, so that the dump and these facts are of the same instant."""

    snapshot: str
    facts: BooksFacts


async def note_run(connection: Connection, job: str, *, ok: bool, detail: dict[str, Any]) -> None:
    """What a periodic job found, in the caller's transaction (JobStore.record_run opens one of its own)."""
    await connection.execute(
        "INSERT INTO platform.job_runs (id, job, ok, detail) VALUES (%s, %s, %s, %s)",
        [new_id(), job, ok, Jsonb(detail)],
    )
    await connection.execute(
        "DELETE FROM platform.job_runs WHERE job = %s AND created_at < clock_timestamp() - interval '30 days'", [job]
    )


async def books_facts(connection: Connection) -> BooksFacts:
    """Revision and ledger totals as this transaction sees them."""
    row = await (await connection.execute(_FACTS)).fetchone()
    assert row is not None
    totals = LedgerTotals(transfers=row["transfers"], postings=row["postings"], turnover=row["turnover"])
    return BooksFacts(revision=row["revision"], totals=totals)


class BackupRuns:
    """Operation rows of backups and drills. A run started by a schedule opens its own."""

    def __init__(self, books: Books, dsn: str) -> None:
        self.books, self.dsn = books, dsn

    async def open(self, run: OpenRun, workflow_id: str) -> str:
        """The run's operation, made when there is none; return its id. It counts as dispatched: it is running."""
        async with self.books.begin() as book:
            operation_id = await open_operation(
                book.connection,
                kind=run.kind,
                subject_id=run.subject_id or workflow_id,
                workflow_id=workflow_id,
                steps=run.steps,
                summary=run.summary,
            )
            await book.connection.execute(
                """UPDATE platform.operations SET dispatched_at = clock_timestamp()
                   WHERE id = %s AND dispatched_at IS NULL""",
                [operation_id],
            )
        return operation_id

    async def step(self, note: StepNote) -> None:
        async with self.books.begin() as book:
            await mark_step(book.connection, note.operation_id, note.step, note.status, note.detail)

    async def close(self, end: CloseRun, workflow_id: str) -> None:
        """End the operation, note the job's run, and open or close the alert."""
        async with self.books.begin() as book:
            code = FAILED if end.status == "failed" else None
            await set_operation(book.connection, end.operation_id, end.status, end.summary, code)
            if end.status == "cancelled":
                return
            ok = end.status == "completed"
            await note_run(book.connection, end.job, ok=ok, detail={"summary": end.summary, **end.figures})
            if ok:
                await self._all_clear(book.connection, end.kind)
            else:
                await raise_alert(book.connection, FAILED, workflow_id, end.summary, critical=True, job=end.job)

    async def _all_clear(self, connection: Connection, kind: str) -> None:
        """A good run answers the alerts of earlier runs of its kind; each run alerts under its workflow's id."""
        cursor = await connection.execute(
            """SELECT a.subject FROM platform.alerts a JOIN platform.operations o ON o.workflow_id = a.subject
               WHERE a.code = %s AND a.resolved_at IS NULL AND o.kind = %s""",
            [FAILED, kind],
        )
        for row in await cursor.fetchall():
            await resolve_alert(connection, FAILED, row["subject"], f"a later {kind}")

    @asynccontextmanager
    async def moment(self) -> AsyncIterator[Moment]:
        """Hold one instant of the books open for the block, on a connection of its own without time limits.

        Raises: Unavailable; Broken backup_failed when the database was never migrated.
        """
        async with translated():
            connection: Connection = await AsyncConnection.connect(
                self.dsn, autocommit=True, row_factory=dict_row, application_name="holdfast-backup"
            )
            async with connection:
                await connection.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                exists = await (await connection.execute("SELECT to_regclass('platform.transfers') AS it")).fetchone()
                if exists is None or exists["it"] is None:
                    raise Broken(FAILED, "the database holds no books: migrate it first")
                row = await (await connection.execute("SELECT pg_export_snapshot() AS id")).fetchone()
                assert row is not None
                yield Moment(row["id"], await books_facts(connection))
