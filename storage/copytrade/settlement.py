"""Settling resolved markets: everybody's shares become their payout, one transaction per market.

Each settlement of a position has a number of its own, so one that is bought again after it is settled again. A
redemption of shares that were settled already is not paid a second time (domain/copytrade/legs.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from domain.copytrade.entries import Entry, EntryType
from domain.copytrade.portfolio import Holding, book, value_at
from domain.copytrade.shadow import Line
from domain.shared.events import Event
from storage.copytrade import shadow
from storage.copytrade.markets import payouts_of
from storage.copytrade.shadow import Booking, Ledger
from storage.database import Connection, Pool, transaction
from storage.events import emit

_UNRESOLVED: Final = """
SELECT m.condition_id FROM copytrade.markets m
WHERE (m.payouts IS NULL AND EXISTS (
    SELECT 1 FROM copytrade.activity_applications a JOIN copytrade.activity_events v ON v.id = a.event_id
    WHERE a.state = 'waiting' AND v.kind = 'REDEEM' AND v.condition_id = m.condition_id))
  OR EXISTS (
    SELECT 1 FROM copytrade.outcome_assets o JOIN copytrade.positions p USING (token_id)
    WHERE o.condition_id = m.condition_id AND p.share_micros <> 0)
ORDER BY m.resolution_read_at NULLS FIRST, m.condition_id LIMIT %s
"""
# Locks in the order every writer takes them: shadows, then the executables of leaders, the global one last.
_HOLDERS: Final = """
SELECT f.id, f.epoch, f.portfolio_scope::text AS scope, f.followed_user_id FROM copytrade.portfolios f
WHERE EXISTS (SELECT 1 FROM copytrade.positions p WHERE p.portfolio_id = f.id AND p.token_id = ANY(%s)
  AND p.share_micros <> 0)
ORDER BY f.portfolio_scope, f.id FOR NO KEY UPDATE
"""
_RESOLVED_AT: Final = "SELECT resolved_at FROM copytrade.markets WHERE condition_id = %s"


class SettlementStore:
    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def unresolved(self, limit: int) -> list[str]:
        """Markets that somebody holds, or whose payouts an event waits for; those not asked for longest first."""
        async with transaction(self.pool) as connection:
            cursor = await connection.execute(_UNRESOLVED, [limit])
            return [row["condition_id"] for row in await cursor.fetchall()]

    async def settle(self, condition_id: str) -> int:
        """Pay out every position of a resolved market, in all scopes. Returns how many.

        Nothing happens while the payouts, or which token stands in which place, are not known.
        """
        async with transaction(self.pool) as connection:
            payouts = await payouts_of(connection, condition_id)
            if not payouts:
                return 0
            row = await (await connection.execute(_RESOLVED_AT, [condition_id])).fetchone()
            assert row is not None
            holders = await (await connection.execute(_HOLDERS, [sorted(payouts)])).fetchall()
            held = await shadow.held_by(connection, [holder["id"] for holder in holders], payouts)
            bookings = [
                _settled(Ledger(h["id"], h["epoch"]), held.get(h["id"], {}), condition_id, payouts, row["resolved_at"])
                for h in holders
            ]
            settled = await shadow.write(connection, bookings)
            if settled:
                await _tell(connection, condition_id, holders, settled)
            return settled


def _settled(
    ledger: Ledger, held: dict[str, Holding], condition_id: str, payouts: dict[str, int], at: datetime
) -> Booking:
    """One line a position; the number of the settlement is part of what it refers to."""
    holdings, lines = dict(held), []
    for token, holding in sorted(held.items()):
        if holding.shares == 0:
            continue
        ref, cash = f"settle:{condition_id}:{holding.settled + 1}", value_at(holding.shares, payouts[token])
        entry = Entry(EntryType.SETTLEMENT, ref, condition_id, token, -holding.shares, cash, payouts[token], at)
        booked = book(holding, entry)
        holdings[token] = booked.holding
        lines.append(Line(entry, booked))
    return Booking(ledger, lines, holdings)


async def _tell(connection: Connection, condition_id: str, holders: Sequence[dict[str, Any]], settled: int) -> None:
    payload: dict[str, str | int | bool | list[str] | None] = {
        "condition_id": condition_id,
        "positions": settled,
        "portfolios": [str(holder["id"]) for holder in holders],
    }
    await emit(connection, Event(topic="copytrade", type="market_settled", payload=payload))
