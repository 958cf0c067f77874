"""Small trades that wait for company: who waits, who joins, when it closes, what is left of both sides (CT-201)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.copytrade.grouping import Open
from domain.copytrade.groups import GroupKind, Source
from domain.copytrade.venue import ONE
from tests.copy_lab import config
from tests.waiting_lab import Ingest, after, rules

BUY, SELL = GroupKind.BUY, GroupKind.SELL
NET = rules(netting="net_buy_sell")
TICK = timedelta(microseconds=1)


def only(groups: list[Open]) -> Open:
    [found] = groups
    return found


def test_a_small_trade_waits_and_others_join_it() -> None:
    books = Ingest()
    first = only(books.look(5_000, [books.trade(20)]))
    assert (first.group_key, first.source, first.buffered) == (
        "u:7:BUFFER:2026-11-20T12:00:05.000000Z", Source.BUFFER, 1,
    )  # fmt: skip
    assert first.frozen_at == first.detect_time == after(5_600), "quiet for 600 ms"
    second = only(books.look(5_500, [books.trade(10, at=4_000, price=400_000)]))
    assert second.group_key == first.group_key
    assert (second.buffered, second.fills, second.notional, second.price) == (
        2,
        2,
        30 * ONE,
        30 * ONE * ONE // second.shares,
    )
    assert (second.event_time, second.frozen_at) == (after(0), after(6_100))


def test_it_waits_no_longer_than_the_longest() -> None:
    books = Ingest()
    for ms in (5_000, 5_500, 6_000, 6_500, 7_000, 7_400):
        last = only(books.look(ms, [books.trade(2, at=ms - 4_000)]))
    assert (last.buffered, last.frozen_at) == (6, after(7_500))
    late = only(books.look(7_501, [books.trade(2, at=7_000)]))
    assert (late.buffered, late.group_key) == (1, "u:7:BUFFER:2026-11-20T12:00:07.501000Z")


def test_it_closes_at_once_when_enough_has_come_together() -> None:
    books = Ingest()
    books.look(5_000, [books.trade(24)])
    assert only(books.look(5_100, [books.trade(24, at=2_500)])).frozen_at == after(5_700), "0.48 of 0.50"
    assert only(books.look(5_200, [books.trade(2, at=3_000)])).frozen_at == after(5_200)


def test_a_window_that_still_runs_is_waited_for() -> None:
    books = Ingest()
    first = only(books.look(100, [books.trade(20)]))
    assert first.frozen_at == after(2_000)
    full = only(books.look(500, [books.trade(31, at=400)]))
    assert (full.frozen_at, full.source, full.buffered) == (after(2_000), Source.AGGREGATOR, 1)


def test_a_large_trade_takes_those_that_wait_along_at_once() -> None:
    books = Ingest()
    waiting = only(books.look(5_000, [books.trade(20)]))
    taken = only(books.look(5_200, [books.trade(2_000, at=4_000)]))
    assert taken.group_key == waiting.group_key
    assert (taken.source, taken.buffered, taken.fills) == (Source.AGGREGATOR, 1, 2)
    assert (taken.notional, taken.frozen_at) == (2_020 * ONE, after(6_000)), "as its own window would"


def test_a_large_trade_without_company_is_an_ordinary_group() -> None:
    books = Ingest()
    group = only(books.look(5_000, [books.trade(25)]))
    assert (group.buffered, group.group_key) == (0, "u:7:BUY:2026-11-20T12:00:00.000Z")
    late = only(books.look(5_001, [books.trade(25, at=500)]))
    assert (late.buffered, late.number) == (0, 1)


def test_a_fill_joins_the_large_group_of_its_window() -> None:
    books = Ingest()
    large = only(books.look(500, [books.trade(2_000)]))
    assert only(books.look(900, [books.trade(1, at=600)])).group_key == large.group_key


@pytest.mark.parametrize("usdc", [20, 2_000])
def test_the_opposite_side_ends_the_waiting_and_comes_after(usdc: int) -> None:
    books = Ingest()
    waiting = only(books.look(5_000, [books.trade(20)]))
    both = {one.kind: one for one in books.look(5_200, [books.trade(usdc, SELL, at=4_000)])}
    assert both[BUY].group_key == waiting.group_key
    assert both[BUY].frozen_at == both[BUY].detect_time == after(5_200) - TICK
    assert both[BUY].due_at == waiting.due_at - timedelta(milliseconds=400) - TICK
    assert (both[SELL].buffered, both[SELL].detect_time >= after(5_200)) == (usdc == 20, True)


def test_three_turns_in_one_reading_are_three_groups_in_their_order() -> None:
    books = Ingest()
    trades = [books.trade(20, kind, at=at) for kind, at in ((BUY, 0), (SELL, 2_000), (BUY, 4_000))]
    found = sorted(books.look(9_000, trades[::-1]), key=lambda one: (one.detect_time, one.group_key))
    assert [(one.kind, one.number, one.fills) for one in found] == [(BUY, 0, 1), (SELL, 1, 1), (BUY, 2, 1)]


def test_a_merge_ends_the_waiting_of_both_its_tokens() -> None:
    books = Ingest()
    books.look(5_000, [books.trade(20), books.trade(20, token="8")])
    done = books.look(5_200, [books.trade(5, GroupKind.MERGE, at=4_000)])
    assert {one.frozen_at for one in done if one.buffered} == {after(5_200) - TICK}
    assert books.waiting(after(5_200)) == {}


def test_sides_are_netted_at_the_price_of_the_side_that_is_left() -> None:
    books = Ingest(NET)
    books.look(5_000, [books.trade(20, price=500_000)])
    net = only(books.look(5_100, [books.trade(6, SELL, at=2_500, price=600_000)]))
    assert (net.kind, net.shares, net.notional, net.price) == (BUY, 30 * ONE, 15 * ONE, 500_000)
    turned = only(books.look(5_200, [books.trade(24, SELL, at=4_500, price=600_000)]))
    assert (turned.kind, turned.shares, turned.notional, turned.price) == (SELL, 10 * ONE, 6 * ONE, 600_000)
    assert (turned.buffered, turned.fills) == (3, 3)


def test_what_cancels_out_is_nothing_and_still_closes() -> None:
    books = Ingest(NET)
    books.look(5_000, [books.trade(20)])
    nothing = only(books.look(5_100, [books.trade(20, SELL, at=2_500)]))
    assert (nothing.shares, nothing.notional, nothing.price, nothing.source) == (0, 0, 500_000, Source.BUFFER)
    assert nothing.frozen_at == after(5_700)


def test_a_large_sale_that_is_mostly_netted_goes_on_waiting() -> None:
    books = Ingest(NET)
    books.look(5_000, [books.trade(24)])
    left = only(books.look(5_100, [books.trade(30, SELL, at=2_500)]))
    assert (left.kind, left.notional, left.source) == (SELL, 6 * ONE, Source.BUFFER)
    assert left.frozen_at == after(5_700)


def test_by_budget_small_is_what_is_small_at_the_highest_rate() -> None:
    budget = {"sizing_mode": "budgeted_dynamic", "budgeted_dynamic_enabled": True, "budget_micros": ONE}
    books = Ingest(rules(**budget, budget_rate_max_ppm=20_000))
    assert only(books.look(5_000, [books.trade(12)])).buffered == 1
    assert only(books.look(9_000, [books.trade(12.5, at=6_000)])).buffered == 0


def test_switched_off_nothing_waits() -> None:
    books = Ingest(config())
    assert only(books.look(5_000, [books.trade(0.01)])).buffered == 0


def test_under_shorter_rules_it_closes_at_once_and_not_in_the_past() -> None:
    """What was detected before now may have been decided; nothing may come to stand before it."""
    books = Ingest(rules(longest_ms=60_000, quiet_ms=30_000))
    books.look(5_000, [books.trade(20)])
    books.rules = Ingest(rules(longest_ms=1_000)).rules
    assert only(books.look(9_000, [books.trade(2, at=6_000)])).detect_time == after(9_000)


def test_when_switched_off_in_between_what_waits_closes_by_itself() -> None:
    books = Ingest()
    waiting = only(books.look(5_000, [books.trade(20)]))
    off = Ingest(config())
    books.rules = off.rules
    assert only(books.look(5_100, [books.trade(20, at=2_500)])).buffered == 0
    assert books.groups[waiting.group_key] == waiting._replace(new=False)
