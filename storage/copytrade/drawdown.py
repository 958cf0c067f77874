"""The drawdown of executable portfolios: watched with every snapshot, latched past its limit, reset by an operator.

Kept beside what decisions themselves found (`peak_pnl_micros`, `drawdown_latched_at`), which is theirs alone so that a
replay comes out the same; a decision takes over what stands here with its inputs (domain/copytrade/windows.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from domain.copytrade.entries import Scope
from domain.copytrade.snapshots import EMPTY, Holding, Snapshot, losing, snapshot
from domain.shared.errors import Rejected
from domain.shared.events import Event
from domain.shared.money import format_usdc
from storage.copytrade import configs, marks
from storage.database import Connection
from storage.events import audit, emit, raise_alert, resolve_alert

ALERT: Final = "drawdown_latched"
_WATCHED: Final = """
UPDATE copytrade.portfolios SET watched_peak_micros = %s, watched_latched_at = %s WHERE id = %s
"""
_STANDING: Final = """
SELECT id, portfolio_scope::text AS scope, followed_user_id, epoch, cash_micros, contributed_micros,
  coalesce(watched_latched_at, drawdown_latched_at) AS latched_at, clock_timestamp() AS now
FROM copytrade.portfolios WHERE id = %s FOR NO KEY UPDATE
"""
_HELD: Final = """
SELECT token_id, share_micros AS shares, cost_micros AS cost FROM copytrade.positions
WHERE portfolio_id = %s AND (share_micros <> 0 OR cost_micros <> 0)
"""
_RESET: Final = """
UPDATE copytrade.portfolios SET peak_pnl_micros = %(pnl)s, watched_peak_micros = %(pnl)s, drawdown_latched_at = NULL,
  watched_latched_at = NULL, drawdown_reset_at = %(now)s
WHERE id = %(id)s
"""


async def watch(connection: Connection, portfolio: dict[str, Any], found: Sequence[tuple[datetime, Snapshot]]) -> bool:
    """Follow the peak through new snapshots of a locked portfolio; True when the limit is passed for the first time.

    Args:  portfolio  as storage.copytrade.snapshots.lock reads it.
    """
    if portfolio["scope"] == Scope.SHADOW_USER:
        return False
    since = portfolio["drawdown_reset_at"]
    young = [
        (at, one)
        for at, one in found
        if one.epoch == portfolio["epoch"] and one.ledger_id and (since is None or at > since)
    ]
    if not young:
        return False
    user = portfolio["followed_user_id"] if portfolio["scope"] == Scope.EXEC_USER else None
    limit = (await configs.newest(connection, user)).config.guardrails.max_drawdown_limit_bps
    peak, latched_at = portfolio["watched_peak_micros"], portfolio["watched_latched_at"]
    was = latched_at
    for at, one in young:
        peak = max(peak, one.pnl_micros)
        if latched_at is None and losing(peak, one, limit):
            latched_at = at
    if (peak, latched_at) != (portfolio["watched_peak_micros"], was):
        await connection.execute(_WATCHED, [peak, latched_at, portfolio["id"]])
    if latched_at is None or was is not None:
        return False
    await _alert(connection, portfolio, peak, young[-1][1], limit)
    return True


async def _alert(connection: Connection, portfolio: dict[str, Any], peak: int, now: Snapshot, limit_bps: int) -> None:
    detail = (
        f"{portfolio['scope']}: {format_usdc(peak - now.pnl_micros)} USDC below its highest profit, more than "
        f"{limit_bps} bps; it opens nothing until the drawdown is reset"
    )
    await raise_alert(connection, ALERT, portfolio["id"], detail, followed_user_id=portfolio["followed_user_id"])
    payload: dict[str, str | int | bool | list[str] | None] = {
        "portfolio_id": portfolio["id"],
        "portfolio_scope": portfolio["scope"],
        "followed_user_id": portfolio["followed_user_id"],
    }
    await emit(connection, Event(topic="copytrade", type="drawdown_latched", payload=payload))


async def current(connection: Connection, row: dict[str, Any]) -> Snapshot:
    """What a portfolio is worth at the newest marks. `row`: its epoch, cash, contributions, and the moment."""
    held = {r["token_id"]: Holding(r["shares"], r["cost"]) for r in await _held(connection, row["id"])}
    known = await marks.latest(connection, held, row["now"])
    standing = EMPTY._replace(
        epoch=row["epoch"], cash=row["cash_micros"], contributed=row["contributed_micros"], holdings=held
    )
    return snapshot(standing, {token: mark.price for token, mark in known.items()})


async def _held(connection: Connection, portfolio_id: str) -> list[dict[str, Any]]:
    return await (await connection.execute(_HELD, [portfolio_id])).fetchall()


async def reset(connection: Connection, portfolio_id: str, *, principal: str, reason: str) -> int:
    """Count the drawdown from now on: today's profit is the new peak, and the portfolio may open again.

    Raises: Rejected not_found.
    """
    row = await (await connection.execute(_STANDING, [portfolio_id])).fetchone()
    if row is None or row["scope"] == Scope.SHADOW_USER:
        raise Rejected("not_found", "no such executable portfolio")
    pnl = (await current(connection, row)).pnl_micros
    await connection.execute(_RESET, {"id": portfolio_id, "pnl": pnl, "now": row["now"]})
    await audit(
        connection, principal, "drawdown_reset", portfolio_id, reason=reason, latched=row["latched_at"] is not None
    )
    await resolve_alert(connection, ALERT, portfolio_id, principal)
    payload: dict[str, str | int | bool | list[str] | None] = {"portfolio_id": portfolio_id, "reason": reason}
    await emit(connection, Event(topic="copytrade", type="drawdown_reset", payload=payload))
    return pnl
