"""The tracking gap by hand: one cause at a time, each in its own part (copytrade.md 7)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from domain.copytrade.decisions import Decision
from domain.copytrade.gap import ORDER, Alone, Copied, Flow, Gap, Step, Uncopied, attempted, in_micros, tracking_gap
from domain.copytrade.groups import Group, GroupKind
from domain.copytrade.inputs import Inputs
from domain.copytrade.portfolio import Portfolio, pnl, post
from domain.copytrade.reasons import Reason
from tests.copy_lab import FEES, FLAGS, MARKET, NO, USDC, YES, bankroll, book, config, decided, group, holding, inputs

RATE = Fraction(1, 100)
UP = {YES: 600_000, NO: 400_000}
FLAT = book({499: 100_000}, {501: 100_000})


def flow(of: Group, fees: int = 0) -> Flow:
    sign = 1 if of.kind.opening else -1
    return Flow(of.cash - fees, {token: sign * of.shares for token in of.token_ids}, fees)


def after(of: Group, given: Inputs, having: Portfolio | None = None, fees: int = 0) -> tuple[Gap, Decision]:
    """One group and what came of it, at marks of 0.60: his profit from nothing, ours since before the group."""
    start = having or bankroll()
    made = decided(of, given, start)
    end, _ = post(start, made.entries)
    theirs = flow(of, fees)
    ours = pnl(end, UP) - pnl(start, UP)
    shadow = theirs.worth(UP)
    gap = tracking_gap([Copied(theirs, RATE, attempted(of, made))], UP, [(RATE, int(shadow))], ours, valued=2)
    assert sum(gap.parts.values()) == gap.total == RATE * shadow - ours
    assert gap.explained
    return gap, made


def only(gap: Gap, *names: str) -> dict[str, Fraction]:
    """The named parts; all others must be nothing but rounding."""
    others = [part for part in ORDER if part not in (*names, "rounding")]
    assert [part for part in others if abs(gap.parts[part]) > 1] == []
    return {name: gap.parts[name] for name in names}  # type: ignore[index]


def test_latency_and_price_are_what_the_same_money_buys_less_of() -> None:
    """1 % of 1,000 at 0.50 is 10: worth 12 at 0.60. At the mid of 0.502 it buys 2 cents' worth less of it."""
    gap, _ = after(group(), inputs(book({501: 100_000}, {503: 100_000})))
    assert only(gap, "latency", "price") == {
        "latency": 12 * USDC - Fraction(6 * 10**12, 502_000),
        "price": Fraction(6 * 10**12, 502_000) - Fraction(6 * 10**12, 503_000),
    }


def test_purchase_at_the_mid_has_no_gap_but_the_spread() -> None:
    gap, _ = after(group(), inputs(FLAT))
    assert only(gap, "price")["price"] == 12 * USDC - Fraction(6 * 10**12, 501_000)


def test_sale_gives_the_same_shares_for_less() -> None:
    gap, made = after(group(GroupKind.SELL), inputs(book({497: 100_000}, {499: 100_000})), holding(shares=100))
    assert made.shares == 20 * USDC
    assert only(gap, "latency", "price") == {"latency": 20 * 2_000, "price": 20 * 1_000}


def test_clamp_up_is_size_and_a_gain_when_the_market_rises() -> None:
    gap, _ = after(group(shares=200), inputs(FLAT))
    assert only(gap, "size", "price")["size"] == -Fraction(8 * USDC, 10)


def test_position_that_is_too_small_is_caps() -> None:
    """20 shares wanted, 10 held, sold at 0.499 before it rose to 0.60: holding the other 10 is a gain."""
    gap, made = after(group(GroupKind.SELL), inputs(book({499: 100_000}, {501: 100_000})), holding(shares=11))
    assert made.shares == 11 * USDC
    assert only(gap, "caps", "price")["caps"] == -9 * 100_000


def test_fill_of_a_part_is_partial() -> None:
    thin = inputs(book({499: 100_000}, {501: 8}), config(min_depth_multiplier_bps=0))
    gap, made = after(group(), thin)
    whole, part = Fraction(10 * USDC * 600_000, 501_000) - 10 * USDC, 8 * 99_000
    assert made.ratio_bps == 4_008
    assert only(gap, "price", "partial")["partial"] == whole - part


def test_fees_are_ours_less_his() -> None:
    given = inputs(FLAT, market=MARKET._replace(fees=FEES))
    gap, made = after(group(), given, fees=5 * USDC)
    assert only(gap, "price", "fees")["fees"] == made.fee - 50_000


def test_skip_is_his_whole_trade_under_its_first_reason() -> None:
    given = inputs(None, flags=FLAGS._replace(paused=True))
    gap, _ = after(group(), given)
    assert only(gap, "skipped") == {"skipped": 2 * USDC}
    assert gap.skipped == {Reason.ENGINE_PAUSED: 2 * USDC}


def test_pairs_have_no_price() -> None:
    of = group(GroupKind.SPLIT, 1_000)
    gap, _ = after(of, inputs(None))
    assert only(gap) == {}


def test_leg_sold_when_he_merged_starts_at_the_mid() -> None:
    of = group(GroupKind.MERGE, 1_000)
    given = inputs(book({497: 100_000}, {503: 100_000}), flags=FLAGS._replace(leg_policy="sell_held"))
    gap, made = after(of, given, holding(shares=100))
    assert made.decision == "EXECUTE"
    assert only(gap, "unsupported", "price") == {"unsupported": 10 * 100_000, "price": 10 * 3_000}


def test_history_and_rewards_are_unsupported_and_closes_are_ours() -> None:
    steps: list[Step] = [
        Uncopied(Flow(0, {YES: 100 * USDC}, contributed=50 * USDC), RATE),
        Uncopied(Flow(3 * USDC, {}), RATE),
        Alone(Flow(10_000 * USDC, {}, contributed=10_000 * USDC)),
        Alone(Flow(5 * USDC, {YES: -10 * USDC})),
    ]
    gap = tracking_gap(steps, UP, [(RATE, 13 * USDC)], -1 * USDC)
    assert only(gap, "unsupported", "manual") == {"unsupported": 130_000, "manual": 1 * USDC}
    assert gap.parts["rounding"] == 0


def test_settlements_round_and_no_more() -> None:
    marks = {YES: 333_333}
    steps: list[Step] = [
        Uncopied(Flow(0, {YES: 7}, contributed=2), RATE),
        Uncopied(Flow(2, {YES: -7}), RATE, settles=True),
        Alone(Flow(0, {YES: 7}, contributed=2)),
        Alone(Flow(2, {YES: -7}), settles=True),
    ]
    gap = tracking_gap(steps, marks, [(RATE, 0)], 0)
    assert gap.total == 0
    assert gap.roundings == 2
    assert gap.explained


def test_profit_that_nothing_explains_is_told() -> None:
    gap = tracking_gap([], {}, [(RATE, 1_000_000_000)], 0, valued=3)
    assert gap.parts["rounding"] == 10_000_000
    assert not gap.explained


def test_token_without_a_mark_is_refused() -> None:
    with pytest.raises(KeyError):
        tracking_gap([Uncopied(Flow(0, {"999": 1}), RATE)], UP, [], 0)


@pytest.mark.parametrize("given", [inputs(FLAT), inputs(None)], ids=["executed", "skipped"])
def test_whole_micros_add_up_too(given: Any) -> None:
    gap, _ = after(group(shares=3_333, price=333_333, notional=1_110_998_889), given)
    whole = in_micros(gap)
    assert list(whole) == [*ORDER, "total"]
    assert sum(whole[part] for part in ORDER) == whole["total"]
