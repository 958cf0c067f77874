"""Starting processes right after their intent is committed. Best effort: what fails here the dispatcher repeats."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from api.connecting import connecting
from domain.shared.errors import Unavailable
from storage.database import Pool
from storage.intents.withdrawals import Opened, mark_dispatched
from workflows.client import Processes

_AT_ONCE: Final = 100
"""While Temporal is away starts pile up; beyond this many the dispatcher alone does it."""
_log = structlog.get_logger("api.dispatch")


class Dispatch:
    """Starts processes in the background, so that no answer waits for Temporal."""

    def __init__(self, processes: Processes, writes: Pool) -> None:
        self._processes = processes
        self._writes = writes
        self._tasks: set[asyncio.Task[None]] = set()

    def soon(self, kind: str, opened: Opened) -> None:
        """Start the process of a committed intent, unless too many starts are waiting already."""
        if len(self._tasks) >= _AT_ONCE:
            return
        task = asyncio.create_task(self._start(kind, opened))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start(self, kind: str, opened: Opened) -> None:
        try:
            await self.now(kind, opened)
        except Unavailable as error:
            _log.warning("left_to_dispatcher", operation_id=opened.operation_id, code=error.code)

    async def now(self, kind: str, opened: Opened) -> None:
        """Start the process and note it. Raises Unavailable."""
        with connecting():
            await self._processes.start(
                kind,
                opened.withdrawal_id,
                opened.workflow_id,
                opened.summary,
                operation_id=opened.operation_id,
                account_id=opened.account_id,
            )
        await mark_dispatched(self._writes, opened.operation_id)

    async def stop(self) -> None:
        """Let running starts end, at most two seconds; what is left is the dispatcher's."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2)  # noqa: TID251  (not a workflow)
        for task in self._tasks:
            task.cancel()
