"""The engine in a process of its own: `python -m benchmarks.market_engine DSN`; prints a line when it is at work."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys

from activities.exchange.market import SILENCE_S, Desk, Engine
from storage.database import make_pool
from storage.exchange.market import MarketStore
from storage.exchange.market_fence import fenced
from storage.exchange.market_parking import ParkedOrders
from storage.exchange.market_watch import EngineWatch
from storage.listen import Listener


async def main(dsn: str) -> None:
    async with make_pool(dsn, size=2, name="bench-engine") as pool, fenced(dsn, 0) as connection:
        engine = Engine(MarketStore(connection, 0, 1, {}), Desk(ParkedOrders(pool, 0, 1), EngineWatch(pool, 0, 1)))
        gc.freeze()
        print("running", flush=True)
        async with Listener(dsn).listen("orders", SILENCE_S) as wake_ups:
            async for _ in wake_ups:
                await engine.drain()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1]))
