"""Bookings of copied trades: average cost makes and loses no micro, whatever the order of entries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.copytrade.entries import Entry, EntryType
from domain.copytrade.portfolio import Holding, Portfolio, book, pnl, post, unrealised
from domain.copytrade.venue import ONE
from tests.copy_lab import LEADER, NO, YES, entry

MOVES = st.lists(
    st.tuples(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9), st.sampled_from([YES, NO, ""])), max_size=25
)


def moves_of(moves: list[tuple[int, int, str]]) -> list[Entry]:
    return [entry(EntryType.TRADE_FILL, token, shares if token else 0, cash) for shares, cash, token in moves]


@given(MOVES, st.integers(0, 10**12), st.dictionaries(st.sampled_from([YES, NO]), st.integers(0, ONE)))
def test_average_cost_neither_makes_nor_loses_a_micro(
    moves: list[tuple[int, int, str]], deposit: int, marks: dict[str, int]
) -> None:
    entries = [entry(EntryType.DEPOSIT, cash=deposit), *moves_of(moves)]
    portfolio, booked = post(Portfolio(), entries)
    for one, done in zip(entries[1:], booked[1:], strict=True):
        assert one.cash + done.cost_delta == done.realised
    costs = sum(held.cost for held in portfolio.holdings.values())
    assert portfolio.cash + costs == portfolio.contributed + portfolio.realised
    assert pnl(portfolio, marks) == portfolio.realised + unrealised(portfolio, marks)
    assert all(held.cost == 0 for held in portfolio.holdings.values() if held.shares == 0)
    assert sum(one.cost_delta for one in booked) == costs


@given(MOVES)
def test_round_trip_turns_all_of_it_into_cash(moves: list[tuple[int, int, str]]) -> None:
    """Whatever happened in between, a position that is flat has realised exactly its cash."""
    held, cash = Holding(), 0
    for shares, money, _ in moves:
        held, cash = book(held, entry(EntryType.TRADE_FILL, YES, shares, money)).holding, cash + money
    flat = book(held, entry(EntryType.TRADE_FILL, YES, -held.shares, 7)).holding
    assert (flat.shares, flat.cost, flat.realised) == (0, 0, cash + 7)


@given(MOVES)
def test_booking_one_by_one_or_all_at_once_is_the_same(moves: list[tuple[int, int, str]]) -> None:
    entries = moves_of(moves)
    at_once, _ = post(Portfolio(), entries, LEADER)
    singly = Portfolio()
    for one in entries:
        singly, _ = post(singly, [one], LEADER)
    assert singly == at_once
