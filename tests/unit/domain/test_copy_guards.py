"""Each guard on its own, at its edge, and that all run whatever else fails (CT-090…103, CT-205, 206, CG-040…058)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain.copytrade.decisions import Decision
from domain.copytrade.entries import EntryType, Scope
from domain.copytrade.groups import GroupKind
from domain.copytrade.portfolio import Base, Portfolio, post
from domain.copytrade.reasons import Reason
from tests.copy_lab import (
    EVENT,
    FLAGS,
    LEADER,
    MARKET,
    OTHER,
    T0,
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

SELL = group(GroupKind.SELL)


def test_ordinary_group_passes_every_guard() -> None:
    made = decided()
    assert (made.decision, reasons(made)) == ("EXECUTE", [])
    assert all(one.passed for one in made.guards)


# Switches.


@pytest.mark.parametrize("of", [group(), SELL], ids=["opening", "reducing"])
@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ({"paused": True}, Reason.ENGINE_PAUSED),
        ({"enabled": False}, Reason.USER_DISABLED),
        ({"mode": "off"}, Reason.USER_DISABLED),
        ({"blacklisted": True}, Reason.MARKET_BLACKLISTED),
    ],
    ids=["paused", "disabled", "off", "blacklisted"],
)
def test_switch_stops_everything(of: Any, flags: dict[str, Any], reason: Reason) -> None:
    made = decided(of, inputs(flags=FLAGS._replace(**flags)), holding())
    assert reasons(made) == [reason]


def test_reduce_only_sells_and_does_not_buy() -> None:
    given = inputs(flags=FLAGS._replace(mode="reduce_only"))
    assert reasons(decided(given=given)) == [Reason.USER_DISABLED]
    assert decided(SELL, given, holding()).decision == "EXECUTE"


# Time.


@pytest.mark.parametrize(("age_ms", "passes"), [(60_000, True), (60_001, False)])
def test_old_news_opens_nothing(age_ms: int, passes: bool) -> None:
    due = T0 + timedelta(milliseconds=age_ms)
    given = inputs(requested_at=due, received_at=due)
    assert guard(decided(group(due_at=due), given), "age").passed is passes
    assert decided(SELL._replace(due_at=due), given, holding()).decision == "EXECUTE"


def test_news_grow_old_while_nobody_asks_for_the_book() -> None:
    given = inputs(requested_at=T0 + timedelta(hours=1))
    assert reasons(decided(given=given)) == [Reason.EVENT_TOO_OLD]


def closing(**but: Any) -> Any:
    return inputs(market=MARKET._replace(**but), requested_at=T0)


@pytest.mark.parametrize(("seconds", "passes"), [(1_800, True), (1_799, False), (-60, False)])
def test_market_about_to_close_is_not_opened(seconds: int, passes: bool) -> None:
    at = group().due_at
    given = closing(closes_at=at + timedelta(seconds=seconds))
    made = decided(given=given)
    assert guard(made, "close").passed is passes
    assert guard(made, "close").actual == seconds * 1_000
    assert passes or reasons(made) == [Reason.MARKET_TOO_CLOSE_TO_CLOSE]
    assert decided(SELL, given, holding()).decision == "EXECUTE"


@pytest.mark.parametrize(("policy", "executes"), [("allow", True), ("block", False)])
def test_unknown_close_follows_the_policy(policy: str, executes: bool) -> None:
    given = closing(closes_at=None)._replace(config=config(unknown_close=policy))
    assert (decided(given=given).decision == "EXECUTE") is executes


@pytest.mark.parametrize("but", [{"closed": True}, {"accepting_orders": False}], ids=str)
def test_market_that_takes_no_orders_is_closed_whatever_its_date(but: dict[str, Any]) -> None:
    assert reasons(decided(given=closing(**but))) == [Reason.MARKET_TOO_CLOSE_TO_CLOSE]


def test_minutes_to_close_can_be_switched_off() -> None:
    given = closing(closes_at=T0)._replace(config=config(no_new_opens_within_minutes_to_close=0))
    assert decided(given=given).decision == "EXECUTE"


# Losses.


def after(loss: int, **windows: Any) -> Portfolio:
    """A bankroll of 10,000 that has lost so much."""
    portfolio, _ = post(bankroll(), [entry(EntryType.FEE, cash=-loss)])
    return portfolio._replace(**windows)


@pytest.mark.parametrize(
    ("name", "windows", "loss"),
    [
        ("daily_loss", {"day": Base(10_000 * USDC, 0)}, 300 * USDC),
        ("weekly_loss", {"day": Base(9_200 * USDC, -790 * USDC), "week": Base(10_000 * USDC, 0)}, 800 * USDC),
        (
            "drawdown",
            {"day": Base(9_000 * USDC, -1_190 * USDC), "week": Base(9_000 * USDC, -1_190 * USDC)},
            1_200 * USDC,
        ),
    ],
)
def test_breaker_trips_at_its_limit_and_spares_reductions(name: str, windows: dict[str, Base], loss: int) -> None:
    """B4 3: 3 % of the day, 8 % of seven days, 12 % from the peak."""
    made = decided(having=after(loss, **windows))
    assert [one.name for one in made.guards if not one.passed] == [name]
    assert reasons(made) == [Reason.CIRCUIT_BREAKER_TRIPPED]
    assert decided(having=after(loss - 1, **windows)).decision == "EXECUTE"
    held, _ = post(after(loss, **windows), [entry(EntryType.TRADE_FILL, YES, 100 * USDC, -50 * USDC)], LEADER)
    assert decided(SELL, inputs(), held).decision == "EXECUTE"


def test_portfolio_younger_than_the_window_counts_from_its_beginning() -> None:
    assert reasons(decided(having=after(300 * USDC))) == [Reason.CIRCUIT_BREAKER_TRIPPED]


def test_drawdown_counts_from_the_highest_profit_and_latches() -> None:
    """Peak 10,500: 12 % of it are 1,260."""
    base = {"day": Base(10_000 * USDC, -759 * USDC), "week": Base(10_000 * USDC, -759 * USDC), "peak_pnl": 500 * USDC}
    below, at = decided(having=after(759_999_999, **base)), decided(having=after(760 * USDC, **base))
    assert (below.latched, below.decision, at.latched) == (False, "EXECUTE", True)
    assert (at.peak_pnl, at.before.drawdown) == (500 * USDC, 1_260 * USDC)


def test_latched_drawdown_stays_tripped_after_recovery() -> None:
    made = decided(having=bankroll()._replace(latched=True))
    assert (reasons(made), made.latched) == ([Reason.CIRCUIT_BREAKER_TRIPPED], True)


def test_new_peak_is_told() -> None:
    portfolio, _ = post(bankroll(), [entry(EntryType.TRADE_FILL, cash=70)])
    assert decided(having=portfolio).peak_pnl == 70


def test_deposit_moves_no_breaker() -> None:
    """B4 30: money put in is no profit, money taken out no loss."""
    day = {"day": Base(10_000 * USDC, 0)}
    richer, _ = post(after(299 * USDC, **day), [entry(EntryType.DEPOSIT, cash=5_000 * USDC)])
    poorer, _ = post(after(299 * USDC, **day), [entry(EntryType.DEPOSIT, cash=-5_000 * USDC)])
    assert decided(having=richer).before.day_loss == decided(having=poorer).before.day_loss == 299 * USDC


def test_limit_of_zero_allows_no_loss_at_all() -> None:
    rules = config(daily_loss_limit_bps=0, weekly_loss_limit_bps=0, max_drawdown_limit_bps=0)
    assert decided(given=inputs(rules=rules)).decision == "EXECUTE"
    assert reasons(decided(given=inputs(rules=rules), having=after(1))) == [Reason.CIRCUIT_BREAKER_TRIPPED]


# Exposure.


def elsewhere(worth: int, token: str = OTHER) -> Portfolio:
    """10,000 of equity, so much of it in another market, at 0.50."""
    return post(bankroll(), [entry(EntryType.TRADE_FILL, token, 2 * worth, -worth, condition_id="0xother")], LEADER)[0]


HALF = marks(t333=500_000)


def test_total_exposure_is_capped() -> None:
    fits, over = (decided(given=inputs(marks=HALF), having=elsewhere(6_990 * USDC + extra)) for extra in (0, 1))
    assert fits.decision == "EXECUTE"
    assert (reasons(over), guard(over, "exposure_total").limit) == ([Reason.RISK_CAP_USER], 7_000 * USDC)
    assert guard(over, "exposure_total").actual == 7_000 * USDC + 1


def test_market_exposure_is_capped_over_both_outcomes() -> None:
    def of(shares: int) -> Decision:
        bought = [entry(EntryType.TRADE_FILL, "222", shares, -shares // 2)]
        return decided(given=inputs(marks=marks(t222=500_000)), having=post(bankroll(), bought)[0])

    assert of(980 * USDC).decision == "EXECUTE"
    assert [one.name for one in of(980 * USDC + 2).guards if not one.passed] == ["exposure_market"]


def test_market_that_became_known_later_counts() -> None:
    """B4 20: the position was booked without its market."""
    bought = [entry(EntryType.TRADE_FILL, OTHER, 1_000 * USDC, -500 * USDC, condition_id="")]
    portfolio = post(bankroll(), bought)[0]
    given = inputs(marks=HALF, markets={OTHER: (MARKET.condition_id, EVENT)})
    assert reasons(decided(given=given, having=portfolio)) == [Reason.RISK_CAP_USER]


@pytest.mark.parametrize(("neg_risk", "executes"), [(True, False), (False, True)])
def test_event_exposure_is_capped_where_outcomes_exclude_each_other(neg_risk: bool, executes: bool) -> None:
    given = inputs(marks=HALF, markets={OTHER: ("0xother", EVENT)}, market=MARKET._replace(neg_risk=neg_risk))
    made = decided(given=given, having=elsewhere(991 * USDC))
    assert (made.decision == "EXECUTE") is executes
    assert [one.name for one in made.guards if not one.passed] == ([] if executes else ["exposure_event"])


def test_leader_exposure_is_capped_in_the_global_portfolio_only() -> None:
    having, given = elsewhere(1_991 * USDC), inputs(marks=HALF)
    assert decided(given=given, having=having).decision == "EXECUTE"
    made = decided(given=given, having=having, scope=Scope.EXEC_GLOBAL)
    assert reasons(made) == [Reason.RISK_CAP_GLOBAL]
    assert [one.name for one in made.guards if not one.passed] == ["exposure_leader"]


def test_caps_never_hold_back_a_sale() -> None:
    given = inputs(rules=config(max_total_exposure_bps=0, max_exposure_per_market_bps=0))
    assert decided(SELL, given, holding()).decision == "EXECUTE"


def test_global_portfolio_keeps_the_general_caps_and_the_users_prices() -> None:
    """CG-099."""
    own = config(max_total_exposure_bps=0, max_exposure_per_market_bps=0, copy_pct_notional_bps=200)
    given = inputs(rules=own, general=config(max_spread_micros=0))
    assert Reason.RISK_CAP_USER in decided(given=given).reasons
    made = decided(given=given, scope=Scope.EXEC_GLOBAL)
    assert (made.decision, made.target) == ("EXECUTE", 20 * USDC)


# What there is to trade with.


def test_sale_of_what_is_not_held_is_skipped() -> None:
    assert reasons(decided(SELL)) == [Reason.NOT_ENOUGH_POSITION_TO_SELL]


def test_global_portfolio_sells_only_what_it_bought_for_that_leader() -> None:
    others, _ = post(bankroll(), [entry(EntryType.TRADE_FILL, YES, 100 * USDC, -50 * USDC)], "another")
    assert reasons(decided(SELL, having=others, scope=Scope.EXEC_GLOBAL)) == [Reason.NOT_ENOUGH_POSITION_TO_SELL]


def test_purchase_beyond_the_cash_is_skipped() -> None:
    given = inputs(rules=config(max_total_exposure_bps=10_000), marks=HALF)
    made = decided(given=given, having=elsewhere(9_991 * USDC))
    assert reasons(made) == [Reason.RISK_CAP_USER, Reason.INSUFFICIENT_CASH]
    assert guard(made, "cash")[2:] == (False, 9 * USDC, 10 * USDC)


def test_fee_beyond_the_cash_makes_the_fill_partial() -> None:
    given = inputs(rules=config(max_total_exposure_bps=10_000, fee_model="fixed", fixed_fee_ppm=20_000), marks=HALF)
    having = elsewhere(9_990 * USDC)
    made = decided(given=given, having=having)
    assert reasons(made) == []
    assert 9_999_980 <= made.filled + made.fee <= 10 * USDC
    assert made.ratio_bps == 9_803


def test_every_failure_is_told_in_the_order_of_reasons() -> None:
    given = inputs(
        book({}, {505: 1}),
        config(below_minimum="skip", min_leader_trade_notional_micros=10**12, max_total_exposure_bps=0),
        flags=FLAGS._replace(paused=True, enabled=False, blacklisted=True),
        requested_at=T0 + timedelta(hours=1),
        market=MARKET._replace(closed=True),
    )
    made = decided(group(shares=20), given, bankroll()._replace(latched=True))
    assert reasons(made) == [
        Reason.ENGINE_PAUSED,
        Reason.USER_DISABLED,
        Reason.MARKET_BLACKLISTED,
        Reason.EVENT_TOO_OLD,
        Reason.MARKET_TOO_CLOSE_TO_CLOSE,
        Reason.CIRCUIT_BREAKER_TRIPPED,
        Reason.RISK_CAP_USER,
        Reason.LEADER_TRADE_BELOW_MIN_NOTIONAL,
        Reason.BELOW_MIN_NOTIONAL,
        Reason.ONE_SIDED_BOOK,
    ]
