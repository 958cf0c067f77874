"""Does every open operation have its process? Temporal forgets, is restored, and people end processes by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from temporalio import activity

from activities.beating import beating
from domain.operations.messages import Gone, OpenOperation, ProcessesFound

if TYPE_CHECKING:
    from storage.open_processes import OpenProcesses

AT_ONCE: Final = 20
MOST: Final = 500
"""Told in one round; the next round finds the others."""


class ProcessCheckActivities:
    """`running`: the ids of all running processes, some seconds old. `state`: how one stands now; None: unknown."""

    def __init__(
        self,
        store: OpenProcesses,
        running: Callable[[], Awaitable[set[str]]],
        state: Callable[[str], Awaitable[str | None]],
    ) -> None:
        self.store = store
        self.running = running
        self.state = state

    @activity.defn
    async def find_gone(self) -> ProcessesFound:
        """Compare the books with Temporal.

        Effect: none; reads only.
        Again:  reads are repeatable.
        """
        async with beating():
            open_ = await self.store.open()
            running = await self.running()
            missing = [operation for operation in open_ if operation.workflow_id not in running][:MOST]
            gate = asyncio.Semaphore(AT_ONCE)

            async def look(operation: OpenOperation) -> tuple[OpenOperation, str | None]:
                async with gate:
                    return operation, await self.state(operation.workflow_id)

            found = await asyncio.gather(*(look(operation) for operation in missing))
        gone = [Gone(operation_id=o.operation_id, workflow_id=o.workflow_id, status=s or "") for o, s in found]
        resting = {o.operation_id for o, s in found if o.parked and s == "completed"}
        return ProcessesFound(
            looked_at=len(open_),
            unknown=tuple(one for one in gone if not one.status),
            ended=tuple(one for one in gone if one.status not in ("", "running") and one.operation_id not in resting),
        )

    @activity.defn
    async def record_gone(self, command: ProcessesFound) -> None:
        """Start what Temporal lost, call an operator for what was ended.

        Effect: operations handed to the dispatcher again, alerts opened and closed: one transaction.
        Again:  the dispatcher starts a process once; an open alert is counted.
        """
        await self.store.record(command)
