"""The market engine: its fence, its wake-ups, and what it reports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from activities.exchange.market import SILENCE_S, Desk, MarketActivities
from composition.parts import Parts
from settings import WorkerSettings
from storage.exchange.market import MarketStore, Memory
from storage.exchange.market_fence import fenced
from storage.exchange.market_parking import ParkedOrders
from storage.exchange.market_watch import EngineWatch


def market(settings: WorkerSettings, opened: Parts) -> list[Callable[..., Any]]:
    """Every activity of the engines."""
    return [make_market(settings, opened).run_market]


def make_market(settings: WorkerSettings, opened: Parts) -> MarketActivities:
    engines, dsn = settings.market_engines, settings.database_url.get_secret_value()

    @asynccontextmanager
    async def fence(number: int, memory: Memory) -> AsyncIterator[MarketStore]:
        async with fenced(dsn, number) as connection:
            yield MarketStore(connection, number, engines, memory)

    def wakes(number: int) -> AbstractAsyncContextManager[AsyncIterator[None]]:
        def ours(shard: str) -> bool:
            return not shard.isdecimal() or int(shard) % engines == number

        return opened.listener.listen("orders", SILENCE_S, ours)

    def desk(number: int) -> Desk:
        return Desk(ParkedOrders(opened.pool, number, engines), EngineWatch(opened.pool, number, engines))

    return MarketActivities(fence, wakes, desk)
