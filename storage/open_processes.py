"""Operations that are not over, and what was found out about the processes that should be carrying them on."""

from __future__ import annotations

from typing import Final

from domain.operations.messages import Gone, OpenOperation, ProcessesFound
from domain.shared.processes import PROCESSES
from storage.books import Books
from storage.events import raise_alert, resolve_alert

CODE: Final = "process_gone"
_OPEN: Final = """
SELECT id::text AS operation_id, workflow_id, status = 'needs_operator' AS parked FROM platform.operations
WHERE status IN ('running', 'waiting', 'needs_operator') AND kind = ANY(%s)
  AND dispatched_at < clock_timestamp() - interval '1 minute'
ORDER BY id
"""
_STILL_OPEN: Final = """
SELECT id::text AS id FROM platform.operations
WHERE id = ANY(%s::uuid[]) AND status IN ('running', 'waiting', 'needs_operator')
"""


class OpenProcesses:
    def __init__(self, books: Books) -> None:
        self.books = books

    async def open(self) -> list[OpenOperation]:
        """Whose process was started a minute ago or longer; oldest first."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(_OPEN, [list(PROCESSES)])
            return [OpenOperation.model_validate(row) for row in await cursor.fetchall()]

    async def record(self, found: ProcessesFound) -> None:
        """Have those that Temporal does not know started again; call an operator for those that somebody ended.

        What ended in between is nobody's affair any more. Alerts of processes that run again are closed.
        """
        ids = [gone.operation_id for gone in (*found.unknown, *found.ended)]
        async with self.books.begin() as book:
            cursor = await book.connection.execute(_STILL_OPEN, [ids])
            still = {row["id"] for row in await cursor.fetchall()}
            await book.connection.execute(
                "UPDATE platform.operations SET dispatched_at = NULL WHERE id = ANY(%s::uuid[])",
                [[gone.operation_id for gone in found.unknown if gone.operation_id in still]],
            )
            await book.connection.execute("SELECT pg_notify('intents', '')")
            ended = [gone for gone in found.ended if gone.operation_id in still]
            for gone in ended:
                await raise_alert(book.connection, CODE, gone.workflow_id, _told(gone), critical=True)
            cursor = await book.connection.execute(
                "SELECT subject FROM platform.alerts WHERE code = %s AND resolved_at IS NULL AND NOT subject = ANY(%s)",
                [CODE, [gone.workflow_id for gone in ended]],
            )
            for row in await cursor.fetchall():
                await resolve_alert(book.connection, CODE, row["subject"], "process-check")


def _told(gone: Gone) -> str:
    return f"its process is {gone.status} and its row is still open: `holdfast workflows retry {gone.workflow_id}`"
