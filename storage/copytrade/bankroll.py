"""Paper cash of executable portfolios: put in, taken out, or begun anew. Rows of the ledger, so profit is equity less
what was put in, whatever is put in (CT-210, CG-032).

Whoever does this is audited. A reset keeps all history: the ledger goes on in the next epoch, snapshots say which.
"""

from __future__ import annotations

from typing import Any, Final

from domain.copytrade.entries import Entry, EntryType, Scope
from domain.copytrade.portfolio import Holding, book
from domain.copytrade.shadow import Line
from domain.shared.errors import Rejected
from domain.shared.events import Event
from domain.shared.money import format_usdc
from storage.copytrade import drawdown, shadow
from storage.copytrade.shadow import Booking, Ledger
from storage.database import Connection
from storage.events import audit, emit, new_id, resolve_alert

_LOCK: Final = """
SELECT id, portfolio_scope::text AS scope, followed_user_id, epoch, cash_micros, contributed_micros,
  clock_timestamp() AS now
FROM copytrade.portfolios
WHERE portfolio_scope = %s::copytrade.portfolio_scope AND followed_user_id IS NOT DISTINCT FROM %s::uuid
FOR NO KEY UPDATE
"""
_BEGIN_ANEW: Final = """
UPDATE copytrade.portfolios SET epoch = epoch + 1, cash_micros = 0, contributed_micros = 0, realized_micros = 0,
  fees_micros = 0, peak_pnl_micros = 0, drawdown_latched_at = NULL, watched_peak_micros = 0, watched_latched_at = NULL,
  drawdown_reset_at = %(now)s, opened_at = %(now)s
WHERE id = %(id)s RETURNING epoch
"""
_EMPTY: Final = """
UPDATE copytrade.positions SET share_micros = 0, cost_micros = 0, realized_micros = 0, settled = 0,
  updated_at = clock_timestamp()
WHERE portfolio_id = %s
"""


async def locked(connection: Connection, scope: Scope, user_id: str | None) -> dict[str, Any]:
    """An executable portfolio, its row ours.

    Raises: Rejected not_found.
    """
    row = None
    if scope is not Scope.SHADOW_USER:
        row = await (await connection.execute(_LOCK, [scope.value, user_id])).fetchone()
    if row is None:
        raise Rejected("not_found", "no such executable portfolio")
    return row


async def move_cash(
    connection: Connection, scope: Scope, user_id: str | None, amount: int, *, principal: str, reason: str
) -> int:
    """Put paper cash in (`amount` > 0) or take it out; returns the cash there is then.

    Raises: Rejected not_found, insufficient_funds, amount_below_minimum.
    """
    if amount == 0:
        raise Rejected("amount_below_minimum", "nothing to move")
    portfolio = await locked(connection, scope, user_id)
    left = int(portfolio["cash_micros"]) + amount
    if left < 0:
        raise Rejected("insufficient_funds", f"it has {format_usdc(portfolio['cash_micros'])} USDC in cash")
    ref = f"cash:{new_id()}"
    await _deposit(connection, portfolio, portfolio["epoch"], amount, ref)
    act = "paper_cash_in" if amount > 0 else "paper_cash_out"
    await _told(connection, act, portfolio, principal, reason, amount_micros=str(amount), ref=ref)
    return left


async def reset(
    connection: Connection, scope: Scope, user_id: str | None, bankroll: int, *, principal: str, reason: str
) -> int:
    """Begin a portfolio anew with this bankroll and no positions; returns the epoch that begins.

    Raises: Rejected not_found.
    """
    portfolio = await locked(connection, scope, user_id)
    values = {"id": portfolio["id"], "now": portfolio["now"]}
    row = await (await connection.execute(_BEGIN_ANEW, values)).fetchone()
    assert row is not None
    epoch = int(row["epoch"])
    await connection.execute(_EMPTY, [portfolio["id"]])
    await _deposit(connection, portfolio, epoch, bankroll, "bankroll")
    await resolve_alert(connection, drawdown.ALERT, portfolio["id"], principal)
    await _told(
        connection, "paper_portfolio_reset", portfolio, principal, reason, bankroll_micros=str(bankroll), epoch=epoch
    )
    return epoch


async def _deposit(connection: Connection, portfolio: dict[str, Any], epoch: int, amount: int, ref: str) -> None:
    entry = Entry(EntryType.DEPOSIT, ref, "", "", 0, amount, None, portfolio["now"])
    await shadow.write(connection, [Booking(Ledger(portfolio["id"], epoch), [Line(entry, book(Holding(), entry))], {})])


async def _told(
    connection: Connection, act: str, portfolio: dict[str, Any], principal: str, reason: str, **detail: str | int
) -> None:
    await audit(connection, principal, act, portfolio["id"], reason=reason, **detail)
    payload: dict[str, str | int | bool | list[str] | None] = {
        "portfolio_id": portfolio["id"],
        "portfolio_scope": portfolio["scope"],
        "followed_user_id": portfolio["followed_user_id"],
        "reason": reason,
        **detail,
    }
    await emit(connection, Event(topic="copytrade", type=act, payload=payload))
