"""What an attempt offers, and what its replacement must offer for a node to take it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.exchange.fees import FeePolicy, GasPrice, first_price, gas_with_margin, replacement_price

GWEI = 10**9
POLICY = FeePolicy(max_fee_cap=10 * GWEI, priority=1_000)


def test_a_first_offer_is_twice_the_base_fee_and_the_tip() -> None:
    assert first_price(GWEI, POLICY) == GasPrice(max_fee=2 * GWEI + 1_000, priority=1_000)
    assert first_price(0, FeePolicy(max_fee_cap=10 * GWEI, priority=0)) == GasPrice(max_fee=0, priority=0)


def test_no_offer_passes_the_cap() -> None:
    assert first_price(50 * GWEI, POLICY).max_fee == POLICY.max_fee_cap


@pytest.mark.parametrize(("last", "bumped"), [(8, 9), (1_000, 1_125), (1_001, 1_127), (1, 2), (GWEI, 1_125_000_000)])
def test_a_replacement_rounds_its_rise_up(last: int, bumped: int) -> None:
    offer = replacement_price(GasPrice(max_fee=last, priority=last), 0, FeePolicy(max_fee_cap=10 * GWEI, priority=0))
    assert offer == GasPrice(max_fee=bumped, priority=bumped)


def test_a_tip_of_zero_is_replaced_by_something() -> None:
    offer = replacement_price(GasPrice(max_fee=GWEI, priority=0), 0, FeePolicy(max_fee_cap=10 * GWEI, priority=0))
    assert offer is not None
    assert offer.priority == 1


def test_when_gas_rose_since_the_replacement_follows_it() -> None:
    offer = replacement_price(GasPrice(max_fee=GWEI, priority=1_000), 4 * GWEI, POLICY)
    assert offer is not None
    assert offer.max_fee == 8 * GWEI + 1_000


@pytest.mark.parametrize(("last", "possible"), [(8_888_888_888, True), (8_888_888_889, False), (10 * GWEI, False)])
def test_the_cap_ends_the_bidding(last: int, possible: bool) -> None:
    offer = replacement_price(GasPrice(max_fee=last, priority=0), 0, POLICY)
    assert (offer is not None) is possible


prices = st.builds(
    lambda top, tip: GasPrice(max_fee=top, priority=min(tip, top)), st.integers(1, 12 * GWEI), st.integers(0, 2 * GWEI)
)


@given(prices, st.integers(0, 12 * GWEI), st.integers(0, GWEI))
def test_every_replacement_is_an_eighth_up_on_both_and_within_the_cap(last: GasPrice, base: int, tip: int) -> None:
    policy = FeePolicy(max_fee_cap=10 * GWEI, priority=tip)
    offer = replacement_price(last, base, policy)
    if offer is None:
        assert last.max_fee * 1125 > policy.max_fee_cap * 1000
        return
    assert offer.max_fee * 1000 >= last.max_fee * 1125
    assert offer.priority * 1000 >= last.priority * 1125
    assert offer.priority > last.priority
    assert offer.priority <= offer.max_fee <= policy.max_fee_cap


@given(prices, st.integers(0, GWEI))
def test_bidding_ends(last: GasPrice, base: int) -> None:
    rounds = 0
    offer: GasPrice | None = last
    while offer is not None and rounds < 500:
        offer = replacement_price(offer, base, POLICY)
        rounds += 1
    assert offer is None


@given(st.integers(0, 10 * GWEI), st.integers(0, 20 * GWEI), st.integers(1, 20 * GWEI))
def test_no_offer_tips_more_than_it_pays_in_all(base: int, tip: int, cap: int) -> None:
    offer = first_price(base, FeePolicy(max_fee_cap=cap, priority=tip))
    assert offer.priority <= offer.max_fee <= cap


@pytest.mark.parametrize(("estimate", "limit"), [(21_000, 25_200), (1, 2), (0, 0), (100_001, 120_002)])
def test_gas_has_a_margin(estimate: int, limit: int) -> None:
    assert gas_with_margin(estimate) == limit
