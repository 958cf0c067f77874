"""How much is copied: the rate, the clamps, the position, the budget (CT-080…084, 203, CG-032, 047, 058, B4 27…29)."""

from __future__ import annotations

from typing import Any

import pytest

from domain.copytrade.decisions import Sizes
from domain.copytrade.entries import EntryType, Scope
from domain.copytrade.groups import GroupKind, Source
from domain.copytrade.portfolio import Portfolio, post
from domain.copytrade.reasons import Reason
from tests.copy_lab import (
    LEADER,
    USDC,
    YES,
    bankroll,
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

SELL = GroupKind.SELL


def sized(shares: int, portfolio: Portfolio | None = None, kind: GroupKind = GroupKind.BUY, **keys: Any) -> Sizes:
    """The sizes of a leader's trade of so many shares at 0.50."""
    return decided(group(kind, shares), inputs(rules=config(**keys)), portfolio).sizing


def test_target_is_one_percent_rounded_down() -> None:
    of = group(shares=2_000, notional=1_000_000_199, price=500_000)
    assert decided(of).target == 10_000_001


def test_small_target_is_lifted_to_the_minimum_and_says_so() -> None:
    small = sized(20)
    assert (small.wanted, small.target, small.clamped) == (100_000, 5 * USDC, "minimum")


def test_large_target_is_cut_to_the_share_of_the_bankroll() -> None:
    large = sized(100_000)
    assert (large.wanted, large.target, large.clamped) == (500 * USDC, 75 * USDC, "maximum")
    assert (large.bankroll_cap, large.maximum) == (75 * USDC, 75 * USDC)


def test_large_target_is_cut_to_250_when_the_bankroll_is_large() -> None:
    large = sized(1_000_000, bankroll(100_000 * USDC))
    assert (large.target, large.bankroll_cap) == (250 * USDC, 750 * USDC)


def test_below_minimum_can_be_skipped_instead() -> None:
    made = decided(group(shares=20), inputs(rules=config(below_minimum="skip")))
    assert (made.target, made.clamped, reasons(made)) == (100_000, "", [Reason.BELOW_MIN_NOTIONAL])


@pytest.mark.parametrize(("amount", "executes"), [(666_666_666, False), (666_666_667, True), (0, False)])
def test_bankroll_too_small_for_the_minimum_skips(amount: int, executes: bool) -> None:
    made = decided(having=bankroll(amount))
    assert (made.decision == "EXECUTE") is executes
    assert executes or Reason.BELOW_MIN_NOTIONAL in made.reasons


def test_venue_takes_no_purchase_under_one_dollar() -> None:
    tiny = sized(20, min_trade_notional_micros=0)
    assert (tiny.minimum, tiny.target, tiny.clamped) == (USDC, USDC, "minimum")
    skipped = decided(group(shares=20), inputs(rules=config(min_trade_notional_micros=0, below_minimum="skip")))
    assert reasons(skipped) == [Reason.BELOW_MIN_NOTIONAL]


def test_sale_is_sized_by_their_notional_in_shares_at_their_price() -> None:
    sale = sized(2_000, holding(shares=100), SELL)
    assert (sale.sized, sale.sized_shares, sale.target_shares) == (10 * USDC, 20 * USDC, 20 * USDC)


def test_sale_never_exceeds_the_position() -> None:
    sale = sized(100_000, holding(shares=60), SELL)
    assert (sale.sized_shares, sale.held_shares, sale.target_shares) == (150 * USDC, 60 * USDC, 60 * USDC)
    assert sale.target == 30 * USDC


def test_small_sale_is_lifted_to_the_minimum_within_the_position() -> None:
    sale = sized(20, holding(shares=100), SELL)
    assert (sale.target_shares, sale.clamped) == (10 * USDC, "minimum")


@pytest.mark.parametrize("policy", ["clamp", "skip"])
def test_dust_is_sold_whole_below_the_minimum(policy: str) -> None:
    made = decided(group(SELL, 20), inputs(rules=config(below_minimum=policy)), holding(shares=9))
    assert (made.decision, made.shares, made.sizing.closes_dust) == ("EXECUTE", 9 * USDC, True)


def test_small_bankroll_never_traps_a_position() -> None:
    """0.75 % of 200 is below the minimum: nothing is opened, and what is held can still be sold."""
    made = decided(group(SELL, 100_000), having=holding(shares=100, amount=200 * USDC))
    assert (made.decision, made.shares) == ("EXECUTE", 10 * USDC)


def test_purchase_is_counted_at_our_price_so_it_stays_within_its_target() -> None:
    """B4 29: 1 % of 2,000 shares would be 20 shares; at our 0.505 they would cost 10.10."""
    made = decided()
    assert made.filled <= made.target == 10 * USDC
    assert made.shares == 19_801_980


BUDGET = {"sizing_mode": "budgeted_dynamic", "budgeted_dynamic_enabled": True, "budget_micros": 100 * USDC}
ON = config(budgeted_dynamic_enabled=True)


def budgeted(exposure: int | None, portfolio: Portfolio | None = None, shares: int = 200_000, **keys: Any) -> Sizes:
    given = inputs(rules=config(ON, **(BUDGET | keys)), general=ON, leader_exposure=exposure)
    return decided(group(shares=shares), given, portfolio).sizing


def test_budget_gives_its_part_of_the_leaders_exposure() -> None:
    sizes = budgeted(50_000 * USDC, shares=10_000)
    assert (sizes.mode, sizes.rate_ppm, sizes.wanted) == ("budgeted_dynamic", 2_000, 10 * USDC)


@pytest.mark.parametrize(
    ("exposure", "rate_ppm"), [(0, 10_000), (-5, 10_000), (1, 10_000), (10**13, 500), (None, 500)], ids=str
)
def test_budget_rate_stays_between_its_bounds(exposure: int | None, rate_ppm: int) -> None:
    assert budgeted(exposure, budget_rate_min_ppm=500).rate_ppm == rate_ppm


def test_whales_rate_is_told_in_full_and_its_target_is_not_lifted() -> None:
    """B4 27: a budget of 100 against 2,500,000 is 0.4 bps."""
    given = inputs(rules=config(ON, **BUDGET), general=ON, leader_exposure=2_500_000 * USDC)
    made = decided(group(shares=200_000), given)
    assert (made.sizing.rate_ppm, made.target, made.clamped) == (40, 4 * USDC, "")
    assert reasons(made) == [Reason.BELOW_MIN_NOTIONAL]


def test_hard_budget_cuts_to_its_headroom() -> None:
    sizes = budgeted(10_000 * USDC, holding(shares=120), shares=100_000)
    assert (sizes.own_exposure, sizes.headroom, sizes.sized, sizes.target) == (
        60 * USDC,
        40 * USDC,
        75 * USDC,
        40 * USDC,
    )


def test_hard_budget_without_room_for_the_minimum_skips() -> None:
    given = inputs(rules=config(ON, **BUDGET), general=ON, leader_exposure=10_000 * USDC)
    made = decided(group(shares=100_000), given, holding(shares=191))
    assert (made.sizing.headroom, reasons(made)) == (4_500_000, [Reason.BUDGET_HARD_CAP_EXCEEDED])


def test_soft_budget_has_no_cap() -> None:
    sizes = budgeted(10_000 * USDC, holding(shares=300), shares=100_000, budget_enforcement="soft")
    assert (sizes.headroom, sizes.target) == (None, sizes.sized)


def test_full_budget_never_holds_back_a_sale() -> None:
    given = inputs(rules=config(ON, **BUDGET), general=ON, leader_exposure=10_000 * USDC)
    assert decided(group(SELL, 10_000), given, holding(shares=300)).decision == "EXECUTE"


def test_budget_in_the_global_portfolio_counts_this_leaders_part() -> None:
    mixed, _ = post(holding(shares=20), [entry(EntryType.TRADE_FILL, YES, 200 * USDC, -100 * USDC)], "another")
    given = inputs(rules=config(ON, **BUDGET), general=ON, leader_exposure=10_000 * USDC)
    sizes = decided(group(shares=100_000), given, mixed, scope=Scope.EXEC_GLOBAL).sizing
    assert (sizes.own_exposure, sizes.headroom) == (10 * USDC, 90 * USDC)


@pytest.mark.parametrize("general", [config(), config(sizing_mode="budgeted_dynamic")], ids=["off", "off, same mode"])
def test_budgets_can_be_switched_off_for_all(general: Any) -> None:
    given = inputs(rules=config(ON, **BUDGET), general=general, leader_exposure=50_000 * USDC)
    assert decided(group(shares=10_000), given).sizing.mode == "fixed_rate"


def test_leaders_small_trades_can_be_ignored() -> None:
    made = decided(given=inputs(rules=config(min_leader_trade_notional_micros=1_000_000_001)))
    assert reasons(made) == [Reason.LEADER_TRADE_BELOW_MIN_NOTIONAL]
    assert decided(given=inputs(rules=config(min_leader_trade_notional_micros=1_000 * USDC))).decision == "EXECUTE"


def test_waiting_small_trades_have_their_own_minimum_and_are_not_lifted() -> None:
    enough = decided(group(shares=40, source=Source.BUFFER, buffered=3))
    assert (enough.decision, enough.target, enough.sizing.minimum) == ("EXECUTE", 200_000, 100_000)
    short = decided(group(shares=10, source=Source.BUFFER, buffered=2))
    assert (short.target, reasons(short)) == (50_000, [Reason.BUFFER_FLUSH_BELOW_MIN_EXEC])


@pytest.mark.parametrize("kind", [GroupKind.BUY, GroupKind.SELL])
def test_small_trades_that_cancelled_out_are_skipped_as_buffered(kind: GroupKind) -> None:
    nothing = group(kind, shares=0, source=Source.BUFFER, buffered=2, price=500_000)
    made = decided(nothing, having=holding())
    assert reasons(made) == [Reason.BUFFERED, Reason.BUFFER_FLUSH_BELOW_MIN_EXEC]
    assert guard(made, "buffer").actual == 0


def test_small_trades_taken_along_by_a_large_one_are_sized_as_an_ordinary_group() -> None:
    alone, together = decided(group(shares=60)), decided(group(shares=60, buffered=2))
    assert (together.target, together.clamped) == (alone.target, "minimum")


def test_trade_of_nothing_is_not_lifted_into_something() -> None:
    made = decided(group(shares=0))
    assert (made.decision, Reason.BELOW_MIN_NOTIONAL in made.reasons) == ("SKIP", True)


def test_held_tokens_are_valued_at_their_marks_for_the_bankroll() -> None:
    """Equity, not cash, is what 0.75 % is taken of; the decision's own book is the newest mark of its token."""
    portfolio = post(holding("333", shares=100, price=500_000), [], LEADER)[0]
    sizes = decided(group(shares=100_000), inputs(marks=marks(t333=900_000)), portfolio).sizing
    assert sizes.equity == 10_040 * USDC
    own = decided(group(shares=100_000), inputs(marks=marks(t111=900_000)), holding(shares=100)).sizing
    assert own.equity == 10_000 * USDC
