"""Starting processes right after their intent is committed. Best effort: what fails here the dispatcher repeats."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from domain.shared.errors import Rejected, Unavailable
from storage.database import Pool
from storage.intents.opened import Opened, mark_dispatched
from workflows.client import Processes

_AT_ONCE: Final = 100
"""While Temporal is away starts pile up; beyond this many the dispatcher alone does it."""
_TRIES: Final = 3
Act = Callable[[], Coroutine[Any, Any, None]]
_log = structlog.get_logger("api.dispatch")


class Dispatch:
    """Starts processes in the background, so that no answer waits for Temporal."""

    def __init__(self, processes: Processes, writes: Pool) -> None:
        self._processes = processes
        self._writes = writes
        self._tasks: set[asyncio.Task[None]] = set()

    def soon(self, kind: str, opened: Opened) -> None:
        """Start the process of a committed intent, unless too many starts are waiting already."""
        self._run(lambda: self._start(kind, opened))

    def later(self, act: Act, subject: str) -> None:
        """Hand a committed intent to a process that runs already; what fails here, upkeep repeats."""
        self._run(lambda: self._hand_over(act, subject))

    def _run(self, act: Act) -> None:
        if len(self._tasks) >= _AT_ONCE:
            return
        task = asyncio.create_task(act())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _hand_over(self, act: Act, subject: str) -> None:
        for attempt in range(1, _TRIES + 1):
            try:
                await act()
                break
            except (Rejected, Unavailable) as error:
                again = error.code in ("unavailable", "temporal_unavailable") and attempt < _TRIES
                _log.warning("left_to_upkeep" if not again else "asked_again", subject=subject, code=error.code)
                if not again:
                    break
            await asyncio.sleep(0.2 * attempt)

    async def _start(self, kind: str, opened: Opened) -> None:
        try:
            await self.now(kind, opened)
        except Unavailable as error:
            _log.warning("left_to_dispatcher", operation_id=opened.operation_id, code=error.code)

    async def now(self, kind: str, opened: Opened) -> None:
        """Start the process and note it. Raises Unavailable."""
        await self._processes.start(
            kind,
            opened.subject_id,
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
