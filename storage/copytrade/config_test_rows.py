"""The rows Test config works on: executable portfolios, their state at a moment, decisions with inputs, the rest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any, Final, NamedTuple

from domain.copytrade.entries import Entry, EntryType, Scope
from domain.copytrade.groups import Group
from domain.copytrade.inputs import Inputs
from domain.copytrade.portfolio import Portfolio, post
from domain.copytrade.what_if import Actual, Trial
from storage.copytrade import groups
from storage.copytrade.inputs_json import inputs_of
from storage.database import Connection

PAGE: Final = 200
NO_PEAK: Final = -(10**18)
"""After a reset of the drawdown the peak is what the inputs say."""

_SUBJECTS: Final = """
SELECT id, portfolio_scope::text AS scope, followed_user_id, drawdown_reset_at FROM copytrade.portfolios
WHERE portfolio_scope = 'EXEC_GLOBAL'
  OR portfolio_scope = 'EXEC_USER' AND (%(user)s::uuid IS NULL OR followed_user_id = %(user)s::uuid)
ORDER BY portfolio_scope, id
"""
_LINES: Final = """
SELECT id, created_at, epoch, source_followed_user_id AS leader, entry_type::text AS kind, ref_id, condition_id,
  token_id, share_delta_micros AS shares, cash_delta_micros AS cash, price_micros AS price, event_time
FROM copytrade.ledger_entries
"""
_BEFORE: Final = f"{_LINES} WHERE portfolio_id = %s AND created_at < %s ORDER BY id"
_BESIDE: Final = f"""{_LINES}
WHERE portfolio_id = %s AND created_at >= %s AND created_at < %s
  AND ref_id NOT IN (SELECT group_key FROM copytrade.event_groups WHERE group_key = ref_id) ORDER BY id
"""
_PEAK: Final = """
SELECT (a.portfolio->>'peak_pnl')::bigint AS peak FROM copytrade.copy_attempts a
WHERE a.portfolio_scope = %s::copytrade.portfolio_scope AND (%s::uuid IS NULL OR a.followed_user_id = %s::uuid)
  AND a.created_at < %s AND (%s::timestamptz IS NULL OR a.created_at > %s::timestamptz)
ORDER BY a.ordinal DESC LIMIT 1
"""
# When a token was settled: in this portfolio, else in the first of any, else when the venue resolved it.
_SETTLED: Final = """
SELECT * FROM (
  SELECT a.token_id, m.payouts[a.place + 1] AS payout, unnest(coalesce(
    (SELECT array_agg(e.created_at) FROM copytrade.ledger_entries e
     WHERE e.token_id = a.token_id AND e.entry_type = 'SETTLEMENT' AND e.portfolio_id = %s),
    (SELECT array[min(e.created_at)] FROM copytrade.ledger_entries e
     WHERE e.token_id = a.token_id AND e.entry_type = 'SETTLEMENT' HAVING min(e.created_at) IS NOT NULL),
    array[m.resolved_at])) AS at
  FROM copytrade.markets m JOIN copytrade.outcome_assets a USING (condition_id)
  WHERE m.payouts IS NOT NULL AND a.place IS NOT NULL) s
WHERE at >= %s AND at < %s ORDER BY at, token_id
"""
_DECIDED: Final = f"""
SELECT {groups.COLUMNS}, i.requested_at, i.received_at, i.facts, i.config_version, i.general_version, c.config,
  d.config AS general, a.ordinal, a.created_at AS decided, a.decision::text AS decision, a.reason_codes,
  a.filled_notional_micros, a.filled_share_micros, a.fee_micros AS our_fee
FROM copytrade.copy_attempts a JOIN copytrade.event_groups g USING (group_key)
JOIN copytrade.group_inputs i USING (group_key)
JOIN copytrade.effective_configs c ON c.version = i.config_version
JOIN copytrade.effective_configs d ON d.version = i.general_version
WHERE a.portfolio_scope = %s::copytrade.portfolio_scope AND (%s::uuid IS NULL OR a.followed_user_id = %s::uuid)
  AND a.created_at >= %s AND a.created_at < %s AND a.ordinal > %s ORDER BY a.ordinal LIMIT {PAGE}
"""


class Subject(NamedTuple):
    portfolio_id: str
    scope: Scope
    user_id: str | None
    reset_at: datetime | None


class Began(NamedTuple):
    portfolio: Portfolio
    epoch: int


class Again(NamedTuple):
    """A decision to be made again. `at`: when it was booked."""

    at: datetime
    group: Group
    inputs: Inputs
    actual: Actual


class Beside(NamedTuple):
    """Something else that happened to the portfolio."""

    at: datetime
    apply: Callable[[Trial], None]


async def subjects(connection: Connection, user_id: str | None) -> list[Subject]:
    """The global portfolio, and those of all users or of one."""
    rows = await (await connection.execute(_SUBJECTS, {"user": user_id})).fetchall()
    return [Subject(r["id"], Scope(r["scope"]), r["followed_user_id"], r["drawdown_reset_at"]) for r in rows]


async def state_at(connection: Connection, subject: Subject, at: datetime) -> Began:
    """The portfolio as its ledger had it, with the peak its last decision saw."""
    rows = await (await connection.execute(_BEFORE, [subject.portfolio_id, at])).fetchall()
    epoch = rows[-1]["epoch"] if rows else 0
    portfolio = Portfolio()
    for leader, lines in groupby((row for row in rows if row["epoch"] == epoch), key=lambda row: row["leader"] or ""):
        portfolio, _ = post(portfolio, [_entry(line) for line in lines], leader)
    reset = subject.reset_at if subject.reset_at is not None and subject.reset_at < at else None
    whose = [subject.scope.value, subject.user_id, subject.user_id]
    peak = await (await connection.execute(_PEAK, [*whose, at, reset, reset])).fetchone()
    if peak is not None:
        return Began(portfolio._replace(peak_pnl=peak["peak"]), epoch)
    return Began(portfolio._replace(peak_pnl=0 if reset is None else NO_PEAK), epoch)


async def in_order(
    connection: Connection, subject: Subject, begin: datetime, end: datetime
) -> AsyncIterator[Again | Beside]:
    """What the portfolio met from `begin` on, before `end`."""
    beside = await _beside(connection, subject, begin, end)
    place = 0
    async for again in _decided(connection, subject, begin, end):
        while place < len(beside) and beside[place].at <= again.at:
            yield beside[place]
            place += 1
        yield again
    for one in beside[place:]:
        yield one


async def _decided(connection: Connection, subject: Subject, begin: datetime, end: datetime) -> AsyncIterator[Again]:
    after = 0
    whose = [subject.scope.value, subject.user_id, subject.user_id]
    while rows := await (await connection.execute(_DECIDED, [*whose, begin, end, after])).fetchall():
        for row in rows:
            reset = subject.reset_at if subject.reset_at is not None and subject.reset_at <= row["decided"] else None
            actual = Actual(
                at=row["decided"],
                decision=row["decision"],
                reasons=tuple(row["reason_codes"]),
                filled=row["filled_notional_micros"],
                shares=row["filled_share_micros"],
                fee=row["our_fee"],
                reset_at=reset,
            )
            yield Again(row["decided"], groups.group_of(row), inputs_of(row), actual)
        after = rows[-1]["ordinal"]


async def _beside(connection: Connection, subject: Subject, begin: datetime, end: datetime) -> list[Beside]:
    """Deposits, closes, resets and settlements. A settlement's own line is told by the market it settles."""
    found: list[Beside] = []
    epoch = (await state_at(connection, subject, begin)).epoch
    rows = await (await connection.execute(_BESIDE, [subject.portfolio_id, begin, end])).fetchall()
    for row in rows:
        at = row["created_at"]
        if row["epoch"] > epoch:
            epoch = row["epoch"]
            found.append(Beside(at, partial(Trial.reset, epoch=epoch, at=at)))
        if row["kind"] == EntryType.DEPOSIT:
            found.append(Beside(at, partial(Trial.deposit, entry=_entry(row), at=at)))
        elif row["kind"] == EntryType.CLOSE:
            close = _with_fee(row, rows)
            found.append(Beside(at, partial(Trial.close, real=close, leader=row["leader"] or "", at=at)))
    settled = await (await connection.execute(_SETTLED, [subject.portfolio_id, begin, end])).fetchall()
    for row in settled:
        token, payout, at = row["token_id"], row["payout"], row["at"]
        found.append(Beside(at, partial(Trial.settle, token_id=token, payout=payout, at=at)))
    return sorted(found, key=lambda one: one.at)


def _with_fee(close: dict[str, Any], rows: list[dict[str, Any]]) -> Entry:
    """A close together with what it was charged."""
    fees = sum(row["cash"] for row in rows if row["kind"] == EntryType.FEE and row["ref_id"] == close["ref_id"])
    return _entry(close | {"cash": close["cash"] + fees})


def _entry(row: dict[str, Any]) -> Entry:
    return Entry(
        kind=EntryType(row["kind"]),
        ref_id=row["ref_id"],
        condition_id=row["condition_id"],
        token_id=row["token_id"],
        shares=row["shares"],
        cash=row["cash"],
        price=row["price"],
        event_time=row["event_time"],
    )
