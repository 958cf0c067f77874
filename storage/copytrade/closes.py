"""Paper closes: the one book is kept first, then the position is sold at it, once."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from psycopg.types.json import Jsonb

from domain.copytrade.closing import Closed, Sale, close
from domain.copytrade.entries import Scope
from domain.copytrade.fees import FeeRule, fee_rule
from domain.copytrade.portfolio import Booked, Portfolio, post
from domain.copytrade.portfolio_messages import CloseDone
from domain.copytrade.reasons import Reason
from domain.copytrade.venue import Book, FeeSchedule
from domain.shared.errors import Rejected
from domain.shared.events import Event
from domain.shared.money import format_usdc
from storage.books import Books
from storage.copytrade import configs, holdings
from storage.copytrade.inputs_json import book_json, book_of
from storage.database import Connection, WireJson
from storage.events import audit, emit
from storage.operations import mark_step, set_operation

_CLOSE: Final = """
SELECT c.id, c.portfolio_id, c.token_id, c.share_micros, c.status::text AS status, c.book, c.received_at,
  c.failure_code, c.operation_id, c.requested_by, c.reason, f.portfolio_scope::text AS scope, f.followed_user_id,
  a.condition_id, m.fee_rate_ppm, m.fee_exponent, m.fee_takers_only
FROM copytrade.paper_closes c JOIN copytrade.portfolios f ON f.id = c.portfolio_id
LEFT JOIN copytrade.outcome_assets a ON a.token_id = c.token_id
LEFT JOIN copytrade.markets m ON m.condition_id = a.condition_id
WHERE c.id = %s FOR UPDATE OF c
"""
_KEEP_BOOK: Final = """
UPDATE copytrade.paper_closes SET raw = %s, book = %s, received_at = %s WHERE id = %s AND book IS NULL
"""
_ENTRIES: Final = """
INSERT INTO copytrade.ledger_entries (portfolio_id, epoch, source_followed_user_id, entry_type, ref_id, condition_id,
  token_id, share_delta_micros, cash_delta_micros, cost_delta_micros, realized_micros, price_micros, event_time)
SELECT %s, %s, e.leader, e.kind, e.ref_id, e.condition_id, e.token_id, e.shares, e.cash, e.cost, e.realised, e.price,
  e.event_time
FROM json_to_recordset(%s) AS e(place int, leader uuid, kind copytrade.ledger_entry_type, ref_id text,
  condition_id text, token_id text, shares bigint, cash bigint, cost bigint, realised bigint, price bigint,
  event_time timestamptz)
ORDER BY e.place
"""
_POSITION: Final = """
UPDATE copytrade.positions SET share_micros = %s, cost_micros = %s, realized_micros = %s,
  updated_at = clock_timestamp() WHERE portfolio_id = %s AND token_id = %s
"""
_PORTFOLIO: Final = """
UPDATE copytrade.portfolios SET cash_micros = %s, realized_micros = %s, fees_micros = %s WHERE id = %s
"""
_CLOSED: Final = """
UPDATE copytrade.paper_closes SET status = 'closed', filled_share_micros = %s, filled_notional_micros = %s,
  fee_micros = %s, vwap_price_micros = %s, decided_at = clock_timestamp() WHERE id = %s
"""
_REJECTED: Final = """
UPDATE copytrade.paper_closes SET status = 'rejected', failure_code = %s, decided_at = clock_timestamp() WHERE id = %s
"""


class CloseStore:
    def __init__(self, books: Books) -> None:
        self.books = books

    async def needs_book(self, close_id: str) -> str | None:
        """The token whose book is to be read; None when it is there already, or the close is decided."""
        async with self.books.begin() as book:
            row = await _row(book.connection, close_id)
        return None if row["book"] is not None or row["status"] != "requested" else str(row["token_id"])

    async def keep_book(self, close_id: str, found: Book, raw: dict[str, Any], received_at: datetime) -> None:
        """The first one stays."""
        async with self.books.begin() as book:
            await book.connection.execute(_KEEP_BOOK, [Jsonb(raw), Jsonb(book_json(found)), received_at, close_id])

    async def close(self, close_id: str) -> CloseDone:
        """Sell at the kept book; one transaction. A close that is decided stays so."""
        async with self.books.begin() as book:
            connection = book.connection
            row = await _row(connection, close_id)
            if row["status"] != "requested":
                return CloseDone(status=row["status"], code=row["failure_code"] or "", summary=f"was {row['status']}")
            kept = book_of(row["book"])
            assert kept is not None
            scope = Scope(row["scope"])
            locked = await holdings.lock(connection, scope, row["followed_user_id"])
            assert locked is not None
            portfolio = locked.portfolio
            held = max(0, portfolio.shares_of(row["token_id"]))
            if held == 0:
                return await _reject(connection, row, Reason.NOT_ENOUGH_POSITION_TO_SELL)
            done = _sold(portfolio, row, kept, held, await _fees(connection, row))
            if not done.parts:
                return await _reject(connection, row, Reason.NO_LIQUIDITY_WITHIN_BOUNDS)
            await _book(connection, locked, portfolio, row["token_id"], done)
            return await _tell(connection, row, held, done)

    async def reject(self, close_id: str, code: str) -> CloseDone:
        """Nothing is sold; what was decided meanwhile stays."""
        async with self.books.begin() as book:
            row = await _row(book.connection, close_id)
            if row["status"] != "requested":
                return CloseDone(status=row["status"], code=row["failure_code"] or "", summary=f"was {row['status']}")
            return await _reject(book.connection, row, code)


async def _row(connection: Connection, close_id: str) -> dict[str, Any]:
    row = await (await connection.execute(_CLOSE, [close_id])).fetchone()
    if row is None:
        raise Rejected("not_found", "no such close")
    return row


async def _fees(connection: Connection, row: dict[str, Any]) -> FeeRule:
    """The rules of the portfolio, and the market's own schedule."""
    rules = (await configs.newest(connection, row["followed_user_id"])).config
    rate = row["fee_rate_ppm"]
    schedule = FeeSchedule(rate, row["fee_exponent"] or 1, row["fee_takers_only"]) if rate else None
    return fee_rule(rules.guardrails, schedule)


def _sold(portfolio: Portfolio, row: dict[str, Any], book: Book, held: int, rule: FeeRule) -> Closed:
    wanted = held if row["share_micros"] is None else min(held, row["share_micros"])
    place = portfolio.holdings[row["token_id"]].condition_id or row["condition_id"] or ""
    sale = Sale(f"close:{row['id']}", place, row["token_id"], wanted, row["received_at"])
    return close(portfolio, sale, book, rule)


async def _book(
    connection: Connection, locked: holdings.Locked, portfolio: Portfolio, token_id: str, done: Closed
) -> None:
    rows: list[dict[str, Any]] = []
    for leader, entries in done.parts:
        portfolio, booked = post(portfolio, entries, leader)
        for entry, what in zip(entries, booked, strict=True):
            rows.append(_entry(len(rows), leader, entry._asdict(), what))
    after = portfolio.holdings[token_id]
    await connection.execute(_ENTRIES, [locked.id, locked.epoch, WireJson(rows)])
    await connection.execute(_POSITION, [after.shares, after.cost, after.realised, locked.id, token_id])
    await connection.execute(_PORTFOLIO, [portfolio.cash, portfolio.realised, portfolio.fees, locked.id])


def _entry(place: int, leader: str, entry: dict[str, Any], booked: Booked) -> dict[str, Any]:
    return entry | {
        "place": place,
        "leader": leader or None,
        "cost": booked.cost_delta,
        "realised": booked.realised,
    }


async def _tell(connection: Connection, row: dict[str, Any], held: int, done: Closed) -> CloseDone:
    walk = done.walk
    await connection.execute(_CLOSED, [walk.shares, walk.notional, walk.fee, done.price, row["id"]])
    summary = (
        f"Sold {format_usdc(walk.shares)} of {format_usdc(held)} shares for {format_usdc(walk.notional)} USDC, "
        f"fee {format_usdc(walk.fee)}"
    )
    await mark_step(connection, row["operation_id"], "book", "done")
    await mark_step(connection, row["operation_id"], "sell", "done", summary)
    await set_operation(connection, row["operation_id"], "completed", summary)
    await _told(connection, row, "paper_position_closed", shares_micros=str(walk.shares))
    return CloseDone(status="closed", summary=summary)


async def _reject(connection: Connection, row: dict[str, Any], code: str) -> CloseDone:
    await connection.execute(_REJECTED, [code, row["id"]])
    summary = f"Nothing was sold: {code}"
    await set_operation(connection, row["operation_id"], "failed", summary, code)
    await _told(connection, row, "paper_close_rejected", code=code)
    return CloseDone(status="rejected", code=code, summary=summary)


async def _told(connection: Connection, row: dict[str, Any], act: str, **detail: str) -> None:
    await audit(connection, row["requested_by"], act, row["id"], token_id=row["token_id"], **detail)
    payload: dict[str, str | int | bool | list[str] | None] = {
        "id": row["id"],
        "portfolio_scope": row["scope"],
        "followed_user_id": row["followed_user_id"],
        "token_id": row["token_id"],
        **detail,
    }
    await emit(connection, Event(topic="copytrade", type=act, payload=payload))
