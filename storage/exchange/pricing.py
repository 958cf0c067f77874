"""The price engine's transactions: a tick, a trip of the circuit breaker, the oracle's degradation.

An ordinary tick locks only the engine's own row, so that pricing never makes a trade wait. What was traded is read from
the trades themselves, by the number of their verdict: each is summed up by exactly one tick, whatever signals were lost
or doubled. Only a tick that trips the breaker locks the asset, which every change of a market locks first.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from domain.exchange import ticks as rules
from domain.exchange.price_messages import RecordTick, TickRecorded
from domain.exchange.pricing import Breach, Policy
from domain.exchange.ticks import Known, Market, Tick
from domain.shared.money import format_usdc
from storage.books import Books
from storage.database import Connection
from storage.events import raise_alert
from storage.exchange import ticks
from storage.exchange.halts import TRIPPED
from storage.intents.halts import BREAKER, Tripped, lock_asset, open_halt

ENGINE: Final = "price-engine"
OVERDUE: Final = timedelta(seconds=60)
"""A halt whose time was over so long ago has lost its process: it is handed to the dispatcher again."""
_LOST_HALT: Final = """
WITH lost AS (
  UPDATE platform.operations SET dispatched_at = NULL WHERE dispatched_at IS NOT NULL AND id IN (
    SELECT operation_id FROM exchange.asset_halts WHERE asset_id = %s AND ended_at IS NULL AND until < %s)
  RETURNING id)
SELECT pg_notify('intents', '') FROM lost
"""


class Pace(NamedTuple):
    """`heartbeat_s`: a tick is written when the last one is older; `halt_s`: how long a trip halts."""

    heartbeat_s: int = 60
    halt_s: int = 300


class PricingStore:
    def __init__(self, books: Books, policy: Policy, pace: Pace) -> None:
        self.books = books
        self.policy = policy
        self.pace = pace

    async def record(self, command: RecordTick) -> TickRecorded:
        """Write one tick if there is anything to tell. One that trips the breaker is computed again under lock."""
        async with self.books.begin() as book:
            done = await self._record(book.connection, command, may_halt=False)
        while done is None:
            async with self.books.begin() as book:
                await lock_asset(book.connection, command.asset_id)
                done = await self._record(book.connection, command, may_halt=True)
        return done

    async def _record(self, connection: Connection, command: RecordTick, *, may_halt: bool) -> TickRecorded | None:
        """One tick in the caller's transaction; None, and nothing written, when it must halt and may not."""
        asset_id = command.asset_id
        was = await ticks.known(connection, command)
        if was is None:
            return TickRecorded(ended=True, summary="no such asset")
        market = await ticks.market(connection, asset_id, was)
        if market.status not in ("active", "halted"):
            return TickRecorded(ended=True, summary=f"{market.symbol} is {market.status}")
        signals = await ticks.accepted(connection, asset_id)
        cause = rules.cause_of(was, market, signals, self.pace.heartbeat_s)
        if cause is None:
            due = max(1, rules.due_in_ms(was, self.pace.heartbeat_s))
            return TickRecorded(again_in_ms=due, summary=f"{market.symbol} {format_usdc(was.display_micros)} USDC")
        moves = rules.applied(was, signals, self.policy)
        tick = rules.tick_of(was, market, moves, cause, self.policy)
        quiet = rules.quiet_price(was, market, moves, self.policy)
        tick, breach = rules.guarded(was, market, await ticks.shown(connection, asset_id, was), quiet, tick)
        if breach is not None:
            if not may_halt:
                return None
            await self._halt(connection, asset_id, was, market, breach)
        await ticks.write(connection, asset_id, tick, moves)
        if market.status == "halted":
            await connection.execute(_LOST_HALT, [asset_id, was.now - OVERDUE])
        return self._written(market, tick)

    def _written(self, market: Market, tick: Tick) -> TickRecorded:
        shown, spot = format_usdc(tick.display_micros), format_usdc(tick.market_micros)
        summary = f"{market.symbol} {shown} USDC (market {spot}, weight {tick.weight_bps} bps)"
        return TickRecorded(written=True, again_in_ms=self.pace.heartbeat_s * 1000, summary=summary)

    async def _halt(self, connection: Connection, asset_id: str, was: Known, market: Market, breach: Breach) -> None:
        """Halt the asset, whose row is locked, and call an operator (EX-082, EX-083)."""
        until = was.now + timedelta(seconds=self.pace.halt_s)
        tripped = Tripped(breach, int(was.age.total_seconds()))
        opened = await open_halt(
            connection,
            asset_id=asset_id,
            symbol=market.symbol,
            cause=BREAKER,
            started_by=ENGINE,
            until=until,
            tripped=tripped,
        )
        change, old, new = tripped.change_percent, *(format_usdc(price) for price in breach[:2])
        detail = (
            f"{market.symbol}: {old} to {new} USDC, {change} %, {tripped.seconds} s after the last tick; "
            f"halted until {until:%H:%M:%S} UTC"
        )
        await raise_alert(
            connection,
            TRIPPED,
            asset_id,
            detail,
            asset_id=asset_id,
            halt_id=opened.subject_id,
            change_percent=change,
            seconds_since_tick=tripped.seconds,
            old_price_usdc=old,
            new_price_usdc=new,
            until=until.isoformat(),
        )


async def degrade(connection: Connection, asset_id: str, until: datetime) -> None:
    """No signal could be had: the market weighs 0.95 until then, from the next tick on. Never shortens (EX-065)."""
    await ticks.create(connection, asset_id)
    await connection.execute(
        "UPDATE exchange.asset_prices SET degraded_until = greatest(degraded_until, %s) WHERE asset_id = %s",
        [until, asset_id],
    )


async def clear(connection: Connection, asset_id: str) -> None:
    """The oracle is well again. An accepted signal does this by itself when it is applied (CG-009)."""
    await connection.execute(
        "UPDATE exchange.asset_prices SET degraded_until = NULL WHERE asset_id = %s AND degraded_until IS NOT NULL",
        [asset_id],
    )
