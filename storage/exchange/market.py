"""A batch of orders in one transaction: lock, read, fold the rules, write everything set-wise.

One writer per asset, on the fenced connection (market_fence.py), READ COMMITTED. Locks in a fixed order: the assets by
id, then the holders' balances by (account, unit), then, through the trigger of the postings, the buckets.
What the last minutes were like stays in memory between batches and is trusted only while the asset's count of verdicts
is what we left it at; otherwise it is read from the trades again. Source: architecture.md 4 (Trade), exchange.md 9.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import psycopg

from domain.exchange import prices, volume
from domain.exchange.batch import Desk, Pending, Position, Settled, settle
from domain.exchange.curve import Curve
from domain.exchange.trading import Market
from domain.shared.errors import Broken
from domain.shared.ledger import available
from storage.books import new_bookings
from storage.columns import texts, words
from storage.database import Connection, translated
from storage.exchange import market_rows as rows
from storage.exchange import market_sql as sql
from storage.exchange.market_waiting import Waiting
from storage.exchange.market_wire import Rows, Wire

AHEAD: Final = 128
"""How many orders are read ahead."""
_GIVEN_ONCE: Final = "trades_given_once"


class Remembered(NamedTuple):
    """What the last minutes of an asset were like, as of its `verdicts`-th verdict."""

    verdicts: int
    window: prices.Window
    volume: volume.Volume


Memory = dict[str, Remembered]


class _Read(NamedTuple):
    """What a batch found under its locks."""

    desk: Desk
    now: datetime
    enabled: bool


class MarketStore:
    """One engine's hands: its connection, the share of assets it serves, what it remembers of them."""

    def __init__(self, connection: Connection, number: int, engines: int, memory: Memory) -> None:
        self.connection = connection
        self.number, self.engines = number, engines
        self.memory = memory
        self._wire = Wire(connection, sql.WIRE)
        self._waiting = Waiting()

    async def pending(self, limit: int) -> list[Pending]:
        """Orders without a verdict, in the order of acceptance; not those that are parked."""
        waiting = self._waiting
        if not (waiting.fresh and waiting.first(1)):
            if waiting.first(1):
                waiting.forget()
            async with translated():
                waiting.add(await self._wire.run("pending", *self._look(limit)))
        waiting.fresh = False
        return waiting.first(limit)

    def _look(self, limit: int) -> tuple[int | str, ...]:
        return (*self._waiting.look(), self.engines, self.number, limit)

    async def carry_out(self, orders: Sequence[Pending], *, refuse: bool = False) -> Settled:
        """Give every order its verdict, in one transaction; nothing is written when it fails.

        Args:    refuse  an operator has decided that these orders are not to be carried out.
        Raises:  Unavailable when the database is away or busy; Broken ledger_mismatch when an order has a verdict
                 already; whatever else Postgres or the rules say of an order that should not exist.
        """
        async with translated():
            try:
                read = await self._read(orders)
                second = calendar.timegm(read.now.utctimetuple())
                settled = settle(read.desk, orders, second, enabled=read.enabled and not refuse)
                more = await self._write(settled, read.now)
            except Exception as error:
                self._waiting.forget()
                await self._give_up()
                if isinstance(error, psycopg.errors.CheckViolation) and error.diag.constraint_name == _GIVEN_ONCE:
                    raise Broken("ledger_mismatch", str(error)) from error
                raise
        self._waiting.done(orders)
        self._waiting.add(more)
        for asset_id, market in settled.markets.items():
            self.memory[asset_id] = Remembered(market.verdicts, market.window, settled.volumes[asset_id])
        return settled

    async def _give_up(self) -> None:
        """Roll back, also what is half sent; a connection that cannot even do that is of no use, and closing it rolls
        back as well."""
        try:
            await self._wire.run("rollback")
        except psycopg.Error:
            await self.connection.close()

    async def _read(self, orders: Sequence[Pending]) -> _Read:
        """Lock, then read: one round trip, and one more for assets that we have not followed."""
        holders = {(o.account_id, o.asset_id) for o in orders}
        traders = {available(account): account for account, _ in holders}
        wire = self._wire
        await wire.open()
        wire.send("begin")
        wire.send("assets", words(sorted({o.asset_id for o in orders})))
        wire.send("clock")
        wire.send("balances", texts(traders))
        wire.send("positions", words(account for account, _ in holders), words(asset for _, asset in holders))
        _, assets, [(now, enabled)], balances, positions = await wire.answers()
        known = {row[0]: await self._remembered(row[0], row[-1], now) for row in assets}
        desk = Desk(
            markets={row[0]: _market(row, known[row[0]].window) for row in assets},
            volumes={asset: k.volume for asset, k in known.items()},
            usdc={traders[path]: balance for path, balance in balances},
            positions={(account, asset): Position(*rest) for account, asset, *rest in positions},
        )
        return _Read(desk, _not_before(now, (k.window for k in known.values())), enabled)

    async def _remembered(self, asset_id: str, verdicts: int, now: datetime) -> Remembered:
        known = self.memory.get(asset_id)
        if known is not None and known.verdicts == verdicts:
            return known
        found = await self._wire.run("history", asset_id, now, volume.SPAN_S)
        window = prices.window_of(tuple(prices.Bucket(second, low, high) for second, low, high, _ in found))
        window = prices.at_second(window, calendar.timegm(now.utctimetuple()))
        return Remembered(verdicts, window, volume.volume_of(tuple(volume.Bucket(r[0], r[3]) for r in found)))

    async def _write(self, settled: Settled, now: datetime) -> Rows:
        """Everything, the commit and a look for more orders behind it, in one round trip; returns what the look found.
        What takes longest goes first: Postgres works on it while the rest is being made."""
        verdicts, wire = settled.verdicts, self._wire
        if bookings := rows.bookings(verdicts):
            wire.send("book", *new_bookings(bookings))
        wire.send("give", now, *rows.verdicts(verdicts), len(verdicts))
        if settled.positions:
            wire.send("keep_positions", now, *rows.positions(settled.positions))
        wire.send("keep_assets", *rows.assets(settled.markets))
        wire.send("tell", *rows.events(verdicts, now))
        wire.send("commit")
        wire.send("pending", *self._look(AHEAD))
        return (await wire.answers())[-1]


def _market(row: tuple[Any, ...], window: prices.Window) -> Market:
    _, status, p0, k, fee_bps, lp_part_bps, breaker_bps, *state = row
    return Market(Curve(p0, k), fee_bps, lp_part_bps, breaker_bps, status, *state)._replace(window=window)


def _not_before(now: datetime, windows: Iterable[prices.Window]) -> datetime:
    """The clock, or the newest price's second if the clock was set back behind it: verdicts and time go one way."""
    newest = max((w.buckets[-1].second for w in windows if w.buckets), default=0)
    return now if calendar.timegm(now.utctimetuple()) >= newest else datetime.fromtimestamp(newest, UTC)
