"""The global portfolio: releases groups in the order of their detection and decides them. One, for ever."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Final

from temporalio import activity

from activities.beating import beating, leave_if_stopping
from activities.operations.dispatch import Listen
from domain.copytrade.messages import GlobalRan, RunGlobal
from domain.shared.errors import Unavailable

if TYPE_CHECKING:
    from storage.copytrade.drains import GlobalDrain
    from storage.copytrade.overdue import Overdue

TURN_S: Final = 3_000
SILENCE_S: Final = 1.0
"""Longest sleep between two looks; a notification that inputs were kept ends it at once."""
ROUND_S: Final = 0.15
"""Between two looks at least: under load a transaction then decides several groups, which cost little more than one."""
BEAT_S: Final = 0.3
HEAL_S: Final = 10.0
"""Between two looks for groups whose attempt was lost."""

Fence = Callable[[], AbstractAsyncContextManager["GlobalDrain"]]
Start = Callable[[str], Awaitable[None]]
"""(group key): starts its attempt unless it runs or came to its end."""


class GlobalActivities:
    def __init__(self, fence: Fence, listen: Listen, overdue: Overdue, start: Start) -> None:
        self.fence, self.listen, self.overdue, self.start = fence, listen, overdue, start

    @activity.defn
    async def run_global(self, engine: RunGlobal) -> GlobalRan:
        """Decide for the global portfolio for a turn.

        Effect: per batch one transaction: attempts, fills, ledger, positions, portfolio, events. Attempts that were
                lost are started again.
        Again:  a group that is decided is not looked at again; the lock of the session that writes keeps a second
                engine out.
        """
        until, heal_at, decided = time.monotonic() + TURN_S, 0.0, 0
        async with beating(BEAT_S), self.fence() as drain, self.listen("copytrade_inputs", SILENCE_S) as wake_ups:
            async for _ in wake_ups:
                leave_if_stopping()
                decided += await drain.drain()
                await asyncio.sleep(ROUND_S)
                if time.monotonic() > heal_at:
                    heal_at = time.monotonic() + HEAL_S
                    await self.heal()
                if time.monotonic() > until:
                    break
        return GlobalRan(decided=decided)

    async def heal(self) -> None:
        """A group without a result holds up all behind it: have its attempt run."""
        for key in await self.overdue.keys():
            with contextlib.suppress(Unavailable):
                await self.start(key)
