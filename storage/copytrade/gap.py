"""The tracking gap of an executable portfolio from what was stored (domain/copytrade/gap.py takes it apart).

Both sides count from when the portfolio began, at the same marks: a shadow that was older then brings what it held at
what that was worth. The rate of a leader is the share of his trades that his rules copy now. A token without a mark is
priced by the last line that moved it; the report says how many were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any, Final, NamedTuple

from domain.copytrade.decisions import Fill
from domain.copytrade.entries import Scope
from domain.copytrade.gap import Alone, Attempted, Copied, Flow, Step, Uncopied, in_micros, tracking_gap
from domain.copytrade.groups import GroupKind
from domain.copytrade.portfolio import value_at
from domain.copytrade.reasons import Reason
from domain.shared.times import rfc3339
from storage.copytrade import configs, marks
from storage.database import Connection

BPS: Final = 10_000

_PORTFOLIO: Final = """
SELECT f.id, f.epoch, f.followed_user_id, clock_timestamp() AS now,
  (SELECT min(created_at) FROM copytrade.ledger_entries e WHERE e.portfolio_id = f.id AND e.epoch = f.epoch) AS began
FROM copytrade.portfolios f
WHERE f.portfolio_scope = %s::copytrade.portfolio_scope AND f.followed_user_id IS NOT DISTINCT FROM %s::uuid
"""
_SHADOWS: Final = """
SELECT id, followed_user_id FROM copytrade.portfolios
WHERE portfolio_scope = 'SHADOW_USER' AND (%(user)s::uuid IS NULL OR followed_user_id = %(user)s::uuid)
ORDER BY followed_user_id
"""
_LINES: Final = r"""
SELECT e.id, e.created_at AS at, e.ref_id, e.entry_type::text AS kind, e.token_id, e.share_delta_micros AS shares,
  e.cash_delta_micros AS cash, e.price_micros AS price,
  e.cash_delta_micros + e.cost_delta_micros - e.realized_micros AS contributed, e.cost_delta_micros AS cost,
  m.group_key
FROM copytrade.ledger_entries e LEFT JOIN copytrade.group_members m
  ON m.event_id = CASE WHEN e.ref_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN e.ref_id::uuid END
WHERE e.portfolio_id = %s AND e.epoch = %s ORDER BY e.id
"""
_EPOCH: Final = "SELECT epoch FROM copytrade.portfolios WHERE id = %s"
_ATTEMPTS: Final = """
SELECT a.group_key, a.followed_user_id, g.kind::text AS kind, g.token_ids, a.reason_codes, a.sizing,
  a.fee_micros AS fee, a.mid_price_micros_at_decision AS mid,
  coalesce((SELECT json_agg(json_build_array(f.level, f.filled_share_micros, f.fill_price_micros,
      f.fill_notional_micros, f.fee_micros) ORDER BY f.level)
    FROM copytrade.executable_fills f WHERE f.copy_attempt_id = a.id), '[]') AS fills,
  (SELECT e.token_id FROM copytrade.ledger_entries e WHERE e.portfolio_id = %(id)s AND e.ref_id = a.group_key
     AND e.entry_type = 'TRADE_FILL' LIMIT 1) AS traded
FROM copytrade.copy_attempts a JOIN copytrade.event_groups g USING (group_key)
WHERE a.portfolio_scope = %(scope)s::copytrade.portfolio_scope AND a.created_at >= %(began)s
  AND (%(user)s::uuid IS NULL OR a.followed_user_id = %(user)s::uuid) ORDER BY a.ordinal
"""
_PAYOUTS: Final = """
SELECT a.token_id, m.payouts[a.place + 1] AS payout FROM copytrade.outcome_assets a
JOIN copytrade.markets m USING (condition_id)
WHERE a.token_id = ANY(%s) AND a.place IS NOT NULL AND m.payouts IS NOT NULL
"""

Row = dict[str, Any]


class _Shadow(NamedTuple):
    """One leader: his lines of before and since the portfolio began."""

    user_id: str
    rate: Fraction
    before: list[Row]
    since: list[Row]


async def report(connection: Connection, scope: Scope, user_id: str | None) -> dict[str, Any] | None:
    """The gap in whole micros with its parts, which add up; None while there is no such portfolio.

    `unmeasured`: tokens of which nothing tells a price; then there are no figures.
    """
    row = await (await connection.execute(_PORTFOLIO, [scope.value, user_id])).fetchone()
    if row is None or row["began"] is None:
        return None
    began: datetime = row["began"]
    ours = await _rows(connection, _LINES, [row["id"], row["epoch"]])
    shadows = [await _shadow(connection, one, began) for one in await _rows(connection, _SHADOWS, {"user": user_id})]
    values = {"id": row["id"], "scope": scope.value, "user": user_id, "began": began}
    attempts = {one["group_key"]: one for one in await _rows(connection, _ATTEMPTS, values)}
    lines = [*ours, *(line for shadow in shadows for line in (*shadow.before, *shadow.since))]
    prices, guessed = await _prices(connection, lines, row["now"])
    unmeasured = sorted({line["token_id"] for line in lines} - {""} - prices.keys())
    if unmeasured:
        return {"since": rfc3339(began), "unmeasured": unmeasured}
    at_begin = await _worth_then(connection, shadows, began)
    steps = [*_ours(ours, attempts), *(step for one in shadows for step in _theirs(one, attempts, at_begin))]
    found = tracking_gap(
        steps,
        prices,
        [(one.rate, _profit(one, prices, at_begin)) for one in shadows],
        _gain(ours, prices),
        valued=sum(len(_held(lines)) for lines in (ours, *([*one.before, *one.since] for one in shadows))),
    )
    return {
        "since": rfc3339(began),
        "unmeasured": [],
        "priced_by_last_line": len(guessed),
        "explained": found.explained,
        **{f"{part}_micros": amount for part, amount in in_micros(found).items()},
        "skipped_by_reason_micros": {reason.value: round(amount) for reason, amount in sorted(found.skipped.items())},
    }


async def _shadow(connection: Connection, row: Row, began: datetime) -> _Shadow:
    [portfolio] = await _rows(connection, _EPOCH, [row["id"]])
    lines = await _rows(connection, _LINES, [row["id"], portfolio["epoch"]])
    rules = (await configs.newest(connection, row["followed_user_id"])).config
    rate = Fraction(rules.sizing.copy_pct_notional_bps, BPS)
    before, since = ([line for line in lines if (line["at"] < began) is past] for past in (True, False))
    return _Shadow(row["followed_user_id"], rate, before, since)


# Our side.


def _ours(lines: Sequence[Row], attempts: Mapping[str, Row]) -> list[Step]:
    """What we did without a group: bankroll, closes, settlements."""
    return [
        Alone(_flow([line]), settles=line["kind"] == "SETTLEMENT") for line in lines if line["ref_id"] not in attempts
    ]


def _attempted(row: Row) -> Attempted:
    sizing = row["sizing"]
    traded = row["traded"] or (row["token_ids"] or [""])[0]
    return Attempted(
        kind=GroupKind(row["kind"]),
        their_notional=sizing["their_notional"],
        their_shares=sizing["their_shares"],
        reasons=tuple(Reason(code) for code in row["reason_codes"]),
        token_id=traded,
        sized=sizing["sized"],
        target=sizing["target"],
        sized_shares=sizing["sized_shares"],
        target_shares=sizing["target_shares"],
        mid=row["mid"],
        fills=tuple(Fill(level, traded, *rest) for level, *rest in row["fills"]),
        fee=row["fee"],
    )


# Theirs.


def _theirs(shadow: _Shadow, attempts: Mapping[str, Row], at_begin: Mapping[str, int]) -> list[Step]:
    """What was held when the portfolio began, each group with its attempt, and all that never became one."""
    held = _held(shadow.before)
    start = Flow(cash=0, shares=held, contributed=sum(at_begin[f"{shadow.user_id}:{token}"] for token in held))
    steps: list[Step] = [Uncopied(start, shadow.rate)] if held else []
    groups: dict[str, list[Row]] = {
        key: [] for key, one in attempts.items() if one["followed_user_id"] == shadow.user_id
    }
    for line in shadow.since:
        if line["group_key"] in groups:
            groups[line["group_key"]].append(line)
        else:
            steps.append(Uncopied(_flow([line]), shadow.rate, settles=line["kind"] == "SETTLEMENT"))
    return steps + [Copied(_flow(lines), shadow.rate, _attempted(attempts[key])) for key, lines in groups.items()]


def _profit(shadow: _Shadow, prices: Mapping[str, int], at_begin: Mapping[str, int]) -> int:
    """Since the portfolio began."""
    held = _held(shadow.before)
    cash: int = sum(line["cash"] - line["contributed"] for line in shadow.since)
    now = _held([*shadow.before, *shadow.since])
    worth = sum(value_at(shares, prices[token]) for token, shares in now.items())
    return cash + worth - sum(at_begin[f"{shadow.user_id}:{token}"] for token in held)


def _gain(lines: Sequence[Row], prices: Mapping[str, int]) -> int:
    worth = sum(value_at(shares, prices[token]) for token, shares in _held(lines).items())
    cash: int = sum(line["cash"] - line["contributed"] for line in lines)
    return cash + worth


async def _worth_then(connection: Connection, shadows: Iterable[_Shadow], began: datetime) -> dict[str, int]:
    """By leader and token, what his shares were worth when the portfolio began; their cost where no mark was known."""
    found: dict[str, int] = {}
    for shadow in shadows:
        held = _held(shadow.before)
        known = await marks.latest(connection, held, began)
        costs: dict[str, int] = {}
        for line in shadow.before:
            costs[line["token_id"]] = costs.get(line["token_id"], 0) + line["cost"]
        for token, shares in held.items():
            mark = known.get(token)
            found[f"{shadow.user_id}:{token}"] = costs[token] if mark is None else value_at(shares, mark.price)
    return found


# Lines.


def _flow(lines: Sequence[Row]) -> Flow:
    shares: dict[str, int] = {}
    for line in lines:
        if line["token_id"] and line["shares"]:
            shares[line["token_id"]] = shares.get(line["token_id"], 0) + line["shares"]
    return Flow(
        cash=sum(line["cash"] for line in lines),
        shares=shares,
        fees=-sum(line["cash"] for line in lines if line["kind"] == "FEE"),
        contributed=sum(line["contributed"] for line in lines),
    )


def _held(lines: Iterable[Row]) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in lines:
        if line["token_id"]:
            found[line["token_id"]] = found.get(line["token_id"], 0) + line["shares"]
    return {token: shares for token, shares in found.items() if shares}


async def _prices(connection: Connection, lines: Sequence[Row], now: datetime) -> tuple[dict[str, int], set[str]]:
    """Payout, newest mark, or the price of the last line that moved it; and which tokens had only the last."""
    tokens = sorted({line["token_id"] for line in lines} - {""})
    last = {line["token_id"]: line["price"] for line in sorted(lines, key=lambda one: one["id"]) if line["price"]}
    known = {token: mark.price for token, mark in (await marks.latest(connection, tokens, now)).items()}
    paid = {row["token_id"]: row["payout"] for row in await _rows(connection, _PAYOUTS, [tokens])}
    prices = {token: last[token] for token in tokens if token in last} | known | paid
    return prices, set(prices) - known.keys() - paid.keys()


async def _rows(connection: Connection, statement: Any, values: Any) -> list[Row]:
    return await (await connection.execute(statement, values)).fetchall()
