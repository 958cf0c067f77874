"""One asset with its price engine's store, for tests of ticks and halts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.exchange.price_messages import RecordTick, TickRecorded
from domain.exchange.pricing import Policy
from domain.shared.money import USDC_ONE
from storage.books import Books
from storage.database import Pool, make_pool
from storage.events import new_id
from storage.exchange.halts import HaltStore
from storage.exchange.pricing import Pace, PricingStore
from tests.world.assets import funded_asset, trader
from tests.world.books import BooksSide
from tests.world.trades import fill

V0 = 1_000 * USDC_ONE
POLICY = Policy(beta_millionths=200_000, volume_scale=V0, delta_cap_bps=500)
P0 = 1_000_000


class Desk(BooksSide):
    """One asset at P0 = 1 with k = 0.01, its price engine's store, and a trader."""

    def __init__(self, dsn: str, pool: Pool, asset: str, account: str) -> None:
        super().__init__(dsn)
        self.pool, self.asset, self.trader = pool, asset, account
        self.books = Books(pool)
        self.store = PricingStore(self.books, POLICY, Pace())
        self.halts = HaltStore(self.books)

    async def tick(self, in_s: float = 0) -> TickRecorded:
        return await self.store.record(RecordTick(asset_id=self.asset, at=datetime.now(UTC) + timedelta(seconds=in_s)))

    async def buy(self, usdc: int, seconds_ago: int = 0) -> None:
        await fill(self.pool, self.asset, self.trader, usdc * USDC_ONE, seconds_ago=seconds_ago)

    async def signal(self, delta_bps: int, applied_bps: int | None = None) -> str:
        signal_id = new_id()
        await self.rows(
            """INSERT INTO exchange.oracle_signals (id, asset_id, status, delta_bps, applied_bps, confidence_bps)
               VALUES (%s, %s, 'accepted', %s, %s, 8000)""",
            signal_id, self.asset, delta_bps, applied_bps,
        )  # fmt: skip
        return signal_id

    async def ticks(self) -> list[dict[str, Any]]:
        return await self.rows("SELECT * FROM exchange.price_ticks WHERE asset_id = %s ORDER BY id", self.asset)

    async def price(self) -> dict[str, Any]:
        return await self.row("SELECT * FROM exchange.asset_prices WHERE asset_id = %s", self.asset)

    async def status(self) -> str:
        row = await self.row("SELECT status::text AS status FROM exchange.assets WHERE id = %s", self.asset)
        return str(row["status"])

    async def halt(self) -> dict[str, Any]:
        return await self.row("SELECT * FROM exchange.asset_halts WHERE asset_id = %s ORDER BY id DESC", self.asset)

    async def trip(self) -> None:
        """Trade until the display price jumps by more than the breaker allows."""
        await self.buy(500, seconds_ago=400)
        await self.tick()
        await self.buy(5_000)
        await self.tick()


@asynccontextmanager
async def tick_desk(dsn: str) -> AsyncIterator[Desk]:
    async with make_pool(dsn, size=6, name="ticks") as pool:
        asset = await funded_asset(dsn, breaker_bps=1_500, symbol="TICK")
        yield Desk(dsn, pool, asset, await trader(dsn))
