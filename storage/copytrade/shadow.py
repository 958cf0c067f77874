"""The shadow ledger, set-wise: leaders' holdings are read under their locks, folded by the rules, written back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, LiteralString, NamedTuple

from domain.copytrade.entries import EntryType
from domain.copytrade.legs import Applied, Outcome, Waits
from domain.copytrade.portfolio import Holding
from domain.copytrade.shadow import Known, Line, MarketLegs, Shadow
from storage.columns import numbers, texts, words
from storage.database import Connection, WireJson

_PORTFOLIOS: Final = """
SELECT id, followed_user_id, epoch FROM copytrade.portfolios
WHERE portfolio_scope = 'SHADOW_USER' AND followed_user_id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""
_POSITIONS: Final = """
SELECT portfolio_id, token_id, condition_id, share_micros, cost_micros, realized_micros, settled
FROM copytrade.positions WHERE portfolio_id = ANY(%s::uuid[]) AND token_id = ANY(%s::text[])
"""
_LEGS: Final = """
SELECT m.condition_id, m.payouts, m.event_id, array_agg(a.token_id ORDER BY a.place) AS tokens
FROM copytrade.markets m JOIN copytrade.outcome_assets a USING (condition_id)
WHERE m.condition_id = ANY(%s::text[]) AND a.place IS NOT NULL GROUP BY m.condition_id
"""
SETTLED: Final = """
SELECT f.followed_user_id, s.token_id, s.shares - coalesce(c.shares, 0) AS shares
FROM copytrade.portfolios f
JOIN LATERAL (
  SELECT e.token_id, -sum(e.share_delta_micros)::bigint AS shares FROM copytrade.ledger_entries e
  WHERE e.portfolio_id = f.id AND e.entry_type = 'SETTLEMENT' AND e.epoch = f.epoch AND e.token_id = ANY(%(tokens)s)
  GROUP BY e.token_id) s ON true
LEFT JOIN LATERAL (
  SELECT sum((l.leg->>'settled')::bigint)::bigint AS shares
  FROM copytrade.activity_events v JOIN copytrade.activity_applications a ON a.event_id = v.id,
    jsonb_array_elements(a.legs) AS l(leg)
  WHERE v.followed_user_id = f.followed_user_id AND v.kind = 'REDEEM' AND l.leg->>'token_id' = s.token_id) c ON true
WHERE f.portfolio_scope = 'SHADOW_USER' AND f.followed_user_id = ANY(%(users)s::uuid[])
"""
_WAITING: Final = """
SELECT v.followed_user_id, v.condition_id, CASE v.kind WHEN 'CONVERSION' THEN m.event_id END AS event_id
FROM copytrade.activity_applications a JOIN copytrade.activity_events v ON v.id = a.event_id
LEFT JOIN copytrade.markets m ON m.condition_id = v.condition_id
WHERE a.state = 'waiting' AND v.followed_user_id = ANY(%s::uuid[]) AND v.id <> ALL(%s::uuid[])
"""
_CONDITIONS: Final = "SELECT token_id, condition_id FROM copytrade.outcome_assets WHERE token_id = ANY(%s::text[])"
_ENTRIES: Final = """
INSERT INTO copytrade.ledger_entries (portfolio_id, epoch, entry_type, ref_id, condition_id, token_id,
  share_delta_micros, cash_delta_micros, cost_delta_micros, realized_micros, price_micros, event_time)
SELECT p, e, k::copytrade.ledger_entry_type, r, c, t, s, cash, cost, realized, price, at
FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[],
  %s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[])
  WITH ORDINALITY AS v(p, e, k, r, c, t, s, cash, cost, realized, price, at, place) ORDER BY place
"""
_KEEP_POSITIONS: Final = """
INSERT INTO copytrade.positions (portfolio_id, token_id, condition_id, share_micros, cost_micros, realized_micros,
  settled)
SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::int[])
ON CONFLICT (portfolio_id, token_id) DO UPDATE SET share_micros = excluded.share_micros,
  cost_micros = excluded.cost_micros, realized_micros = excluded.realized_micros, settled = excluded.settled,
  updated_at = clock_timestamp()
"""
_ADD: Final = """
UPDATE copytrade.portfolios f SET cash_micros = f.cash_micros + v.cash,
  contributed_micros = f.contributed_micros + v.contributed, realized_micros = f.realized_micros + v.realized,
  fees_micros = f.fees_micros + v.fees
FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
  AS v(id, cash, contributed, realized, fees)
WHERE f.id = v.id
"""
_APPLICATIONS: Final = """
INSERT INTO copytrade.activity_applications AS a (event_id, state, detail, legs, cash_micros, looked_at)
SELECT v.event_id, v.state, v.detail, v.legs, v.cash, clock_timestamp()
FROM json_to_recordset(%s) AS v(event_id uuid, state copytrade.application_state, detail text, legs jsonb, cash bigint)
ON CONFLICT (event_id) DO UPDATE SET state = excluded.state, detail = excluded.detail, legs = excluded.legs,
  cash_micros = excluded.cash_micros, looked_at = excluded.looked_at
WHERE a.state = 'waiting'
"""


class Needs(NamedTuple):
    """What must be known of one leader to fold his new events: tokens by name, and markets whose tokens they touch."""

    tokens: set[str]
    conditions: set[str]
    redeems: bool = False
    converts: bool = False


class Ledger(NamedTuple):
    """One portfolio whose row is locked."""

    id: str
    epoch: int


class Booking(NamedTuple):
    """Lines to write, and holdings as they are after them."""

    ledger: Ledger
    lines: Sequence[Line]
    holdings: Mapping[str, Holding]


class Opened(NamedTuple):
    ledgers: dict[str, Ledger]
    shadows: dict[str, Shadow]


async def opened(connection: Connection, needs: Mapping[str, Needs], folding: Sequence[str]) -> Opened:
    """Lock the shadows of these leaders and read what folding needs. `folding`: events that wait no longer."""
    users = sorted(needs)
    rows = await _rows(connection, _PORTFOLIOS, [users])
    ledgers = {row["followed_user_id"]: Ledger(row["id"], row["epoch"]) for row in rows}
    conditions = sorted(set[str]().union(*(need.conditions for need in needs.values())))
    markets = await market_legs(connection, conditions) if conditions else {}
    tokens = set[str]().union(*(need.tokens for need in needs.values()), *(m.tokens for m in markets.values()))
    held = await held_by(connection, [ledger.id for ledger in ledgers.values()], tokens)
    settled: dict[str, dict[str, int]] = {}
    waiting: dict[str, set[str]] = {}
    of: dict[str, str] = {}
    if conditions:
        for row in await _rows(connection, _WAITING, [users, list(folding)]):
            waiting.setdefault(row["followed_user_id"], set()).update(
                {row["condition_id"], row["event_id"]} - {None, ""}
            )
    if any(need.redeems for need in needs.values()):
        for row in await _rows(connection, SETTLED, {"tokens": sorted(tokens), "users": users}):
            settled.setdefault(row["followed_user_id"], {})[row["token_id"]] = row["shares"]
    if any(need.converts for need in needs.values()):
        of = {row["token_id"]: row["condition_id"] for row in await _rows(connection, _CONDITIONS, [sorted(tokens)])}
    shadows = {
        user: Shadow(
            held.get(ledger.id, {}), Known(markets, settled.get(user, {}), frozenset(waiting.get(user, ())), of)
        )
        for user, ledger in ledgers.items()
    }
    return Opened(ledgers, shadows)


async def market_legs(connection: Connection, conditions: Sequence[str]) -> dict[str, MarketLegs]:
    """Tokens by place and payouts, of the markets whose facts have been read."""
    rows = await _rows(connection, _LEGS, [list(conditions)])
    return {
        row["condition_id"]: MarketLegs(
            tuple(row["tokens"]), tuple(row["payouts"]) if row["payouts"] else None, row["event_id"]
        )
        for row in rows
    }


async def held_by(
    connection: Connection, portfolios: Sequence[str], tokens: Collection[str]
) -> dict[str, dict[str, Holding]]:
    """Positions of these tokens, by portfolio."""
    found: dict[str, dict[str, Holding]] = {}
    for row in await _rows(connection, _POSITIONS, [list(portfolios), sorted(tokens)]):
        holding = Holding(
            row["share_micros"], row["cost_micros"], row["realized_micros"], row["condition_id"], row["settled"]
        )
        found.setdefault(row["portfolio_id"], {})[row["token_id"]] = holding
    return found


async def write(connection: Connection, bookings: Iterable[Booking]) -> int:
    """Lines, positions, sums. Returns the number of lines."""
    done = [booking for booking in bookings if booking.lines]
    if not done:
        return 0
    await connection.execute(_ENTRIES, _entry_columns(done), prepare=True)
    await connection.execute(_KEEP_POSITIONS, _position_columns(done), prepare=True)
    await connection.execute(_ADD, _sum_columns(done), prepare=True)
    return sum(len(booking.lines) for booking in done)


async def note(connection: Connection, outcomes: Mapping[str, Outcome], ignored: Mapping[str, str]) -> None:
    """What became of activity events. One that waited is decided now; what is decided stays."""
    rows: list[dict[str, Any]] = [
        {"event_id": event_id, "state": "ignored", "detail": why, "legs": [], "cash": 0}
        for event_id, why in ignored.items()
    ]
    for event_id, outcome in outcomes.items():
        if isinstance(outcome, Applied):
            done = {"state": "applied", "detail": outcome.detail, "legs": _legs(outcome), "cash": outcome.cash}
        else:
            state = "waiting" if isinstance(outcome, Waits) else "not_applicable"
            done = {"state": state, "detail": outcome.why, "legs": [], "cash": 0}
        rows.append({"event_id": event_id, **done})
    if rows:
        await connection.execute(_APPLICATIONS, [WireJson(rows)])


def _legs(outcome: Applied) -> list[dict[str, Any]]:
    settled = dict(outcome.settled)
    found: list[dict[str, Any]] = [
        {"token_id": leg.token_id, "shares": leg.shares, "settled": settled.pop(leg.token_id, 0)}
        for leg in outcome.legs
    ]
    return found + [{"token_id": token, "shares": 0, "settled": shares} for token, shares in settled.items()]


def _entry_columns(done: Sequence[Booking]) -> list[Any]:
    lines = [(booking.ledger, line) for booking in done for line in booking.lines]
    return [
        words(ledger.id for ledger, _ in lines),
        numbers(ledger.epoch for ledger, _ in lines),
        words(line.entry.kind for _, line in lines),
        texts(line.entry.ref_id for _, line in lines),
        texts(line.entry.condition_id for _, line in lines),
        texts(line.entry.token_id for _, line in lines),
        numbers(line.entry.shares for _, line in lines),
        numbers(line.entry.cash for _, line in lines),
        numbers(line.booked.cost_delta for _, line in lines),
        numbers(line.booked.realised for _, line in lines),
        numbers(line.entry.price for _, line in lines),
        texts(line.entry.event_time.isoformat() for _, line in lines),
    ]


def _position_columns(done: Sequence[Booking]) -> list[Any]:
    """Only what changed, in order of the key, as every writer writes them."""
    rows = sorted(
        (booking.ledger.id, token, booking.holdings[token])
        for booking in done
        for token in {line.entry.token_id for line in booking.lines} - {""}
    )
    return [
        words(portfolio for portfolio, _, _ in rows),
        texts(token for _, token, _ in rows),
        texts(holding.condition_id for _, _, holding in rows),
        numbers(holding.shares for _, _, holding in rows),
        numbers(holding.cost for _, _, holding in rows),
        numbers(holding.realised for _, _, holding in rows),
        numbers(holding.settled for _, _, holding in rows),
    ]


def _sum_columns(done: Sequence[Booking]) -> list[Any]:
    sums = []
    for booking in done:
        cash = sum(line.entry.cash for line in booking.lines)
        realised = sum(line.booked.realised for line in booking.lines)
        cost = sum(line.booked.cost_delta for line in booking.lines)
        fees = -sum(line.entry.cash for line in booking.lines if line.entry.kind is EntryType.FEE)
        sums.append((booking.ledger.id, cash, cash + cost - realised, realised, fees))
    columns = list(zip(*sums, strict=True))
    return [words(columns[0]), *(numbers(column) for column in columns[1:])]


async def _rows(connection: Connection, statement: LiteralString, values: Any) -> list[dict[str, Any]]:
    return await (await connection.execute(statement, values)).fetchall()
