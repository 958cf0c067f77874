"""Undo in reverse order, to the end, even when cancelled while undoing.

Register the compensation BEFORE the step it undoes, and make it tolerate that the step never happened. Compensations
run under a loop of shields: a plain await, or a single shield, loses the remaining ones when a cancel arrives
(measured; docs/concepts/processes.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError

Compensation = Callable[[], Awaitable[Any]]


def is_business_end(error: BaseException) -> bool:
    """Failures and cancellations are undone; evictions and programming errors are not."""
    return isinstance(error, asyncio.CancelledError | FailureError)


async def to_the_end(step: Awaitable[Any]) -> Any:
    """Await `step` to its end, however often this workflow is cancelled meanwhile."""
    task = asyncio.ensure_future(step)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
        except FailureError:
            break
    return task.result()


class Saga:
    """An undo stack. `undo()` runs all compensations last-in first-out and collects what failed."""

    def __init__(self) -> None:
        self._steps: list[tuple[str, Compensation]] = []
        self.failed: list[str] = []

    def add(self, name: str, compensation: Compensation) -> None:
        self._steps.append((name, compensation))

    def point_of_no_return(self) -> None:
        """From here on only forward: forget the compensations."""
        self._steps.clear()

    async def undo(self) -> None:
        """Run every compensation; one that fails is noted in `failed` and does not stop the others."""
        while self._steps:
            name, compensation = self._steps.pop()
            try:
                await to_the_end(compensation())
            except FailureError as error:
                workflow.logger.error("compensation %s failed: %s", name, error)
                self.failed.append(name)
