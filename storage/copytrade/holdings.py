"""An executable portfolio as a decision sees it, read under the lock of its row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from domain.copytrade.entries import Scope
from domain.copytrade.portfolio import Holding, Portfolio
from storage.database import Connection

LOCK: Final = """
SELECT * FROM copytrade.portfolios
WHERE portfolio_scope = %(scope)s AND followed_user_id IS NOT DISTINCT FROM %(user)s FOR NO KEY UPDATE
"""
_THIS: Final[LiteralString] = """(SELECT id FROM copytrade.portfolios
  WHERE portfolio_scope = %(scope)s AND followed_user_id IS NOT DISTINCT FROM %(user)s)"""
# Also of tokens that are not held any more, when they are about to be traded: what they realised goes on.
HOLDINGS_OF_USER: Final = f"""
SELECT p.token_id, p.condition_id, p.share_micros, p.cost_micros, p.realized_micros, p.settled
FROM copytrade.positions p WHERE p.portfolio_id = {_THIS} AND (p.share_micros <> 0 OR p.token_id IN (
  SELECT unnest(g.token_ids) FROM copytrade.event_groups g
  WHERE g.user_decided_at IS NULL AND g.followed_user_id = %(user)s))
"""
HOLDINGS_OF_ALL: Final = f"""
SELECT p.token_id, p.condition_id, p.share_micros, p.cost_micros, p.realized_micros, p.settled
FROM copytrade.positions p WHERE p.portfolio_id = {_THIS} AND (p.share_micros <> 0 OR p.token_id IN (
  SELECT unnest(g.token_ids) FROM copytrade.event_groups g WHERE g.global_decided_at IS NULL))
"""
# By leader, of what is held: entries of nobody that took shares (SETTLEMENT, CLOSE) ended everybody's slice.
SLICES: Final = f"""
SELECT e.source_followed_user_id AS leader, e.token_id, sum(e.share_delta_micros)::bigint AS shares
FROM copytrade.portfolios f JOIN copytrade.positions p ON p.portfolio_id = f.id AND p.share_micros <> 0
CROSS JOIN LATERAL (
  SELECT coalesce(max(id), 0) AS ended FROM copytrade.ledger_entries
  WHERE token_id = p.token_id AND portfolio_id = f.id AND source_followed_user_id IS NULL
    AND share_delta_micros < 0) n
JOIN copytrade.ledger_entries e ON e.token_id = p.token_id AND e.id > n.ended AND e.portfolio_id = f.id
  AND e.epoch = f.epoch AND e.source_followed_user_id IS NOT NULL
WHERE f.id = {_THIS} GROUP BY 1, 2
"""

Row = Mapping[str, Any]


class Locked(NamedTuple):
    """A portfolio whose row is ours until the transaction ends. `reset_at`: when the drawdown was last reset."""

    id: str
    epoch: int
    reset_at: datetime | None
    portfolio: Portfolio


def holdings_of(scope: Scope) -> LiteralString:
    return HOLDINGS_OF_ALL if scope is Scope.EXEC_GLOBAL else HOLDINGS_OF_USER


async def lock(connection: Connection, scope: Scope, user_id: str | None) -> Locked | None:
    """Lock and read; None while it has not been opened."""
    values = {"scope": scope.value, "user": user_id}
    row = await (await connection.execute(LOCK, values)).fetchone()
    if row is None:
        return None
    held = await (await connection.execute(holdings_of(scope), values)).fetchall()
    everybody = scope is Scope.EXEC_GLOBAL
    return locked(row, held, await (await connection.execute(SLICES, values)).fetchall() if everybody else ())


def locked(row: Row, held: Iterable[Row], parts: Iterable[Row]) -> Locked:
    """What LOCK, HOLDINGS and SLICES gave."""
    slices: dict[str, dict[str, int]] = {}
    for part in parts:
        slices.setdefault(part["leader"], {})[part["token_id"]] = part["shares"]
    portfolio = Portfolio(
        cash=row["cash_micros"],
        contributed=row["contributed_micros"],
        realised=row["realized_micros"],
        fees=row["fees_micros"],
        holdings={one["token_id"]: _holding(one) for one in held},
        peak_pnl=row["peak_pnl_micros"],
        latched=row["drawdown_latched_at"] is not None,
        slices=slices,
    )
    return Locked(row["id"], row["epoch"], row["drawdown_reset_at"], portfolio)


def _holding(row: Row) -> Holding:
    return Holding(
        shares=row["share_micros"],
        cost=row["cost_micros"],
        realised=row["realized_micros"],
        condition_id=row["condition_id"],
        settled=row["settled"],
    )
