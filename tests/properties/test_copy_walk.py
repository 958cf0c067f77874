"""The walk through a book: it spends all it may, gives all it can, and never flatters."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import assume, given
from hypothesis import strategies as st

from domain.copytrade.fees import FREE, FeeRule, fee_of
from domain.copytrade.venue import ONE, Level, Side
from domain.copytrade.walk import buy, sell, vwap
from tests.copy_lab import YES
from tests.properties.copy_shapes import LEVELS, PRICES, RULES, SIZES


def best_first(levels: tuple[Level, ...], side: Side) -> tuple[Level, ...]:
    return tuple(sorted(levels, key=lambda level: level.price, reverse=side is Side.SELL))


@given(LEVELS, SIZES, st.integers(0, 10**12), RULES)
def test_purchase_spends_all_it_may_and_never_more(
    levels: tuple[Level, ...], target: int, cash: int, rule: FeeRule
) -> None:
    asks = best_first(levels, Side.BUY)
    walked = buy(YES, asks, target, cash, rule)
    assert walked.notional <= target
    assert walked.notional + walked.fee <= cash or not walked.fills
    for fill in walked.fills:
        assert 0 <= fill.notional - Fraction(fill.shares * fill.price, ONE) < 1
        assert fill.fee == fee_of(rule, fill.shares, fill.price)
    if walked.complete:
        last = walked.fills[-1]
        assert (target - walked.notional) * ONE < last.price + ONE * len(walked.fills), "one more share is too dear"
    elif cash >= 2 * (target + 10 * len(asks) + 10):
        assert walked.shares >= sum(level.size for level in asks) or walked.notional >= target - len(asks)


@given(LEVELS, LEVELS, SIZES, st.integers(0, 10**12), st.sampled_from(list(Side)))
def test_more_liquidity_never_makes_it_worse(
    levels: tuple[Level, ...], more: tuple[Level, ...], amount: int, cash: int, side: Side
) -> None:
    """For the same money at least as many shares, for the same shares at least as much money."""
    if side is Side.BUY:
        thin = buy(YES, best_first(levels, side), amount, cash, FREE)
        thick = buy(YES, best_first(levels + more, side), amount, cash, FREE)
        slack = len(levels + more) * ONE // min((level.price for level in levels + more), default=ONE) + 1
        assert thick.shares >= thin.shares - slack, "rounding to whole micros apart"
    else:
        thin, thick = (sell(YES, best_first(some, side), amount, FREE) for some in (levels, levels + more))
        assert thick.shares >= thin.shares
        assert thick.notional >= thin.notional - len(levels + more)


@given(LEVELS, SIZES, RULES)
def test_sale_gives_all_it_can(levels: tuple[Level, ...], shares: int, rule: FeeRule) -> None:
    bids = best_first(levels, Side.SELL)
    walked = sell(YES, bids, shares, rule)
    assert walked.shares == min(shares, sum(level.size for level in bids))
    assert walked.complete == (walked.shares == shares and shares > 0)
    for fill in walked.fills:
        assert 0 <= Fraction(fill.shares * fill.price, ONE) - fill.notional < 1


@given(LEVELS, SIZES, st.sampled_from(list(Side)))
def test_average_lies_between_the_levels_and_never_flatters(levels: tuple[Level, ...], amount: int, side: Side) -> None:
    ordered = best_first(levels, side)
    walked = buy(YES, ordered, amount, 10**18, FREE) if side is Side.BUY else sell(YES, ordered, amount, FREE)
    average = vwap(walked.fills, side)
    assume(average is not None)
    assert average is not None
    exact = Fraction(sum(fill.shares * fill.price for fill in walked.fills), walked.shares)
    assert min(fill.price for fill in walked.fills) <= average <= max(fill.price for fill in walked.fills)
    assert 0 <= (average - exact if side is Side.BUY else exact - average) < 1


@given(st.integers(0, 10**15), PRICES, st.integers(0, 10**6), st.sampled_from([0, 1, 2, 3, None]))
def test_fee_is_within_half_a_step_of_the_formula(shares: int, price: int, rate: int, exponent: int | None) -> None:
    p = Fraction(price, ONE)
    curve = p if exponent is None else (p * (1 - p)) ** exponent
    exact = shares * Fraction(rate, ONE) * curve
    charged = fee_of(FeeRule(rate, exponent), shares, price)
    assert charged % 10 == 0
    assert charged == 0 if exact < 10 else abs(charged - exact) <= 5
