"""What a decision brings about: entries, fills, and what becomes of splits, merges, redemptions and conversions."""

from __future__ import annotations

from typing import Any

import pytest

from domain.copytrade.decide import decide
from domain.copytrade.decisions import Decision
from domain.copytrade.entries import EntryType, Scope
from domain.copytrade.groups import GroupKind
from domain.copytrade.portfolio import Portfolio, exposure, post
from domain.copytrade.reasons import Reason
from tests.copy_lab import (
    DEEP,
    FEES,
    FLAGS,
    LEADER,
    MARKET,
    NO,
    OTHER,
    USDC,
    YES,
    bankroll,
    book,
    config,
    decided,
    entry,
    group,
    guard,
    holding,
    inputs,
    marks,
    reasons,
)

FILL = EntryType.TRADE_FILL


def test_purchase_over_two_levels_is_one_line_and_one_for_the_fee() -> None:
    """CT-113: a fill per level, one line for the sum."""
    given = inputs(book({499: 10_000}, {500: 10, 505: 10_000}), market=MARKET._replace(fees=FEES))
    made = decided(given=given)
    assert [(fill.level, fill.shares, fill.price, fill.notional, fill.fee) for fill in made.fills] == [
        (0, 10 * USDC, 500_000, 5 * USDC, 175_000),
        (1, 9_900_990, 505_000, 5 * USDC, 173_250),
    ]
    fill, fee = made.entries
    assert (fill.kind, fill.token_id, fill.shares, fill.cash, fill.price) == (
        FILL,
        YES,
        19_900_990,
        -10 * USDC,
        502_488,
    )
    assert (fee.kind, fee.token_id, fee.shares, fee.cash) == (EntryType.FEE, YES, 0, -348_250)
    assert {(one.ref_id, one.event_time) for one in made.entries} == {(group().group_key, group().due_at)}
    assert (made.fee, made.vwap, made.slippage, made.mid) == (348_250, 502_488, 2_488, 499_500)


def test_sale_brings_cash_and_a_worse_price_is_a_cost() -> None:
    made = decided(group(GroupKind.SELL), having=holding(shares=100))
    assert (made.vwap, made.slippage, made.filled, made.shares) == (495_000, 5_000, 9_900_000, 20 * USDC)
    assert [(one.shares, one.cash) for one in made.entries] == [(-20 * USDC, 9_900_000)]


def test_better_price_than_theirs_is_a_negative_cost() -> None:
    made = decided(group(price=510_000, notional=1_020 * USDC))
    assert made.slippage == -5_000


def test_skip_has_no_fills_and_no_entries_but_all_numbers() -> None:
    made = decided(given=inputs(flags=FLAGS._replace(paused=True)))
    assert (made.decision, made.fills, made.entries, made.filled, made.ratio_bps) == ("SKIP", (), (), 0, 0)
    assert (made.target, made.mid, guard(made, "depth").actual) == (10 * USDC, 500_000, 10_150 * USDC)
    assert (made.vwap, made.slippage, made.fee) == (None, None, 0)


def test_book_of_another_market_is_no_book() -> None:
    assert reasons(decided(given=inputs(DEEP._replace(token_id=OTHER)))) == [Reason.BOOK_UNAVAILABLE]


def test_book_of_the_other_outcome_is_seen_in_the_mirror() -> None:
    straight = decided()
    mirrored = decided(given=inputs(book({495: 10_000, 490: 10_000}, {505: 10_000, 510: 10_000}, NO)))
    assert (mirrored.fills, mirrored.mid) == (straight.fills, straight.mid)


def test_shadow_decides_nothing() -> None:
    with pytest.raises(ValueError, match="shadow"):
        decide(group(), inputs(), bankroll(), Scope.SHADOW_USER)


def test_portfolio_seen_is_told() -> None:
    made = decided(group(GroupKind.SELL), inputs(marks=marks(t333=600_000)), holding(shares=100))
    assert (made.before.cash, made.before.equity, made.before.exposure) == (9_950 * USDC, 10_000 * USDC, 50 * USDC)
    assert made.before.unpriced == 0
    assert decided(group(GroupKind.SELL), inputs(None), holding(shares=100)).before.unpriced == 1


def test_ten_groups_at_once_stop_at_the_cap_in_their_order() -> None:
    """B4 8: 5 % of 10,000 in a market is room for six of 75; fees and spread may not open room for a seventh."""
    portfolio, done = bankroll(), []
    for number in range(10):
        of = group(shares=100_000, group_key=f"g{number}", notional=50_000 * USDC)
        made = decided(of, inputs(market=MARKET._replace(fees=FEES)), portfolio)
        portfolio, _ = post(portfolio, made.entries)
        done.append(made.decision)
        assert exposure(portfolio, {YES: 500_000}) <= 500 * USDC
    assert done == ["EXECUTE"] * 6 + ["SKIP"] * 4


# Pairs.


def both(yes: int, no: int, yes_cost: int = 600_000, no_cost: int = 380_000) -> Portfolio:
    """Whole shares of both outcomes, bought at these prices."""
    bought = [
        entry(FILL, token, shares * USDC, -shares * cost)
        for token, shares, cost in ((YES, yes, yes_cost), (NO, no, no_cost))
        if shares
    ]
    return post(bankroll(), bought, LEADER)[0]


def moved(made: Decision) -> list[tuple[str, str, int, int]]:
    return [(one.kind.value, one.token_id, one.shares, one.cash) for one in made.entries]


SPLIT, MERGE = group(GroupKind.SPLIT, 1_000), group(GroupKind.MERGE, 1_000)


def test_split_turns_cash_into_both_outcomes() -> None:
    made = decided(SPLIT, inputs(None))
    assert moved(made) == [("SPLIT", YES, 10 * USDC, -5 * USDC), ("SPLIT", NO, 10 * USDC, -5 * USDC)]
    assert (made.filled, made.shares, made.ratio_bps, made.fee) == (10 * USDC, 10 * USDC, 10_000, 0)


@pytest.mark.parametrize("known", [{"t111": 700_000}, {"t222": 300_000}], ids=str)
def test_split_divides_its_cost_by_the_marks(known: dict[str, int]) -> None:
    made = decided(SPLIT, inputs(None, marks=marks(**known)))
    assert [one.cash for one in made.entries] == [-7 * USDC, -3 * USDC]


def test_split_without_collateral_is_not_applicable() -> None:
    given = inputs(None, config(max_total_exposure_bps=10_000, max_exposure_per_market_bps=10_000), marks=marks(t333=1))
    spent = post(bankroll(), [entry(FILL, OTHER, USDC, -9_995 * USDC)])[0]
    made = decided(SPLIT, given._replace(marks={}), spent)
    assert Reason.MERGE_SPLIT_NOT_APPLICABLE in made.reasons
    assert Reason.INSUFFICIENT_CASH in made.reasons


def test_split_opens_so_caps_and_age_apply() -> None:
    made = decided(SPLIT, inputs(None, config(max_exposure_per_market_bps=0)))
    assert reasons(made) == [Reason.RISK_CAP_USER]
    assert reasons(decided(SPLIT, inputs(None, flags=FLAGS._replace(mode="reduce_only")))) == [Reason.USER_DISABLED]


def test_merge_of_both_legs_pays_a_dollar_a_pair() -> None:
    made = decided(MERGE, inputs(None), both(50, 30))
    assert moved(made) == [("MERGE", YES, -10 * USDC, 6_122_448), ("MERGE", NO, -10 * USDC, 3_877_552)]
    after, booked = post(both(50, 30), made.entries, LEADER)
    assert [one.realised for one in booked] == [122_448, 77_552], "each leg gains in proportion to its cost"
    assert after.realised == 200_000


def test_merge_is_capped_by_the_smaller_leg() -> None:
    made = decided(group(GroupKind.MERGE, 10_000), inputs(None), both(50, 30))
    assert (made.shares, made.target) == (30 * USDC, 30 * USDC)


def test_merge_of_free_shares_is_divided_in_halves() -> None:
    free = post(bankroll(), [entry(EntryType.DEPOSIT, token, 10 * USDC + 1) for token in (YES, NO)], LEADER)[0]
    made = decided(group(GroupKind.MERGE, 100_000), inputs(None), free)
    assert [one.cash for one in made.entries] == [5 * USDC, 5 * USDC + 1]


def test_merge_reduces_so_losses_and_age_do_not_stop_it() -> None:
    latched = both(50, 30)._replace(latched=True)
    given = inputs(None, requested_at=SPLIT.due_at.replace(year=2027), flags=FLAGS._replace(mode="reduce_only"))
    assert decided(MERGE, given, latched).decision == "EXECUTE"


@pytest.mark.parametrize("of", [MERGE, group(GroupKind.REDEEM, 1_000)], ids=lambda of: of.kind)
@pytest.mark.parametrize("policy", ["hold", "skip"])
def test_one_leg_is_held_to_settlement(of: Any, policy: Any) -> None:
    made = decided(of, inputs(flags=FLAGS._replace(leg_policy=policy)), holding())
    assert reasons(made) == [Reason.MERGE_SPLIT_NOT_APPLICABLE]


@pytest.mark.parametrize("of", [MERGE, group(GroupKind.REDEEM, 1_000)], ids=lambda of: of.kind)
def test_one_leg_is_sold_when_the_policy_says_so(of: Any) -> None:
    made = decided(of, inputs(flags=FLAGS._replace(leg_policy="sell_held")), holding(NO))
    assert (made.decision, made.slippage) == ("EXECUTE", None)
    assert [(one.token_id, one.shares) for one in made.entries] == [(NO, -made.shares)]
    assert guard(made, "vs_their_fill").limit is None
    assert guard(made, "vs_mid").limit == 485_000


def test_leg_that_nobody_bids_for_is_kept() -> None:
    made = decided(MERGE, inputs(None, flags=FLAGS._replace(leg_policy="sell_held")), holding(NO))
    assert reasons(made) == [Reason.BOOK_UNAVAILABLE]


@pytest.mark.parametrize("of", [MERGE, group(GroupKind.REDEEM, 1_000), group(GroupKind.CONVERSION, 1_000)])
def test_event_without_a_counterpart_is_not_applicable(of: Any) -> None:
    made = decided(of, inputs(None))
    assert reasons(made) == [Reason.MERGE_SPLIT_NOT_APPLICABLE]


def test_conversion_is_never_copied() -> None:
    made = decided(group(GroupKind.CONVERSION, 1_000), inputs(flags=FLAGS._replace(leg_policy="sell_held")), holding())
    assert reasons(made) == [Reason.MERGE_SPLIT_NOT_APPLICABLE]


def test_split_of_unknown_legs_is_not_applicable() -> None:
    assert reasons(decided(SPLIT._replace(token_ids=()), inputs(None))) == [Reason.MERGE_SPLIT_NOT_APPLICABLE]


def test_global_portfolio_merges_only_what_it_holds_for_that_leader() -> None:
    mixed = post(both(50, 0), [entry(FILL, NO, 30 * USDC, -12 * USDC)], "another")[0]
    assert decided(MERGE, inputs(None), mixed).decision == "EXECUTE"
    assert reasons(decided(MERGE, inputs(None), mixed, scope=Scope.EXEC_GLOBAL)) == [Reason.MERGE_SPLIT_NOT_APPLICABLE]
