"""The feed of sales: what the chain has made final about every sale becomes rows, once, in the chain's order.

The WebSocket and NOTIFY only say when to look. The truth is the history of the sale's address, read from where the
books end; and the Sale account, which must be what its events add up to.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from temporalio import activity

from activities.beating import beating, ended, leave_if_stopping
from activities.launchpad.sale_turn import Collaborators, SaleTurn
from domain.launchpad.sale_messages import RunSales, SalesFollowed

if TYPE_CHECKING:
    from storage.launchpad.sale_feed import SaleFeedStore
    from storage.listen import Listener

TURN_S = 900
CHANNEL = "launchpad_sales"


@dataclass
class Waking:
    """What says when to look: `hints` ticks for ever (gateways/solana/sale_hints.py)."""

    hints: Callable[[], AsyncIterator[None]]
    listener: Listener
    silence_s: float = 30.0


class SaleFeedActivities:
    """Args:  fenced  opens the feed's one connection (storage/fence.py)."""

    def __init__(
        self,
        fenced: Callable[[], AbstractAsyncContextManager[SaleFeedStore]],
        collaborators: Collaborators,
        waking: Waking,
        *,
        turn_s: float = TURN_S,
    ) -> None:
        self.fenced, self.collaborators, self.waking, self.turn_s = fenced, collaborators, waking, turn_s

    @activity.defn
    async def follow_sales(self, command: RunSales) -> SalesFollowed:
        """Follow every sale for one turn.

        Effect: per page of transactions one transaction: events, positions, referrals, counters, distributions, outbox,
                cursor. Quarantine, alerts; signals to the processes of sales whose status the chain has overtaken.
        Again:  an event is a row once, by signature and place; the cursor says where to go on. Two that run at once
                cannot both write: the connection is fenced.
        """
        until = time.monotonic() + self.turn_s
        async with beating(), self.fenced() as store:
            turn = SaleTurn(store, self.collaborators)
            async with self._ticks() as ticks:
                async for _ in ticks:
                    leave_if_stopping()
                    await turn.look()
                    if time.monotonic() > until:
                        break
        return SalesFollowed(events=turn.recorded)

    @contextlib.asynccontextmanager
    async def _ticks(self) -> AsyncIterator[AsyncIterator[None]]:
        """Of hints and notifications together; several between two looks are one."""
        news = asyncio.Event()
        async with self.waking.listener.listen(CHANNEL, self.waking.silence_s) as notified:
            tasks = [asyncio.create_task(_pass_on(source, news)) for source in (self.waking.hints(), notified)]
            try:
                yield _heard(news, tasks)
            finally:
                for task in tasks:
                    await ended(task)


async def _pass_on(source: AsyncIterator[None], news: asyncio.Event) -> None:
    async for _ in source:
        news.set()


async def _heard(news: asyncio.Event, tasks: list[asyncio.Task[None]]) -> AsyncIterator[None]:
    while True:
        await news.wait()
        news.clear()
        for task in tasks:
            if task.done():
                task.result()
        yield
