"""The market engine: takes accepted orders in sequence and gives each its verdict. One per number, for ever."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from temporalio import activity

from activities.beating import beating, ended, leave_if_stopping
from domain.exchange.batch import Pending
from domain.exchange.market_messages import MarketRan, RunMarket
from domain.shared.errors import Broken, Unavailable

if TYPE_CHECKING:
    from storage.exchange.market import MarketStore, Memory
    from storage.exchange.market_parking import ParkedOrders
    from storage.exchange.market_watch import EngineWatch

TURN_S = 3_000
BATCH = 128
"""Orders in one transaction: enough to share its cost, few enough that the first does not wait for the last."""
SMALL = 16
"""A batch of so few is not divided any more."""
SILENCE_S = 0.5
"""Longest sleep between two looks at the orders; a notification ends it at once."""
WATCH_S = 1.0
BEAT_S = 0.3

Fence = Callable[[int, "Memory"], AbstractAsyncContextManager["MarketStore"]]
"""(number, memory) → the store that alone may write for this engine, while the block runs."""
Wakes = Callable[[int], AbstractAsyncContextManager[AsyncIterator[None]]]


class Desk:
    """What one engine works with besides its store."""

    def __init__(self, parked: ParkedOrders, watch: EngineWatch) -> None:
        self.parked, self.watch = parked, watch
        self.discarded: list[Pending] = []

    async def look(self) -> None:
        """Note how it goes, tell of orders that wait too long, hear what operators decided about parked ones."""
        await self.watch.note()
        await self.watch.judge()
        await self.parked.release()
        self.discarded = await self.parked.discarded()


class MarketActivities:
    """`memory` outlives the turns of an engine in this process: it is checked against the books before it is used."""

    def __init__(self, fence: Fence, wakes: Wakes, desk: Callable[[int], Desk]) -> None:
        self.fence, self.wakes, self.desk = fence, wakes, desk
        self.memories: dict[int, Memory] = {}

    @activity.defn
    async def run_market(self, command: RunMarket) -> MarketRan:
        """Carry out the orders of one engine's assets for a turn.

        Effect: per batch one transaction: verdicts, transfers, positions, assets, events.
        Again:  an order without a verdict is still pending, one with a verdict is not looked at again; the lock of the
                session that writes keeps a second engine of this number out.
        """
        until = time.monotonic() + TURN_S
        verdicts = 0
        desk, memory = self.desk(command.number), self.memories.setdefault(command.number, {})
        async with beating(BEAT_S), self.fence(command.number, memory) as store, self._watching(desk):
            async with self.wakes(command.number) as wake_ups:
                async for _ in wake_ups:
                    leave_if_stopping()
                    verdicts += await Engine(store, desk, leave_if_stopping).drain()
                    if time.monotonic() > until:
                        break
        return MarketRan(verdicts=verdicts)

    @asynccontextmanager
    async def _watching(self, desk: Desk) -> AsyncIterator[None]:
        """Beside the work, once a second."""

        async def look() -> None:
            while True:
                with contextlib.suppress(Unavailable):
                    await desk.look()
                await asyncio.sleep(WATCH_S)

        task = asyncio.create_task(look())
        try:
            yield
        finally:
            await ended(task)


class Engine:
    """Drains what is pending. A batch that fails is halved until the order is found that it fails by."""

    def __init__(self, store: MarketStore, desk: Desk, leave: Callable[[], None] = lambda: None) -> None:
        """`leave` is asked between batches; it raises when it is time to go."""
        self.store, self.desk, self.leave = store, desk, leave

    async def drain(self) -> int:
        """Until nothing is pending. Returns the number of verdicts given."""
        given = 0
        while self.desk.discarded:
            await self.refuse(self.desk.discarded.pop())
        last = 0
        while waiting := await self.store.pending(BATCH):
            self.leave()
            orders = waiting[: _share(len(waiting), last)]
            given += await self.carry_out(orders)
            last = len(orders)
        return given

    async def refuse(self, order: Pending) -> None:
        """An operator has decided that this one is not carried out; a second look at the same decision finds it so."""
        with contextlib.suppress(Broken):
            await self.store.carry_out([order], refuse=True)

    async def carry_out(self, orders: Sequence[Pending]) -> int:
        """Give verdicts; park the orders that make every transaction fail they are in."""
        started = time.monotonic()
        try:
            await self.store.carry_out(orders)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001  (whatever it is, the other orders must not wait for it)
            if len(orders) == 1:
                activity.logger.exception("order %s is parked", orders[0].id)
                await self.desk.parked.park(orders[0], f"{type(error).__name__}: {error}")
                return 0
            half = len(orders) // 2
            return await self.carry_out(orders[:half]) + await self.carry_out(orders[half:])
        self.desk.watch.count(len(orders), time.monotonic() - started)
        return len(orders)


def _share(waiting: int, last: int) -> int:
    """How many of those that wait are taken: half of all that are under way, the last batch among them.

    So whoever waits for a verdict to order again does so while the other half is carried out. If all were one batch,
    they and we would take turns.
    """
    return max(SMALL, -(-(waiting + last) // 2))
