"""The dispatcher: starts the process of every intent, also of those whose API died right after accepting them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from temporalio import activity

from activities.beating import beating, leave_if_stopping
from domain.exchange.messages import ChainWatched
from domain.shared.processes import PROCESSES

if TYPE_CHECKING:
    from storage.jobs import JobStore, Undispatched

TURN_S = 300
AT_ONCE = 20

Starter = Callable[["Undispatched"], Awaitable[None]]
Listen = Callable[[str, float], AbstractAsyncContextManager[AsyncIterator[None]]]
"""(channel, longest silence) → wake-ups from LISTEN, at least one per interval."""


class DispatchActivities:
    def __init__(self, jobs: JobStore, start: Starter, listen: Listen) -> None:
        self.jobs = jobs
        self.start = start
        self.listen = listen

    @activity.defn
    async def dispatch(self) -> ChainWatched:
        """Start the workflows of intents, as they are written.

        Effect: workflows started under their deterministic ids; `dispatched_at` on operations.
        Again:  starting a running or ended process changes nothing.
        """
        until = time.monotonic() + TURN_S
        started = 0
        async with beating(), self.listen("intents", 1.0) as wake_ups:
            async for _ in wake_ups:
                leave_if_stopping()
                started += await self.start_all()
                if time.monotonic() > until:
                    break
        return ChainWatched(blocks=started)

    async def start_all(self) -> int:
        """Everything that waits now. Unknown kinds (of a newer release) are left for a worker that knows them."""
        started = 0
        while waiting := [o for o in await self.jobs.undispatched() if o.kind in PROCESSES]:
            gate = asyncio.Semaphore(AT_ONCE)

            async def one(operation: Undispatched, gate: asyncio.Semaphore = gate) -> None:
                async with gate:
                    await self.start(operation)

            await asyncio.gather(*(one(operation) for operation in waiting))
            await self.jobs.mark_dispatched([o.operation_id for o in waiting])
            started += len(waiting)
        return started
