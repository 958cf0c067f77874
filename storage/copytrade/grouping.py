"""Groups in the books: the newest of each window is found, joined or followed by another, and written back set-wise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from domain.copytrade.config import CopyConfig, Guardrails
from domain.copytrade.grouping import Grouped, Open, Part, base_of, grouped
from domain.copytrade.groups import GroupKind
from storage.columns import numbers, texts
from storage.copytrade.groups import COLUMNS
from storage.database import Connection, WireJson

SUFFIXES: Final = 16
"""Later groups of one window that are looked for at once."""

_RULES: Final = """
SELECT u.id, c.config FROM unnest(%s::uuid[]) AS u(id) CROSS JOIN LATERAL (
  SELECT config FROM copytrade.effective_configs e WHERE e.followed_user_id = u.id OR e.followed_user_id IS NULL
  ORDER BY e.followed_user_id IS NULL, e.version DESC LIMIT 1) c
"""
_FOUND: Final = f"""
SELECT {COLUMNS}, g.number, EXISTS (SELECT 1 FROM copytrade.group_inputs i WHERE i.group_key = g.group_key) AS taken
FROM copytrade.event_groups g WHERE g.group_key = ANY(%s::text[])
"""
_OPEN: Final = """
INSERT INTO copytrade.event_groups (group_key, followed_user_id, kind, condition_id, token_ids, window_start,
  window_end, event_time, detect_time, frozen_at, due_at, jitter_ms, number, share_micros, notional_micros,
  price_micros, usdc_micros, fee_micros, fills)
SELECT * FROM json_to_recordset(%s) AS v(group_key text, user_id uuid, kind copytrade.group_kind, condition_id text,
  token_ids text[], window_start timestamptz, window_end timestamptz, event_time timestamptz, detect_time timestamptz,
  frozen_at timestamptz, due_at timestamptz, jitter_ms int, number int, shares bigint, notional bigint, price bigint,
  cash bigint, fees bigint, fills int)
"""
_JOIN: Final = """
UPDATE copytrade.event_groups g SET event_time = least(g.event_time, v.event_time), share_micros = v.shares,
  notional_micros = v.notional, price_micros = v.price, usdc_micros = v.cash, fee_micros = v.fees, fills = v.fills
FROM unnest(%s::text[], %s::timestamptz[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
  %s::int[]) AS v(group_key, event_time, shares, notional, price, cash, fees, fills)
WHERE g.group_key = v.group_key
"""
_MEMBERS: Final = """
INSERT INTO copytrade.group_members (event_id, group_key) SELECT * FROM unnest(%s::uuid[], %s::text[])
ON CONFLICT (event_id) DO NOTHING
"""


async def group(connection: Connection, parts: list[Part], seed: str, now: datetime) -> Grouped:
    """Put new live events into groups; INGEST is held, `now` is their detect time."""
    rules = await rules_of(connection, sorted({part.user_id for part in parts}))
    bases = sorted({base_of(part, rules)[0] for part in parts})
    done = grouped(parts, await _newest(connection, bases, now), rules, seed, now)
    await _write(connection, done)
    return done


async def rules_of(connection: Connection, users: Sequence[str]) -> dict[str, Guardrails]:
    """The rules in force, by leader."""
    rows = await (await connection.execute(_RULES, [list(users)])).fetchall()
    return {row["id"]: CopyConfig.model_validate(row["config"]).guardrails for row in rows}


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
        taken=row["taken"],
    )


async def _write(connection: Connection, done: Grouped) -> None:
    new = [one for one in done.groups if one.new]
    old = [one for one in done.groups if not one.new]
    if new:
        await connection.execute(_OPEN, [WireJson([_row(one) for one in new])])
    if old:
        await connection.execute(_JOIN, _joined(old))
    members = [texts(event for event, _ in done.members), texts(key for _, key in done.members)]
    await connection.execute(_MEMBERS, members)


def _row(one: Open) -> dict[str, Any]:
    return one._replace(taken=False)._asdict() | {"token_ids": list(one.token_ids)}


def _joined(groups: Iterable[Open]) -> list[Any]:
    rows = list(groups)
    return [
        texts(one.group_key for one in rows),
        texts(one.event_time.isoformat() for one in rows),
        numbers(one.shares for one in rows),
        numbers(one.notional for one in rows),
        numbers(one.price for one in rows),
        numbers(one.cash for one in rows),
        numbers(one.fees for one in rows),
        numbers(one.fills for one in rows),
    ]
