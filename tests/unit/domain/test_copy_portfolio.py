"""Average cost, contributions, exposure: by hand, with the numbers a reader can check."""

from __future__ import annotations

import pytest

from domain.copytrade.entries import EntryType
from domain.copytrade.portfolio import (
    Holding,
    Portfolio,
    book,
    equity,
    exposure,
    exposure_for,
    held_for,
    pnl,
    post,
    unrealised,
    value_at,
)
from tests.copy_lab import NO, USDC, YES, bankroll, entry

BUY, DEPOSIT, FEE = EntryType.TRADE_FILL, EntryType.DEPOSIT, EntryType.FEE


def test_buying_twice_gives_the_average_and_selling_takes_it_along() -> None:
    first = book(Holding(), entry(BUY, YES, 100 * USDC, -40 * USDC)).holding
    second = book(first, entry(BUY, YES, 100 * USDC, -60 * USDC)).holding
    sold = book(second, entry(BUY, YES, -50 * USDC, 35 * USDC))
    assert (second.shares, second.cost) == (200 * USDC, 100 * USDC)
    assert (sold.cost_delta, sold.realised) == (-25 * USDC, 10 * USDC)
    assert sold.holding == Holding(150 * USDC, 75 * USDC, 10 * USDC, "0xc0", 0)


def test_cost_of_a_third_is_rounded_down_and_the_last_share_takes_the_rest() -> None:
    held = Holding(3, 10)
    once = book(held, entry(BUY, YES, -1, 4))
    twice = book(once.holding, entry(BUY, YES, -1, 4))
    last = book(twice.holding, entry(BUY, YES, -1, 4))
    assert [one.cost_delta for one in (once, twice, last)] == [-3, -3, -4]
    assert last.holding == Holding(0, 0, 12 - 10, "0xc0", 0)


def test_fee_is_realised_by_its_token_and_counted_apart() -> None:
    after, (bought, charged) = post(bankroll(100), [entry(BUY, YES, 10, -50), entry(FEE, YES, 0, -3)])
    assert (charged.cost_delta, charged.realised) == (0, -3)
    assert (after.cash, after.realised, after.fees, after.holdings[YES].realised) == (47, -3, 3, -3)
    assert bought.holding.cost == 50


def test_reward_without_a_token_is_realised() -> None:
    after, _ = post(Portfolio(), [entry(BUY, cash=7)])
    assert (after.cash, after.realised, after.contributed) == (7, 7, 0)


def test_deposit_moves_no_profit() -> None:
    after, (done,) = post(bankroll(100), [entry(DEPOSIT, cash=50)])
    assert (after.cash, after.contributed, after.realised, pnl(after, {})) == (150, 150, 0, 0)
    assert (done.cost_delta, done.realised) == (0, 0)


def test_withdrawal_moves_no_profit() -> None:
    after, _ = post(bankroll(100), [entry(DEPOSIT, cash=-40)])
    assert (after.cash, after.contributed, pnl(after, {})) == (60, 60, 0)


def test_baseline_shares_count_as_contributed_at_their_price() -> None:
    """A leader's positions of before: profit starts at 0, and is what they do from then on."""
    after, (done,) = post(Portfolio(), [entry(DEPOSIT, YES, 100 * USDC, price=300_000)])
    assert (after.cash, after.contributed, done.cost_delta, done.realised) == (0, 30 * USDC, 30 * USDC, 0)
    assert pnl(after, {YES: 300_000}) == 0
    assert pnl(after, {YES: 350_000}) == 5 * USDC
    assert after.cash + after.holdings[YES].cost == after.contributed + after.realised


def test_baseline_of_unknown_price_counts_nothing() -> None:
    after, _ = post(Portfolio(), [entry(DEPOSIT, YES, 100)])
    assert (after.contributed, after.holdings[YES].cost) == (0, 0)


def test_baseline_that_comes_after_a_sale_closes_the_short() -> None:
    sold, _ = post(Portfolio(), [entry(BUY, YES, -10 * USDC, 5 * USDC)])
    before = pnl(sold, {YES: 600_000})
    after, _ = post(sold, [entry(DEPOSIT, YES, 10 * USDC, price=600_000)])
    assert pnl(after, {YES: 600_000}) == before == -1 * USDC
    assert (after.holdings[YES].shares, after.holdings[YES].cost, after.realised) == (0, 0, -1 * USDC)


def test_selling_what_was_never_seen_bought_is_a_short_whose_cost_is_what_it_brought() -> None:
    short = book(Holding(), entry(BUY, YES, -10 * USDC, 6 * USDC))
    assert (short.holding.shares, short.holding.cost, short.realised) == (-10 * USDC, -6 * USDC, 0)
    back = book(short.holding, entry(BUY, YES, 4 * USDC, -2 * USDC))
    assert (back.holding.cost, back.realised) == (-6 * USDC + 2_400_000, 400_000)


def test_trade_that_crosses_zero_is_two() -> None:
    """100 held at 0.40, 150 sold at 0.60: 100 of them realise 20, the other 50 are a short that brought 30."""
    crossed = book(Holding(100 * USDC, 40 * USDC), entry(BUY, YES, -150 * USDC, 90 * USDC))
    assert crossed.realised == 20 * USDC
    assert crossed.holding[:3] == (-50 * USDC, -30 * USDC, 20 * USDC)
    again = book(crossed.holding, entry(BUY, YES, 60 * USDC, -24 * USDC))
    assert again.realised == 10 * USDC
    assert again.holding[:3] == (10 * USDC, 4 * USDC, 30 * USDC)


def test_settlement_pays_and_is_counted() -> None:
    settled = book(Holding(10, 4, 1, "0xc0", 0), entry(EntryType.SETTLEMENT, YES, -10, 5, price=500_000))
    assert settled.holding == Holding(0, 0, 2, "0xc0", 1)


def test_split_and_merge_return_the_collateral_with_no_profit() -> None:
    legs = [entry(EntryType.SPLIT, YES, 10, -5), entry(EntryType.SPLIT, NO, 10, -5)]
    back = [entry(EntryType.MERGE, YES, -10, 5), entry(EntryType.MERGE, NO, -10, 5)]
    after, _ = post(bankroll(100), [*legs, *back])
    assert (after.cash, after.realised) == (100, 0)


def test_split_then_sell_one_leg_keeps_the_other() -> None:
    legs = [entry(EntryType.SPLIT, YES, 10 * USDC, -6 * USDC), entry(EntryType.SPLIT, NO, 10 * USDC, -4 * USDC)]
    after, _ = post(bankroll(), [*legs, entry(BUY, NO, -10 * USDC, 5 * USDC)])
    assert after.holdings[YES].shares == 10 * USDC
    assert (after.realised, pnl(after, {YES: 600_000})) == (1 * USDC, 1 * USDC)


def test_value_is_rounded_down_for_long_and_against_short() -> None:
    assert (value_at(3, 500_000), value_at(-3, 500_000)) == (1, -2)


def test_profit_is_realised_and_unrealised() -> None:
    after, _ = post(bankroll(), [entry(BUY, YES, 30, -10), entry(BUY, YES, -10, 5), entry(FEE, YES, 0, -1)])
    marks = {YES: 900_000}
    assert pnl(after, marks) == after.realised + unrealised(after, marks)


def test_position_without_a_mark_counts_at_cost_never_at_a_half() -> None:
    after, _ = post(bankroll(), [entry(BUY, YES, 100 * USDC, -10 * USDC)])
    assert equity(after, {}) == 10_000 * USDC
    assert exposure(after, {}) == 10 * USDC


def test_exposure_counts_long_positions_only() -> None:
    after, _ = post(Portfolio(), [entry(BUY, YES, 10 * USDC, -5 * USDC), entry(BUY, NO, -10 * USDC, 5 * USDC)])
    marks = {YES: 500_000, NO: 500_000}
    assert exposure(after, marks) == 5 * USDC
    assert exposure(after, marks, [NO]) == 0


def test_exposure_of_a_leader_is_his_part_of_each_position() -> None:
    one, _ = post(bankroll(), [entry(BUY, YES, 30 * USDC, -15 * USDC)], "anna")
    both, _ = post(one, [entry(BUY, YES, 10 * USDC, -5 * USDC)], "bert")
    marks = {YES: 600_000}
    assert (exposure_for(both, "anna", marks), exposure_for(both, "bert", marks)) == (18 * USDC, 6 * USDC)
    assert (held_for(both, "anna", YES), held_for(both, "bert", YES), held_for(both, "bert", NO)) == (
        30 * USDC,
        10 * USDC,
        0,
    )


def test_settlement_ends_every_leaders_part() -> None:
    one, _ = post(bankroll(), [entry(BUY, YES, 30, -15)], "anna")
    settled, _ = post(one, [entry(EntryType.SETTLEMENT, YES, -30, 30)])
    again, _ = post(settled, [entry(BUY, YES, 5, -3)], "bert")
    assert (held_for(again, "anna", YES), held_for(again, "bert", YES)) == (0, 5)
    assert held_for(one, "anna", YES) == 30, "the portfolio of before is as it was"


@pytest.mark.parametrize("shares", [0, 5])
def test_deposit_of_both_cash_and_shares_is_all_contribution(shares: int) -> None:
    after, _ = post(Portfolio(), [entry(DEPOSIT, YES if shares else "", shares * USDC, cash=7, price=200_000)])
    assert pnl(after, {YES: 200_000}) == 0
