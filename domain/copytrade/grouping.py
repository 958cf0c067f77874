"""New events into groups: which window each belongs to, whether that group still takes it, what the group then says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from domain.copytrade.config import CopyConfig
from domain.copytrade.groups import GroupKind, Source, due_at, frozen_at, group_key, jitter_ms, window_of
from domain.copytrade.venue import ONE
from domain.shared.money import mul_div_floor


class InForce(NamedTuple):
    """The rules of a leader, and the GLOBAL ones."""

    config: CopyConfig
    general: CopyConfig


Rules = Mapping[str, InForce]
"""By leader."""


class Part(NamedTuple):
    """What one event adds. `shares` of a trade or pairs; `notional` before the fee, `cash` as it moved."""

    event_id: str
    user_id: str
    kind: GroupKind
    condition_id: str
    token_ids: tuple[str, ...]
    event_time: datetime
    shares: int
    notional: int
    cash: int
    fee: int


class Open(NamedTuple):
    """A group of the books: the newest of its window, or one just opened. `new`: not stored yet."""

    group_key: str
    user_id: str
    kind: GroupKind
    condition_id: str
    token_ids: tuple[str, ...]
    window_start: datetime
    window_end: datetime
    event_time: datetime
    detect_time: datetime
    frozen_at: datetime
    due_at: datetime
    jitter_ms: int
    number: int
    shares: int
    notional: int
    price: int
    cash: int
    fees: int
    fills: int
    source: Source = Source.AGGREGATOR
    buffered: int = 0
    taken: bool = False
    """Its inputs are stored: it has been decided upon, so nothing joins any more."""
    new: bool = False


class Grouped(NamedTuple):
    """Groups opened or changed, by base key, and which event went where."""

    groups: list[Open]
    members: list[tuple[str, str]]


def base_of(part: Part, rules: Rules) -> tuple[str, datetime, datetime]:
    """The key without a number, and the window."""
    start, end = window_of(part.event_time, rules[part.user_id].config.guardrails.aggregation_window_ms)
    return group_key(part.user_id, part.token_ids, part.kind, start), start, end


def grouped(parts: list[Part], found: Mapping[str, Open], rules: Rules, seed: str, now: datetime) -> Grouped:
    """Put every event where it belongs.

    Args:  found  the newest group of each base key that is stored.   now  when these events were detected.
    """
    newest, changed = dict(found), dict[str, Open]()
    members: list[tuple[str, str]] = []
    for part in parts:
        base, start, end = base_of(part, rules)
        group = newest.get(base)
        if group is None or group.taken or now > group.frozen_at:
            number = 0 if group is None else group.number + 1
            group = _opened(part, (start, end), number, rules[part.user_id], seed, now)
        newest[base] = changed[group.group_key] = group = _joined(group, part)
        members.append((part.event_id, group.group_key))
    return Grouped(list(changed.values()), members)


def _opened(
    part: Part, window: tuple[datetime, datetime], number: int, force: InForce, seed: str, now: datetime
) -> Open:
    (start, end), rules = window, force.config.guardrails
    key = group_key(part.user_id, part.token_ids, part.kind, start, number)
    frozen, jitter = frozen_at(now, end), jitter_ms(seed, key, rules.jitter_ms_max)
    due = due_at(frozen, rules.decision_latency_ms, jitter)
    tokens = tuple(sorted(part.token_ids))
    return Open(
        key, part.user_id, part.kind, part.condition_id, tokens, start, end, part.event_time, now, frozen, due,
        jitter, number, 0, 0, 0, 0, 0, 0, new=True,
    )  # fmt: skip


def _joined(group: Open, part: Part) -> Open:
    shares, notional = group.shares + part.shares, group.notional + part.notional
    return group._replace(
        event_time=min(group.event_time, part.event_time),
        shares=shares,
        notional=notional,
        price=mul_div_floor(notional, ONE, shares) if shares else 0,
        cash=group.cash + part.cash,
        fees=group.fees + part.fee,
        fills=group.fills + 1,
    )
