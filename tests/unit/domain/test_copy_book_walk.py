"""Fees, bounds and the walk over a book: against captures and by hand."""

from __future__ import annotations

import pytest

from domain.copytrade.config import Guardrails
from domain.copytrade.fees import FREE, FeeRule, fee_of, fee_rule
from domain.copytrade.venue import FeeSchedule, Level, Side
from domain.copytrade.walk import band, bounds, buy, facing, ratio_bps, seen_from, sell, vwap
from tests.copy_lab import NO, USDC, YES, book

RULES = Guardrails()


@pytest.mark.parametrize(
    ("shares", "price", "rate", "fee", "usdc_size"),
    [
        (22_840_000, 520_000, 50_000, 285_040, 12_161_840),  # captured row of polymarket.md 1.1
        (7_440_000, 900_000, 50_000, 33_480, 6_729_480),  # the other capture of 3.6
        (25_000_000, 640_000, 70_000, 403_200, 16_403_200),  # log of 2.3
    ],
)
def test_fee_is_what_the_venue_charged(shares: int, price: int, rate: int, fee: int, usdc_size: int) -> None:
    charged = fee_of(FeeRule(rate, 1), shares, price)
    assert charged == fee
    assert shares * price // USDC + charged == usdc_size


@pytest.mark.parametrize(
    ("raw_ppm", "fee"), [(9, 0), (10, 10), (14, 10), (15, 20), (24, 20), (25, 30), (0, 0)], ids=str
)
def test_fee_has_five_decimals_half_up_and_less_than_one_step_is_free(raw_ppm: int, fee: int) -> None:
    """4 shares at a half: shares · p(1−p) is one USDC, so the rate in ppm is the fee in micros."""
    assert fee_of(FeeRule(raw_ppm, 1), 4 * USDC, 500_000) == fee


def test_exponent_two_squares_the_curve() -> None:
    assert fee_of(FeeRule(160_000, 2), USDC, 500_000) == 10_000


def test_fee_model_chooses_the_rule() -> None:
    schedule = FeeSchedule(70_000, 1)
    assert fee_rule(Guardrails(), schedule) == FeeRule(70_000, 1)
    assert fee_rule(Guardrails(), None) == FREE
    assert fee_rule(Guardrails(fee_model="zero"), schedule) == FREE
    fixed = fee_rule(Guardrails(fee_model="fixed", fixed_fee_ppm=2_000), schedule)
    assert fee_of(fixed, 100 * USDC, 250_000) == 50_000


def test_bound_is_the_tighter_of_both_checks() -> None:
    buying = bounds(Side.BUY, 500_000, 500_000, RULES, 1_000)
    selling = bounds(Side.SELL, 500_000, 500_000, RULES, 1_000)
    assert buying == (510_000, 515_000, 510_000)
    assert selling == (490_000, 485_000, 490_000)
    assert bounds(Side.BUY, 520_000, 500_000, RULES, 1_000).worst == 515_000


def test_bound_lies_on_the_grid_inside_the_market() -> None:
    assert bounds(Side.BUY, 503_300, 600_000, RULES, 10_000).worst == 510_000
    assert bounds(Side.SELL, 503_300, 400_000, RULES, 10_000).worst == 500_000
    assert bounds(Side.BUY, 995_000, 995_000, RULES, 1_000).worst == 999_000
    assert bounds(Side.SELL, 5_000, 5_000, RULES, 1_000).worst == 1_000


def test_bound_without_their_price_is_of_the_mid_alone() -> None:
    assert bounds(Side.SELL, None, 500_000, RULES, 1_000) == (None, 485_000, 485_000)


TWO = book({490: 100, 480: 100}, {500: 10, 505: 10, 520: 1_000})


def test_band_ends_at_the_bound() -> None:
    assert band(TWO, Side.BUY, 505_000) == TWO.asks[:2]
    assert band(TWO, Side.SELL, 485_000) == TWO.bids[:1]
    assert facing(TWO, Side.SELL) == TWO.bids


def test_purchase_spends_its_target_over_levels_and_rounds_what_is_paid_up() -> None:
    walked = buy(YES, TWO.asks, 8 * USDC, 1_000 * USDC, FREE)
    assert [(fill.shares, fill.price, fill.notional) for fill in walked.fills] == [
        (10 * USDC, 500_000, 5 * USDC),
        (5_940_594, 505_000, 3 * USDC),
    ]
    assert (walked.complete, walked.notional) == (True, 8 * USDC)


def test_purchase_is_partial_when_the_levels_end() -> None:
    walked = buy(YES, TWO.asks[:2], 100 * USDC, 1_000 * USDC, FREE)
    assert (walked.complete, walked.notional) == (False, 10_050_000)
    assert ratio_bps(walked.notional, 100 * USDC, complete=False) == 1_005


def test_purchase_never_costs_more_than_the_cash_with_its_fee() -> None:
    rule = FeeRule(70_000, 1)
    walked = buy(YES, (Level(500_000, 100 * USDC),), 20 * USDC, 20 * USDC, rule)
    assert not walked.complete
    assert 20 * USDC - 20 < walked.notional + walked.fee <= 20 * USDC
    assert ratio_bps(walked.notional, 20 * USDC, complete=False) == 9_661


def test_purchase_without_cash_or_target_is_nothing() -> None:
    assert buy(YES, TWO.asks, 10, 0, FREE) == ((), False)
    assert buy(YES, TWO.asks, 0, 10, FREE) == ((), False)
    assert buy(YES, (), 10, 10, FREE) == ((), False)


def test_sale_gives_shares_and_rounds_what_is_received_down() -> None:
    walked = sell(YES, (Level(333_333, 1), Level(333_332, 5 * USDC)), 3 * USDC, FREE)
    assert [(fill.shares, fill.notional) for fill in walked.fills] == [(1, 0), (2_999_999, 999_995)]
    assert walked.complete


def test_sale_is_partial_when_the_levels_end() -> None:
    walked = sell(YES, TWO.bids[:1], 400 * USDC, FREE)
    assert (walked.shares, walked.complete) == (100 * USDC, False)
    assert sell(YES, TWO.bids, 0, FREE) == ((), False)


def test_average_is_rounded_against_us() -> None:
    bought = buy(YES, (Level(500_000, 1 * USDC), Level(500_100, 2 * USDC)), 1_500_200, 10 * USDC, FREE)
    assert vwap(bought.fills, Side.BUY) == 500_067
    sold = sell(YES, (Level(500_100, 2 * USDC), Level(500_000, 1 * USDC)), 3 * USDC, FREE)
    assert vwap(sold.fills, Side.SELL) == 500_066
    assert vwap((), Side.BUY) is None


def test_ratio_is_whole_only_when_complete() -> None:
    assert ratio_bps(999_999, 1_000_000, complete=True) == 10_000
    assert ratio_bps(1_000_000, 1_000_000, complete=False) == 9_999
    assert ratio_bps(0, 0, complete=False) == 0


def test_other_outcomes_book_is_the_mirror() -> None:
    mirrored = seen_from(TWO, NO)
    assert mirrored.asks[0] == Level(510_000, 100 * USDC)
    assert mirrored.bids[0] == Level(500_000, 10 * USDC)
    assert seen_from(mirrored, YES) == TWO
    assert seen_from(TWO, YES) is TWO
