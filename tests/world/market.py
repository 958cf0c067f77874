"""A market without Temporal: orders as the API writes them, and the engine's own parts run by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from activities.exchange.market import BATCH, Desk, Engine
from domain.exchange.curve import SHARE
from storage.database import make_pool
from storage.events import new_id
from storage.exchange.market import MarketStore, Memory
from storage.exchange.market_fence import fenced
from storage.exchange.market_parking import ParkedOrders
from storage.exchange.market_watch import EngineWatch
from storage.reads.invariants import RULES
from tests.world.books import BooksSide


class Asked(NamedTuple):
    """An order to place: micros on a buy, atto-shares on a sale."""

    asset: str
    account: str
    side: str = "buy"
    asked: int = 10_000_000
    min_out: int = 0


class MarketSide(BooksSide):
    """Places orders and reads what became of them."""

    async def place(self, orders: Iterable[Asked]) -> list[str]:
        """Accept orders in one statement, in this sequence; returns their ids."""
        asked = list(orders)
        ids = [new_id() for _ in asked]
        await self.rows(
            """INSERT INTO exchange.trades (id, asset_id, account_id, side, asked, min_out, shard)
               SELECT o.id, o.asset, o.account, o.side::exchange.trade_side, o.asked, o.min_out, a.shard
               FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::numeric[], %s::numeric[])
                 WITH ORDINALITY AS o(id, asset, account, side, asked, min_out, place)
               JOIN exchange.assets a ON a.id = o.asset ORDER BY o.place""",
            ids,
            *([row[n] for row in asked] for n in range(5)),
        )
        return ids

    async def buy(self, asset: str, account: str, micros: int, min_out: int = 0) -> str:
        return (await self.place([Asked(asset, account, "buy", micros, min_out)]))[0]

    async def sell(self, asset: str, account: str, atto: int = SHARE, min_out: int = 0) -> str:
        return (await self.place([Asked(asset, account, "sell", atto, min_out)]))[0]

    async def trade(self, trade_id: str) -> dict[str, Any]:
        return await self.row("SELECT * FROM exchange.trades WHERE id = %s", trade_id)

    async def log(self, asset: str) -> list[dict[str, Any]]:
        """Everything with a verdict, in the order of verdicts."""
        return await self.rows(
            "SELECT * FROM exchange.trades WHERE asset_id = %s AND verdict > 0 ORDER BY verdict", asset
        )

    async def asset(self, asset: str) -> dict[str, Any]:
        return await self.row("SELECT * FROM exchange.assets WHERE id = %s", asset)

    async def shares_of(self, account: str, asset: str) -> int:
        found = await self.rows(
            "SELECT balance FROM platform.balances WHERE account = %s AND unit = %s",
            f"users:{account}:available",
            asset,
        )
        return int(found[0]["balance"]) if found else 0

    async def broken_rules(self) -> dict[str, str]:
        """Rules of the ledger check that do not hold."""
        found = {}
        for rule in RULES:
            verdict = await self.row(rule.sql.replace("%", "%%"))
            if verdict["violations"]:
                found[rule.name] = f"expected {verdict['expected']}, found {verdict['actual']}"
        return found


class Market(MarketSide):
    """One engine, run by hand."""

    def __init__(self, dsn: str, store: MarketStore, desk: Desk) -> None:
        super().__init__(dsn)
        self.store, self.desk = store, desk
        self.engine = Engine(store, desk)

    async def drain(self) -> int:
        return await self.engine.drain()

    async def carry_out(self, orders: Iterable[Asked]) -> list[dict[str, Any]]:
        """Place orders, give them their verdicts, return their rows in sequence."""
        ids = await self.place(orders)
        await self.drain()
        return [await self.trade(trade_id) for trade_id in ids]


@asynccontextmanager
async def open_market(
    dsn: str, number: int = 0, engines: int = 1, memory: Memory | None = None
) -> AsyncIterator[Market]:
    """Engine `number` of `engines`, holding its fence while the block runs."""
    async with make_pool(dsn, size=2, name="test-market") as pool, fenced(dsn, number) as connection:
        store = MarketStore(connection, number, engines, {} if memory is None else memory)
        desk = Desk(ParkedOrders(pool, number, engines), EngineWatch(pool, number, engines))
        yield Market(dsn, store, desk)


__all__ = ["BATCH", "Asked", "Market", "MarketSide", "open_market"]
