"""Small trades that wait: however they come in, nothing is lost, doubled or put before what is decided."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from domain.copytrade.grouping import Open, Part, grouped
from domain.copytrade.groups import GroupKind, Source
from domain.copytrade.venue import ONE
from domain.copytrade.waiting import is_small
from tests.waiting_lab import USER, Ingest, after, rules

BUY, SELL = GroupKind.BUY, GroupKind.SELL
LONGEST_MS, QUIET_MS = 1_500, 400


class Deed(NamedTuple):
    """Of cents; `ago_ms` before the reading that brings it."""

    cents: int
    kind: GroupKind
    token: str
    ago_ms: int
    price: int


class Reading(NamedTuple):
    later_ms: int
    deeds: Sequence[Deed]


deeds = st.builds(
    Deed,
    st.one_of(st.integers(1, 4_000), st.integers(4_000, 100_000)),
    st.sampled_from([BUY, SELL]),
    st.sampled_from(["7", "8"]),
    st.integers(0, 6_000),
    st.sampled_from([300_000, 500_000, 700_001]),
)
readings = st.lists(st.builds(Reading, st.integers(1, 2_500), st.lists(deeds, min_size=1, max_size=6)), max_size=8)
netting = st.sampled_from(["same_side_only", "net_buy_sell"])


def played(story: Sequence[Reading], mode: str, dice: random.Random | None = None) -> Ingest:
    """Every reading, in the order of the story or with its rows mixed."""
    books, ms = Ingest(rules(netting=mode, longest_ms=LONGEST_MS, quiet_ms=QUIET_MS)), 10_000
    for reading in story:
        ms += reading.later_ms
        parts = [
            books.trade(d.cents / 100, d.kind, at=ms - d.ago_ms, token=d.token, price=d.price) for d in reading.deeds
        ]
        if dice is not None:
            dice.shuffle(parts)
        before = set(books.groups)
        done = books.look(ms, parts)
        just_before = after(ms) - timedelta(microseconds=1)
        assert all(one.detect_time >= just_before for one in done if one.buffered or one.group_key not in before)
    return books


def signed(parts: Sequence[Part]) -> int:
    return sum(part.shares if part.kind is BUY else -part.shares for part in parts)


def left(group: Open) -> int:
    return group.shares if group.kind is BUY else -group.shares


@given(readings, netting)
def test_what_is_put_together_is_what_was_traded(story: Sequence[Reading], mode: str) -> None:
    books = played(story, mode)
    assert books.member_of.keys() == books.parts.keys()
    assert sum(one.fills for one in books.groups.values()) == len(books.parts)
    for one in books.groups.values():
        members = books.members(one)
        assert left(one) == signed(members)
        assert one.event_time == min(part.event_time for part in members)
        assert {part.token_ids for part in members} == {one.token_ids}
        bought, sold = books.side(one, BUY), books.side(one, SELL)
        if mode == "same_side_only" or not (bought.shares and sold.shares):
            assert one.notional == bought.notional + sold.notional
            assert {part.kind for part in members} == {one.kind}
        else:
            whole = bought if one.kind is BUY else sold
            assert one.notional == whole.notional * one.shares // whole.shares
    assert sum(left(one) for one in books.groups.values()) == signed(list(books.parts.values()))


@given(readings, netting)
def test_whoever_is_small_waits_and_never_too_long(story: Sequence[Reading], mode: str) -> None:
    books = played(story, mode)
    for one in books.groups.values():
        if not one.buffered:
            assert one.source is Source.AGGREGATOR
            continue
        latest = max(one.window_start + timedelta(milliseconds=LONGEST_MS), one.window_end)
        assert one.window_start - timedelta(microseconds=1) <= one.frozen_at == one.detect_time <= latest
        assert one.due_at - one.frozen_at == timedelta(milliseconds=750 + one.jitter_ms)
        if one.source is Source.AGGREGATOR:
            assert not is_small(one, books.rules[USER])


@given(readings, netting, st.randoms(use_true_random=False))
def test_the_order_of_rows_in_a_reading_changes_nothing(
    story: Sequence[Reading], mode: str, dice: random.Random
) -> None:
    mixed = played(story, mode, dice)
    assert mixed.groups == played(story, mode).groups


@given(st.lists(deeds, min_size=1, max_size=8))
def test_switched_off_it_is_as_if_it_were_not_there(drawn: Sequence[Deed]) -> None:
    books = Ingest(rules(enabled=False))
    parts = [books.trade(d.cents / 100, d.kind, at=9_000 - d.ago_ms, token=d.token, price=d.price) for d in drawn]
    assert books.look(9_000, parts) == sorted(
        grouped(parts, {}, books.rules, "s", after(9_000)).groups, key=lambda one: (one.event_time, one.group_key)
    )
    assert sum(one.notional for one in books.groups.values()) == sum(d.cents * ONE // 100 for d in drawn)
