"""Rows to canonical events: cash to the micro, fees from what the cash says, what is not booked and why."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.copytrade.normalise import Cash, Move, Recorded, Trade, Unfit, normalise
from domain.copytrade.venue import ActivityRow, Kind

ROW = ActivityRow(
    "0x" + "a" * 40, Kind.TRADE, "0xc", "7", "BUY", Decimal("22.84"), Decimal("12.16184"), Decimal("0.52"),
    "0x" + "1" * 64, 1_789_381_477,
)  # fmt: skip


def of(**more: object) -> object:
    return normalise(ROW._replace(**more))  # type: ignore[arg-type]


def test_the_captured_weather_fill_holds_its_fee() -> None:
    """polymarket.md 3.6: 22.84 · 0.52 + 0.05 · 22.84 · 0.52 · 0.48 = 12.16184."""
    trade = normalise(ROW)
    assert isinstance(trade, Trade)
    assert (trade.notional, trade.fee, trade.usdc) == (11_876_800, 285_040, 12_161_840)
    assert trade.cash is Cash.WITH_FEE


def test_the_second_captured_fill_holds_its_fee() -> None:
    trade = of(size=Decimal("7.44"), price=Decimal("0.9"), usdc_size=Decimal("6.72948"))
    assert isinstance(trade, Trade)
    assert (trade.notional, trade.fee) == (6_696_000, 33_480)


def test_a_maker_fill_has_no_fee() -> None:
    trade = of(usdc_size=Decimal("11.8768"))
    assert isinstance(trade, Trade)
    assert (trade.fee, trade.notional, trade.cash) == (0, 11_876_800, Cash.EXACT)


def test_a_ratio_price_is_rounding_and_no_fee() -> None:
    """A price of several levels is a ratio; the cash is exact and decides."""
    trade = of(size=Decimal(3), price=Decimal("0.3333333333333333"), usdc_size=Decimal(1))
    assert isinstance(trade, Trade)
    assert (trade.price, trade.notional, trade.fee) == (333_333, 1_000_000, 0)


@pytest.mark.parametrize(
    ("cash", "fee", "how"),
    [("11.59176", 285_040, Cash.LESS_FEE), ("11.8768", 0, Cash.EXACT), ("12.16184", 0, Cash.UNEXPLAINED)],
    ids=["net of the fee", "before the fee", "more than the shares are worth"],
)
def test_cash_of_a_sale_is_checked_against_both_hypotheses(cash: str, fee: int, how: Cash) -> None:
    trade = of(side="SELL", usdc_size=Decimal(cash))
    assert isinstance(trade, Trade)
    assert (trade.fee, trade.cash) == (fee, how)
    assert trade.usdc == int(Decimal(cash).scaleb(6))
    assert trade.notional - trade.fee == trade.usdc


def test_a_purchase_below_its_notional_is_shown_to_somebody() -> None:
    trade = of(usdc_size=Decimal("11.5"))
    assert isinstance(trade, Trade)
    assert trade.cash is Cash.UNEXPLAINED
    assert trade.usdc == trade.notional == 11_500_000


@given(st.integers(1, 10**12), st.integers(1, 999_999), st.integers(0, 72_000), st.sampled_from(["BUY", "SELL"]))
def test_cash_is_always_what_the_venue_says(shares: int, price: int, rate: int, side: str) -> None:
    """Whatever the fee, shares and cash are the venue's own, and notional and fee explain the cash."""
    notional = shares * price // 10**6
    fee = shares * price * (10**6 - price) * rate // 10**18 // 10 * 10
    cash = notional + fee if side == "BUY" else notional - fee
    if cash < 0:
        return
    trade = of(
        side=side, size=Decimal(shares).scaleb(-6), price=Decimal(price).scaleb(-6), usdc_size=Decimal(cash).scaleb(-6)
    )
    assert isinstance(trade, Trade)
    assert (trade.shares, trade.usdc) == (shares, cash)
    assert trade.notional + (trade.fee if side == "BUY" else -trade.fee) == cash
    assert trade.cash is not Cash.UNEXPLAINED
    assert abs(trade.fee - fee) <= 1 or trade.fee == 0


def test_a_float_s_last_digit_is_forgiven_and_a_seventh_decimal_is_not() -> None:
    trade = of(size=Decimal("22.840000000000003"))
    assert isinstance(trade, Trade)
    assert trade.shares == 22_840_000
    with pytest.raises(Unfit):
        of(size=Decimal("22.8400005"))


def test_combos_are_recorded_and_not_booked() -> None:
    assert of(is_combo=True) == Recorded("COMBO", 22_840_000, 12_161_840, "a combined position, not of one market")


@pytest.mark.parametrize("kind", [Kind.REWARD, Kind.MAKER_REBATE, Kind.YIELD, Kind.DEPOSIT, Kind.TIP])
def test_cash_without_a_position_is_recorded(kind: Kind) -> None:
    found = of(kind=kind, side="", token_id="", condition_id="", size=Decimal(5), usdc_size=Decimal(5))
    assert isinstance(found, Recorded)
    assert (found.kind, found.usdc) == (kind, 5_000_000)


def test_a_merge_of_nothing_is_nothing() -> None:
    assert of(kind=Kind.MERGE, token_id="", side="", size=Decimal(0), usdc_size=Decimal(0)) is None


def test_a_losing_redemption_is_something() -> None:
    found = of(kind=Kind.REDEEM, token_id="", side="", size=Decimal("3.5"), usdc_size=Decimal(0))
    assert found == Move(Kind.REDEEM, 3_500_000, 0)


def test_a_split_for_another_price_is_not_guessed() -> None:
    with pytest.raises(Unfit):
        of(kind=Kind.SPLIT, token_id="", side="", size=Decimal(10), usdc_size=Decimal(9))


def test_a_trade_without_cash_is_not_guessed() -> None:
    with pytest.raises(Unfit):
        of(usdc_size=None)
