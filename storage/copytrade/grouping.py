"""Groups in the books: the newest of each window is found, joined or followed by another, and written back set-wise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

from domain.copytrade.grouping import Grouped, InForce, Open, Part, base_of, grouped
from domain.copytrade.groups import GroupKind, Source
from domain.copytrade.waiting import Place, Side, Waiting, gathered
from storage.columns import texts
from storage.copytrade.groups import COLUMNS
from storage.copytrade.inputs_json import rules_of as parsed
from storage.database import Connection, WireJson

SUFFIXES: Final = 16
"""Later groups of one window that are looked for at once."""

# As of the detect time: so a tape finds the rules of its time. Where the books begin later, their first rules count.
_NEWEST: Final[LiteralString] = """
ORDER BY e.created_at > %(now)s, CASE WHEN e.created_at > %(now)s THEN e.version ELSE -e.version END LIMIT 1
"""
_RULES: Final = f"""
SELECT u.id, coalesce(own.config, general.config) AS config, general.config AS general
FROM unnest(%(users)s::uuid[]) AS u(id)
LEFT JOIN LATERAL (SELECT config::text FROM copytrade.effective_configs e WHERE e.followed_user_id = u.id
  {_NEWEST}) own ON true
CROSS JOIN LATERAL (SELECT config::text FROM copytrade.effective_configs e WHERE e.followed_user_id IS NULL
  {_NEWEST}) general
"""
_FOUND: Final = f"""
SELECT {COLUMNS}, g.number, EXISTS (SELECT 1 FROM copytrade.group_inputs i WHERE i.group_key = g.group_key) AS taken
FROM copytrade.event_groups g WHERE g.group_key = ANY(%s::text[])
"""
_AS_SENT: Final[LiteralString] = """
  group_key text, user_id uuid, kind copytrade.group_kind, condition_id text, token_ids text[],
  window_start timestamptz, window_end timestamptz, event_time timestamptz, detect_time timestamptz,
  frozen_at timestamptz, due_at timestamptz, jitter_ms int, number int, shares bigint, notional bigint, price bigint,
  cash bigint, fees bigint, fills int, source copytrade.copy_source, buffered int
"""
_OPEN: Final = f"""
INSERT INTO copytrade.event_groups (group_key, followed_user_id, kind, condition_id, token_ids, window_start,
  window_end, event_time, detect_time, frozen_at, due_at, jitter_ms, number, share_micros, notional_micros,
  price_micros, usdc_micros, fee_micros, fills, source_type, buffered_count)
SELECT * FROM json_to_recordset(%s) AS v({_AS_SENT})
"""
_JOIN: Final = f"""
UPDATE copytrade.event_groups g SET kind = v.kind, window_end = v.window_end, event_time = v.event_time,
  detect_time = v.detect_time, frozen_at = v.frozen_at, due_at = v.due_at, share_micros = v.shares,
  notional_micros = v.notional, price_micros = v.price, usdc_micros = v.cash, fee_micros = v.fees, fills = v.fills,
  source_type = v.source, buffered_count = v.buffered
FROM json_to_recordset(%s) AS v({_AS_SENT}) WHERE g.group_key = v.group_key
"""
# What each side brought is told by the members; the row itself has only what is left of both.
_SIDE: Final[LiteralString] = """
  ARRAY[coalesce(sum(e.share_micros) FILTER (WHERE e.side = '{side}'), 0),
    coalesce(sum(e.notional_micros) FILTER (WHERE e.side = '{side}'), 0),
    coalesce(sum(e.usdc_micros) FILTER (WHERE e.side = '{side}'), 0)]::bigint[]"""
_WAITING: Final = f"""
SELECT {COLUMNS}, g.number, false AS taken, s.bought, s.sold
FROM copytrade.event_groups g CROSS JOIN LATERAL (
  SELECT {_SIDE.format(side="BUY")} AS bought, {_SIDE.format(side="SELL")} AS sold
  FROM copytrade.group_members m JOIN copytrade.trade_events e ON e.id = m.event_id
  WHERE m.group_key = g.group_key) s
WHERE g.user_decided_at IS NULL AND g.followed_user_id = ANY(%(users)s::uuid[]) AND g.buffered_count > 0
  AND g.frozen_at >= %(now)s AND NOT EXISTS (SELECT 1 FROM copytrade.group_inputs i WHERE i.group_key = g.group_key)
"""
_MEMBERS: Final = """
INSERT INTO copytrade.group_members (event_id, group_key) SELECT * FROM unnest(%s::uuid[], %s::text[])
ON CONFLICT (event_id) DO NOTHING
"""


async def group(connection: Connection, parts: list[Part], seed: str, now: datetime) -> Grouped:
    """Put new live events into groups; INGEST is held, `now` is their detect time."""
    rules = await rules_of(connection, sorted({part.user_id for part in parts}), now)
    bases = sorted({base_of(part, rules)[0] for part in parts})
    done = grouped(parts, await _newest(connection, bases, now), rules, seed, now)
    patient = sorted(user for user, force in rules.items() if force.config.small_trades.enabled)
    if patient:
        done = gathered(done, await waiting(connection, patient, now), rules, seed, now)
    await _write(connection, done)
    return done


async def rules_of(connection: Connection, users: Sequence[str], now: datetime) -> dict[str, InForce]:
    """The rules in force, by leader."""
    rows = await (await connection.execute(_RULES, {"users": list(users), "now": now})).fetchall()
    return {row["id"]: InForce(parsed(row["config"]), parsed(row["general"])) for row in rows}


async def waiting(connection: Connection, users: Sequence[str], now: datetime) -> dict[Place, Waiting]:
    """Groups of these leaders that still collect small trades."""
    rows = await (await connection.execute(_WAITING, {"users": list(users), "now": now})).fetchall()
    found = {}
    for row in rows:
        sides = (Side(*row[side]) for side in ("bought", "sold"))
        found[row["followed_user_id"], row["token_ids"][0]] = Waiting(_open(row), *sides)
    return found


async def _newest(connection: Connection, bases: Sequence[str], now: datetime) -> dict[str, Open]:
    """The last group of each window, by the key without number."""
    newest = await _found(connection, {base: base for base in bases})
    first = 1
    while closed := [
        base for base, one in newest.items() if (one.taken or now > one.frozen_at) and one.number >= first - 1
    ]:
        keys = {f"{base}:{number}": base for base in closed for number in range(first, first + SUFFIXES)}
        newest |= await _found(connection, keys)
        first += SUFFIXES
    return newest


async def _found(connection: Connection, keys: Mapping[str, str]) -> dict[str, Open]:
    """Groups by the base of their key; of several the highest number."""
    rows = await (await connection.execute(_FOUND, [list(keys)])).fetchall()
    found = {}
    for row in sorted(rows, key=lambda one: one["number"]):
        found[keys[row["group_key"]]] = _open(row)
    return found


def _open(row: Mapping[str, Any]) -> Open:
    return Open(
        row["group_key"],
        row["followed_user_id"],
        GroupKind(row["kind"]),
        row["condition_id"],
        tuple(row["token_ids"]),
        row["window_start"],
        row["window_end"],
        row["event_time"],
        row["detect_time"],
        row["frozen_at"],
        row["due_at"],
        row["jitter_ms"],
        row["number"],
        row["share_micros"],
        row["notional_micros"],
        row["price_micros"],
        row["usdc_micros"],
        row["fee_micros"],
        row["fills"],
        Source(row["source"]),
        row["buffered_count"],
        taken=row["taken"],
    )


async def _write(connection: Connection, done: Grouped) -> None:
    for statement, new in ((_OPEN, True), (_JOIN, False)):
        rows = [_row(one) for one in done.groups if one.new is new]
        if rows:
            await connection.execute(statement, [WireJson(rows)])
    members = [texts(event for event, _ in done.members), texts(key for _, key in done.members)]
    await connection.execute(_MEMBERS, members)


def _row(one: Open) -> dict[str, Any]:
    return one._replace(taken=False)._asdict() | {"token_ids": list(one.token_ids)}
