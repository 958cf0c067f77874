"""Prices: the feed that tells price engines of trades, the tick, and what a halt does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from temporalio import activity

from activities.beating import beating, leave_if_stopping
from activities.operations.dispatch import Listen
from domain.exchange.price_messages import (
    AssetNews,
    EndHalt,
    ExtendHalt,
    FeedRead,
    HaltRef,
    HaltState,
    RecordTick,
    TickRecorded,
)

if TYPE_CHECKING:
    from storage.exchange.feed import FeedStore
    from storage.exchange.halts import HaltStore
    from storage.exchange.pricing import PricingStore

TURN_S: Final = 300
ROUND_S: Final = 0.4
"""No engine is told more often, so that under load a tick sums up what was traded meanwhile."""
SIGNAL_S: Final = 0.03
"""All assets together: what a signal and the tick behind it may cost. With many assets rounds become longer."""
SIGNALS_AT_ONCE: Final = 5
EVENTS_A_ROUND: Final = 5_000

Tell = Callable[[str, AssetNews], Awaitable[None]]
"""(asset id, news): signals the asset's price engine, starting it where there is none."""


class FeedActivities:
    def __init__(self, store: FeedStore, tell: Tell, listen: Listen) -> None:
        self.store = store
        self.tell = tell
        self.listen = listen

    @activity.defn
    async def feed_prices(self) -> FeedRead:
        """Follow the outbox for one turn: tell the price engine of every asset that was traded.

        Effect: signals to `PriceEngine` workflows, started where they are missing; then the feed's cursor moves.
        Again:  a signal names its place in the outbox and an engine ignores places it has seen; the cursor moves only
                from where the page was read.
        """
        until = time.monotonic() + TURN_S
        events = 0
        async with beating(), self.listen("outbox", 1.0) as wake_ups:
            await self._tell_all({asset_id: AssetNews() for asset_id in await self.store.traded()})
            async for _ in wake_ups:
                leave_if_stopping()
                began = time.monotonic()
                passed, told = await self.pass_on()
                events += passed
                if time.monotonic() > until:
                    break
                if passed:
                    await asyncio.sleep(max(ROUND_S, told * SIGNAL_S) - (time.monotonic() - began))
        return FeedRead(events=events)

    async def pass_on(self) -> tuple[int, int]:
        """Everything that can be told now. Returns how many events were passed on, and in how many signals."""
        events, told = 0, 0
        while (page := await self.store.read(EVENTS_A_ROUND)) is not None:
            await self._tell_all(page.news)
            await self.store.advance(page)
            events, told = events + page.events, told + len(page.news)
            if page.events < EVENTS_A_ROUND:
                break
        return events, told

    async def _tell_all(self, news: dict[str, AssetNews]) -> None:
        gate = asyncio.Semaphore(SIGNALS_AT_ONCE)

        async def one(asset_id: str, told: AssetNews) -> None:
            async with gate:
                await self.tell(asset_id, told)

        await asyncio.gather(*(one(asset_id, told) for asset_id, told in news.items()))


class PricingActivities:
    def __init__(self, store: PricingStore) -> None:
        self.store = store

    @activity.defn
    async def record_tick(self, command: RecordTick) -> TickRecorded:
        """Price an asset: apply the signals that wait, sum up what was traded, write a tick, halt on a breach.

        Effect: a tick, the engine's row, applied signals, event, perhaps a halt with its operation: one transaction.
        Again:  trades are counted by the number of their verdict and signals by their status, under lock; with nothing
                new and a young tick nothing is written.
        """
        return await self.store.record(command)


class HaltActivities:
    def __init__(self, store: HaltStore) -> None:
        self.store = store

    @activity.defn
    async def read_halt(self, command: HaltRef) -> HaltState:
        """The halt as its row says.

        Effect: none.
        Again:  reads are repeatable.
        """
        return await self.store.read(command.halt_id)

    @activity.defn
    async def end_halt(self, command: EndHalt) -> HaltState:
        """Trading goes on.

        Effect: the halt, the asset's status, operation, alert, audit, event: one transaction.
        Again:  a halt that has ended keeps its end.
        """
        return await self.store.end(command)

    @activity.defn
    async def extend_halt(self, command: ExtendHalt) -> HaltState:
        """The halt lasts longer.

        Effect: the halt's end, operation, audit, event: one transaction.
        Again:  the end is named, not added to; an earlier or equal one changes nothing.
        """
        return await self.store.extend(command)
