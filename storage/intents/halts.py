"""Halting the trade in an asset: the row, the asset's status, and the operation whose process ends it."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from domain.exchange.pricing import Breach
from domain.shared import ids
from domain.shared.errors import Rejected
from domain.shared.events import Event
from domain.shared.money import format_amount
from domain.shared.times import rfc3339
from storage.database import Connection
from storage.events import audit, emit, new_id
from storage.intents.opened import Opened
from storage.operations import mark_step, open_operation, set_operation

BREAKER: Final = "circuit_breaker"
HALT_STEPS: Final = ("stop_trading", "resume_trading")


class Tripped(NamedTuple):
    """What the circuit breaker saw, for the record; `seconds` since the tick before."""

    breach: Breach
    seconds: int

    @property
    def change_percent(self) -> str:
        return format_amount(self.breach.change_bps, 2)


async def lock_asset(connection: Connection, asset_id: str) -> tuple[str, str]:
    """Lock the row that every change of a market locks first; returns its symbol and status.

    Raises: Rejected not_found.
    """
    cursor = await connection.execute(
        "SELECT symbol, status::text AS status FROM exchange.assets WHERE id = %s FOR NO KEY UPDATE", [asset_id]
    )
    row = await cursor.fetchone()
    if row is None:
        raise Rejected("not_found", "no such asset")
    return row["symbol"], row["status"]


def sentence(symbol: str, until: datetime, cause: str) -> str:
    """What an operator reads about a halt that lasts."""
    why = "the circuit breaker tripped" if cause == BREAKER else cause
    return f"Trading in {symbol} is halted until {until:%Y-%m-%d %H:%M:%S} UTC: {why}"


async def open_halt(
    connection: Connection,
    *,
    asset_id: str,
    symbol: str,
    cause: str,
    started_by: str,
    until: datetime,
    tripped: Tripped | None = None,
) -> Opened:
    """Stop the trade in an asset that is active and whose row the caller has locked. The dispatcher starts `AssetHalt`.

    Args:  cause  BREAKER, or the operator's reason.   started_by  `price-engine`, or the operator's account.
    """
    halt_id = new_id()
    workflow_id = ids.asset_halt(halt_id)
    summary = sentence(symbol, until, cause)
    operation_id = await open_operation(
        connection, kind="asset_halt", subject_id=halt_id, workflow_id=workflow_id, steps=HALT_STEPS, summary=summary
    )
    old, new, change = tripped.breach if tripped else (None, None, None)
    await connection.execute(
        """INSERT INTO exchange.asset_halts (id, asset_id, cause, started_by, until, operation_id, old_price_micros,
             new_price_micros, change_bps, seconds_since_tick)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [halt_id, asset_id, cause, started_by, until, operation_id, old, new, change,
         tripped.seconds if tripped else None],
    )  # fmt: skip
    await connection.execute("UPDATE exchange.assets SET status = 'halted' WHERE id = %s", [asset_id])
    await mark_step(connection, operation_id, "stop_trading", "done", cause)
    await set_operation(connection, operation_id, "waiting", summary)
    await audit(connection, started_by, "asset_halted", asset_id, halt_id=halt_id, cause=cause, until=rfc3339(until))
    await tell(connection, "asset_halted", asset_id, halt_id, until=rfc3339(until), cause=cause)
    return Opened(halt_id, operation_id, workflow_id, None, summary)


async def tell(connection: Connection, kind: str, asset_id: str, halt_id: str, **more: str) -> None:
    """An event about a halt, on topic `assets`."""
    payload: dict[str, str | int | bool | None] = {"asset_id": asset_id, "halt_id": halt_id, **more}
    await emit(connection, Event(topic="assets", type=kind, payload=payload))


async def halt_by_operator(
    connection: Connection, *, asset_id: str, reason: str, principal: str, until: datetime
) -> Opened:
    """An operator stops the trade at once.

    Raises: Rejected not_found; asset_halted when it is halted already; asset_not_active while it does not trade.
    """
    symbol, status = await lock_asset(connection, asset_id)
    if status == "halted":
        raise Rejected("asset_halted", "it is halted already: extend that halt instead")
    if status != "active":
        raise Rejected("asset_not_active", f"it is {status}")
    return await open_halt(
        connection, asset_id=asset_id, symbol=symbol, cause=reason, started_by=principal, until=until
    )
