"""Which addresses are swept, and whether custody covers what is owed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.exchange.custody import (
    MOVES,
    AddressBalance,
    Solvency,
    Wallets,
    choose_sweeps,
    move_transfer,
    sweep_transfer,
)
from domain.shared.ledger import custody


def balances(*micros: int) -> list[AddressBalance]:
    return [AddressBalance(address=f"0x{n:040x}", micros=m) for n, m in enumerate(micros)]


def chosen(*micros: int, at_least: int = 10, needed: int | None = None) -> list[int]:
    return [b.micros for b in choose_sweeps(balances(*micros), at_least=at_least, needed=needed)]


def test_upkeep_takes_everything_worth_its_gas_largest_first() -> None:
    assert chosen(5, 10, 30, 0, 9, 20) == [30, 20, 10]


def test_when_money_is_needed_the_fewest_addresses_give_it() -> None:
    assert chosen(5, 10, 30, 20, needed=45) == [30, 20]
    assert chosen(5, 10, 30, 20, needed=50) == [30, 20]
    assert chosen(5, 10, 30, 20, needed=51) == [30, 20, 10]


def test_when_money_is_needed_small_balances_count_too() -> None:
    assert chosen(5, 4, needed=6) == [5, 4]


def test_nothing_needed_nothing_swept() -> None:
    assert chosen(50, needed=0) == []
    assert chosen(50, needed=-5) == []


def test_what_is_not_there_cannot_be_swept() -> None:
    assert chosen(needed=5) == []
    assert chosen(0, 0, needed=5) == []
    assert chosen(3, 3, needed=100) == [3, 3]


def test_equal_balances_are_taken_in_a_fixed_order() -> None:
    same = balances(7, 7, 7)
    assert choose_sweeps(same[::-1], at_least=1) == same


@given(st.lists(st.integers(0, 1000), max_size=20), st.integers(1, 5000))
def test_a_choice_covers_the_need_or_takes_all_and_nothing_more(micros: list[int], needed: int) -> None:
    taken = chosen(*micros, needed=needed)
    assert sum(taken) >= min(needed, sum(micros))
    assert not taken or sum(taken[:-1]) < needed
    assert taken == sorted(taken, reverse=True)


def test_a_sweep_moves_between_our_own_wallets_only() -> None:
    transfer = sweep_transfer("s", 42161, 9, "0xaa")
    lines = {p.account: p.amount for p in transfer.postings}
    assert lines == {custody(42161, "hot"): -9, custody(42161, "deposits"): 9}, "what we hold is negative"
    assert transfer.key == "sweep:s"


@pytest.mark.parametrize(
    ("held", "in_flight", "owed", "ok"),
    [(100, 0, 100, True), (99, 0, 100, False), (90, 10, 100, True), (0, 0, 0, True)],
)
def test_solvent_means_that_custody_and_what_is_on_its_way_cover_what_is_owed(
    held: int, in_flight: int, owed: int, ok: bool
) -> None:
    assert Solvency(block_number=1, custody=held, in_flight=in_flight, liabilities=owed).ok is ok


@pytest.mark.parametrize(
    ("reason", "grows", "shrinks"),
    [
        ("cold_refill", "hot", "cold"),
        ("moved_to_cold", "cold", "hot"),
        ("unrecorded_sweep", "hot", "deposits"),
        ("rescued_to_cold", "cold", "deposits"),
    ],
)
def test_a_move_between_our_wallets_touches_custody_alone(reason: str, grows: str, shrinks: str) -> None:
    booked = move_transfer(reason, "deposit:1:0xab:0", 1, 5, "0xab:0")
    assert {p.account: -p.amount for p in booked.postings} == {custody(1, grows): 5, custody(1, shrinks): -5}
    assert booked.kind == "custody_move"
    assert MOVES[reason][:2] == (shrinks, grows)


def test_customers_money_lies_in_hot_and_cold_not_in_the_gas_wallet() -> None:
    assert Wallets(hot="0xh", gas="0xg", cold="0xc").holding == {"0xh", "0xc"}
    assert Wallets(hot="0xh", gas="0xh").holding == {"0xh"}, "one wallet may do both"
