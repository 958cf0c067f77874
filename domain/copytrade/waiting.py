"""Small trades wait for company (CT-201): groups too small to copy alone are put together, and decided as one.

A group that waits is an ordinary one that stays open longer. It is told when it closes by the detect times of what
joined it: `quiet_ms` after the last, `longest_ms` after the first, and at once when enough has come together, when a
trade big enough alone joins, or when the leader does something else with the token. No clock is asked, so a tape gives
the same groups. As it counts as detected when it closes, it keeps nothing behind it waiting (decision 0019).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from domain.copytrade.grouping import Grouped, InForce, Open, Rules
from domain.copytrade.groups import GroupKind, Source, due_at, jitter_ms, waiting_key
from domain.copytrade.sizing import wanted_at_most
from domain.copytrade.venue import ONE
from domain.shared.money import mul_div_floor

_JUST_BEFORE: Final = timedelta(microseconds=1)
"""What ends the waiting is decided after what waited."""


class Side(NamedTuple):
    """What the trades of one side add up to."""

    shares: int = 0
    notional: int = 0
    cash: int = 0

    def plus(self, group: Open) -> Side:
        return Side(self.shares + group.shares, self.notional + group.notional, self.cash + group.cash)


class Waiting(NamedTuple):
    """A group that still collects, and what each side brought."""

    group: Open
    bought: Side = Side()
    sold: Side = Side()


Place = tuple[str, str]
"""Leader and token: at each, one group waits at most."""


def gathered(done: Grouped, waiting: Mapping[Place, Waiting], rules: Rules, seed: str, now: datetime) -> Grouped:
    """What was just grouped, with its small groups in those that wait.

    Args:  done  not stored yet, where nothing waits.   waiting  the group that collects at each place, as stored.
    """
    room = _Room(waiting, rules, seed, now)
    for group in sorted(done.groups, key=lambda one: (one.event_time, one.group_key)):
        room.take(group)
    members = [(event, room.moved.get(key, key)) for event, key in done.members]
    return Grouped([*room.kept, *room.changed.values()], members)


class _Room:
    """`kept`: groups of their own. `changed`: waiting ones by key, as they are now. `moved`: who joined which."""

    def __init__(self, waiting: Mapping[Place, Waiting], rules: Rules, seed: str, now: datetime) -> None:
        self.waiting, self.rules, self.seed, self.now = dict(waiting), rules, seed, now
        self.kept: list[Open] = []
        self.changed: dict[str, Open] = {}
        self.moved: dict[str, str] = {}

    def take(self, group: Open) -> None:
        """Next in order of time."""
        force = self.rules[group.user_id]
        if not force.config.small_trades.enabled:
            self.kept.append(group)
            return
        for token in group.token_ids:
            place = (group.user_id, token)
            if place in self.waiting and not _company(self.waiting[place].group, group, force):
                self._end(place, force)
        place = (group.user_id, group.token_ids[0])
        small = is_small(group, force)
        if group.new and (small or (_trade(group) and place in self.waiting)):
            here = self.waiting.get(place) or self._opened(group, force)
            self.waiting[place] = joined = _joined(here, group, force, self.now, small=small)
            self.changed[joined.group.group_key] = joined.group
            self.moved[group.group_key] = joined.group.group_key
        else:
            self.kept.append(group)

    def _end(self, place: Place, force: InForce) -> None:
        """The leader did something else: what waited is decided before that."""
        group = self.waiting.pop(place).group
        self.changed[group.group_key] = _closing(group, self.now - _JUST_BEFORE, force)

    def _opened(self, first: Open, force: InForce) -> Waiting:
        """A group that `first` is about to join."""
        whose = (first.user_id, first.token_ids)
        number = sum((one.user_id, one.token_ids) == whose and one.new for one in self.changed.values())
        key = waiting_key(first.user_id, first.token_ids[0], self.now, number)
        jitter = jitter_ms(self.seed, key, force.config.guardrails.jitter_ms_max)
        empty = Open(
            key, first.user_id, first.kind, first.condition_id, first.token_ids, self.now, self.now, first.event_time,
            self.now, self.now, self.now, jitter, number, 0, 0, 0, 0, 0, 0, source=Source.BUFFER, new=True,
        )  # fmt: skip
        return Waiting(empty)


def is_small(group: Open, force: InForce) -> bool:
    """Does it wait? Measured before all clamps, so the same in every portfolio."""
    want = wanted_at_most(group.notional, force.config, force.general)
    rules = force.config.small_trades
    return _trade(group) and rules.enabled and want < rules.threshold_micros


def _trade(group: Open) -> bool:
    return group.kind in (GroupKind.BUY, GroupKind.SELL)


def _company(here: Open, group: Open, force: InForce) -> bool:
    nets = force.config.small_trades.netting == "net_buy_sell"
    return _trade(group) and (nets or group.kind is here.kind)


def _joined(here: Waiting, group: Open, force: InForce, now: datetime, *, small: bool) -> Waiting:
    """With one more trade. What is left of both sides goes at the average price of the side that is left."""
    bought, sold = here.bought, here.sold
    if group.kind is GroupKind.BUY:
        bought = bought.plus(group)
    else:
        sold = sold.plus(group)
    old, kind = here.group, _side_left(here.group.kind, bought.shares - sold.shares)
    whole, against = (bought, sold) if kind is GroupKind.BUY else (sold, bought)
    shares = whole.shares - against.shares
    notional = mul_div_floor(whole.notional, shares, whole.shares) if whole.shares else 0
    rules, want = force.config.small_trades, wanted_at_most(notional, force.config, force.general)
    big = want >= rules.threshold_micros and (old.source is Source.AGGREGATOR or not small)
    quiet = now + timedelta(milliseconds=rules.quiet_ms)
    latest = old.window_start + timedelta(milliseconds=rules.longest_ms)
    enough = big or want >= rules.flush_minimum_micros
    closes = now if enough else max(now, min(quiet, latest))
    window_end = max(old.window_end, group.window_end)
    made = old._replace(
        kind=kind,
        window_end=window_end,
        event_time=min(old.event_time, group.event_time),
        shares=shares,
        notional=notional,
        price=mul_div_floor(whole.notional, ONE, whole.shares) if whole.shares else 0,
        cash=whole.cash - against.cash,
        fees=old.fees + group.fees,
        fills=old.fills + group.fills,
        source=Source.AGGREGATOR if big else Source.BUFFER,
        buffered=old.buffered + small,
    )
    return Waiting(_closing(made, max(closes, window_end), force), bought, sold)


def _side_left(before: GroupKind, over: int) -> GroupKind:
    if over == 0:
        return before
    return GroupKind.BUY if over > 0 else GroupKind.SELL


def _closing(group: Open, at: datetime, force: InForce) -> Open:
    """It takes others until then, and counts as detected then."""
    due = due_at(at, force.config.guardrails.decision_latency_ms, group.jitter_ms)
    return group._replace(detect_time=at, frozen_at=at, due_at=due)
