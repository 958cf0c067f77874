"""A batch of orders in one transaction: lock, read, fold the rules, write everything set-wise.

One writer per asset, on the fenced connection (market_fence.py), READ COMMITTED. Locks in a fixed order: the assets by
id, then the holders' balances by (account, unit), then, through the trigger of the postings, the buckets.
What the last minutes were like stays in memory between batches and is trusted only while the asset's count of verdicts
is what we left it at; otherwise it is read from the trades again. Source: architecture.md 4 (Trade), exchange.md 9.
"""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import AsyncCursor
from psycopg.rows import tuple_row

from domain.exchange import prices, volume
from domain.exchange.batch import Desk, Pending, Position, Settled, settle
from domain.exchange.curve import Curve
from domain.exchange.trading import Market
from domain.shared.errors import Broken
from domain.shared.ledger import available
from storage.books import Book
from storage.columns import texts, words
from storage.database import Connection, WireJson, translated
from storage.exchange import market_rows as rows
from storage.exchange import market_sql as sql

Cursor = AsyncCursor[tuple[Any, ...]]
EVERYWHERE_S: Final = 1.0


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


class _Progress:
    """Where to look for orders: after what was read a while ago, and once a second everywhere.

    The index of pending orders keeps the entries of those that are done until no snapshot can see them as pending, and
    a backup holds one for minutes: reading from the start each time would step over all of them. An order that was
    numbered early and committed late is found by the look everywhere.
    """

    def __init__(self) -> None:
        self.newest = self._then = self._floor = 0
        self._everywhere_at = 0.0

    def after(self) -> int:
        now = time.monotonic()
        if now < self._everywhere_at:
            return self._floor
        self._everywhere_at = now + EVERYWHERE_S
        self._floor, self._then = self._then, self.newest
        return 0


class MarketStore:
    """One engine's hands: its connection, the share of assets it serves, what it remembers of them."""

    def __init__(self, connection: Connection, number: int, engines: int, memory: Memory) -> None:
        self.connection = connection
        self.number, self.engines = number, engines
        self.memory = memory
        self._progress = _Progress()

    async def pending(self, limit: int) -> list[Pending]:
        """Orders without a verdict, in the order of acceptance; not those that are parked."""
        async with translated():
            cursor = await self._run(sql.PENDING, [self._progress.after(), self.engines, self.number, limit])
            found = await cursor.fetchall()
        if found:
            self._progress.newest = found[-1][0]
        return [sql.pending(row[1:]) for row in found]

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
                await self._write(settled, read.now)
                await self._run("COMMIT")
            except Exception:
                await self._give_up()
                raise
        for asset_id, market in settled.markets.items():
            self.memory[asset_id] = Remembered(market.verdicts, market.window, settled.volumes[asset_id])
        return settled

    async def _give_up(self) -> None:
        """Roll back; a connection that cannot even do that is of no use, and closing it rolls back as well."""
        try:
            await self._run("ROLLBACK")
        except psycopg.Error:
            await self.connection.close()

    async def _run(self, statement: str, arguments: Any = None) -> Cursor:
        cursor = self.connection.cursor(row_factory=tuple_row)
        return await cursor.execute(statement, arguments, prepare=True)

    async def _read(self, orders: Sequence[Pending]) -> _Read:
        """Lock, then read: one round trip, and one more for assets that we have not followed."""
        holders = {(o.account_id, o.asset_id) for o in orders}
        traders = {available(account): account for account, _ in holders}
        async with self.connection.pipeline():
            await self._run("BEGIN")
            locked = await self._run(sql.LOCK_ASSETS, [sorted({o.asset_id for o in orders})])
            clock = await self._run(sql.CLOCK)
            balances = await self._run(sql.LOCK_BALANCES, [texts(traders)])
            keys = [words(account for account, _ in holders), words(asset for _, asset in holders)]
            positions = await self._run(sql.POSITIONS, keys)
        assets = await locked.fetchall()
        [(now, enabled)] = await clock.fetchall()
        known = {row[0]: await self._remembered(row[0], row[-1], now) for row in assets}
        held = {(account, asset): Position(*rest) for account, asset, *rest in await positions.fetchall()}
        desk = Desk(
            markets={row[0]: _market(row, known[row[0]].window) for row in assets},
            volumes={asset: k.volume for asset, k in known.items()},
            usdc={traders[path]: balance for path, balance in await balances.fetchall()},
            positions=held,
        )
        return _Read(desk, _not_before(now, (k.window for k in known.values())), enabled)

    async def _remembered(self, asset_id: str, verdicts: int, now: datetime) -> Remembered:
        known = self.memory.get(asset_id)
        if known is not None and known.verdicts == verdicts:
            return known
        cursor = await self._run(sql.HISTORY, [asset_id, now, volume.SPAN_S])
        found = await cursor.fetchall()
        window = prices.window_of(tuple(prices.Bucket(second, low, high) for second, low, high, _ in found))
        window = prices.at_second(window, calendar.timegm(now.utctimetuple()))
        return Remembered(verdicts, window, volume.volume_of(tuple(volume.Bucket(r[0], r[3]) for r in found)))

    async def _write(self, settled: Settled, now: datetime) -> None:
        """Everything in one round trip; the caller commits. What takes longest goes first: Postgres works on it while
        the rest is being made."""
        verdicts = settled.verdicts
        async with self.connection.pipeline():
            if bookings := rows.bookings(verdicts):
                await Book(self.connection).book_new(bookings)
            updated = await self._run(sql.VERDICTS, [now, *rows.verdicts(verdicts)])
            if settled.positions:
                await self._run(sql.KEEP_POSITIONS, [now, *rows.positions(settled.positions)])
            await self._run(sql.ASSETS, rows.assets(settled.markets))
            await self._run(sql.EVENTS, [WireJson(rows.events(verdicts, now))])
        if updated.rowcount != len(verdicts):
            raise Broken("ledger_mismatch", f"{len(verdicts) - updated.rowcount} orders have a verdict already")


def _market(row: tuple[Any, ...], window: prices.Window) -> Market:
    _, status, p0, k, fee_bps, lp_part_bps, breaker_bps, *state = row
    return Market(Curve(p0, k), fee_bps, lp_part_bps, breaker_bps, status, *state)._replace(window=window)


def _not_before(now: datetime, windows: Iterable[prices.Window]) -> datetime:
    """The clock, or the newest price's second if the clock was set back behind it: verdicts and time go one way."""
    newest = max((w.buckets[-1].second for w in windows if w.buckets), default=0)
    return now if calendar.timegm(now.utctimetuple()) >= newest else datetime.fromtimestamp(newest, UTC)
