"""Books: the order of levels, what is wrong with them, the mid."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.copytrade import books
from domain.copytrade.reasons import Reason
from domain.copytrade.venue import ONE, Book, Level

LEVELS = st.lists(st.tuples(st.integers(1, 99).map(lambda c: c * 10_000), st.integers(0, 10**9)), max_size=12)


def book(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> Book:
    sides = tuple(Level(*level) for level in bids), tuple(Level(*level) for level in asks)
    return Book("1", "0x" + "0" * 64, *sides, 0, "", 10_000, 5_000_000, False)


def test_worst_first_becomes_best_first() -> None:
    sent = book([(10_000, 5), (420_000, 7)], [(990_000, 5), (430_000, 9)])
    made = books.sorted_book(sent)
    assert made.bids == (Level(420_000, 7), Level(10_000, 5))
    assert made.asks == (Level(430_000, 9), Level(990_000, 5))
    assert books.touch(made) == (420_000, 430_000)
    assert books.spread(made) == 10_000


def test_equal_prices_are_one_level_and_empty_levels_are_none() -> None:
    made = books.sorted_book(book([(420_000, 7), (420_000, 3), (410_000, 0)], []))
    assert made.bids == (Level(420_000, 10),)


@given(LEVELS, LEVELS)
def test_sorting_keeps_every_share_and_happens_once(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> None:
    made = books.sorted_book(book(bids, asks))
    assert sum(level.size for level in made.bids) == sum(size for _, size in bids)
    assert books.sorted_book(made) == made
    assert all(a.price > b.price for a, b in zip(made.bids, made.bids[1:], strict=False))
    assert all(a.price < b.price for a, b in zip(made.asks, made.asks[1:], strict=False))


@given(LEVELS, LEVELS)
def test_a_mid_exists_exactly_when_nothing_is_wrong(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> None:
    made = books.sorted_book(book(bids, asks))
    mid, problem = books.mid(made), books.problem_of(made)
    assert (mid is None) == (problem is not None) == (books.spread(made) is None)
    if mid is not None:
        assert made.bids[0].price <= mid < made.asks[0].price
        assert books.mid_half_micros(made) in (2 * mid, 2 * mid + 1)


@pytest.mark.parametrize(
    ("bids", "asks", "problem"),
    [
        ([], [], Reason.ONE_SIDED_BOOK),
        ([(1, 1)], [], Reason.ONE_SIDED_BOOK),
        ([], [(1, 1)], Reason.ONE_SIDED_BOOK),
        ([(500_000, 1)], [(500_000, 1)], Reason.CROSSED_BOOK),
        ([(510_000, 1)], [(500_000, 1)], Reason.CROSSED_BOOK),
        ([(500_000, 1)], [(500_100, 1)], None),
    ],
)
def test_problems(bids: list[tuple[int, int]], asks: list[tuple[int, int]], problem: Reason | None) -> None:
    assert books.problem_of(book(bids, asks)) is problem


def test_the_mid_of_an_odd_sum_is_rounded_down_and_known_exactly() -> None:
    made = book([(420_000, 1)], [(420_001, 1)])
    assert books.mid(made) == 420_000
    assert books.mid_half_micros(made) == 840_001


@pytest.mark.parametrize(
    ("bid", "ask", "expected"),
    [(10_000, 990_000, True), (1_000, 999_000, True), (20_000, 990_000, False), (10_000, 980_000, False)],
)
def test_placeholders(bid: int, ask: int, expected: bool) -> None:
    assert books.is_placeholder(book([(bid, 1)], [(ask, 1)])) is expected


@pytest.mark.parametrize(
    ("price", "tick", "expected"),
    [(420_000, 10_000, True), (425_000, 10_000, False), (425_000, 5_000, True), (0, 10_000, False),
     (ONE, 10_000, False), (ONE - 100, 100, True), (420_000, 0, False)],
)  # fmt: skip
def test_ticks(price: int, tick: int, expected: bool) -> None:
    assert books.on_tick(price, tick) is expected
