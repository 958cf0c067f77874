"""How much of a leader's group is copied: a rate, clamps, caps of what we hold and of a budget. All integers of micros.

Seed: target = floor(their notional × 1 %), at least 5 USDC, at most 250 USDC and 0.75 % of equity (CT-080…084).
"""

from __future__ import annotations

from typing import Final

from domain.copytrade.config import CopyConfig, Sizing
from domain.copytrade.decisions import Clamped, Sizes
from domain.copytrade.entries import Scope
from domain.copytrade.groups import Group, GroupKind, Source
from domain.copytrade.portfolio import exposure, exposure_for, value_at
from domain.copytrade.venue import ONE
from domain.copytrade.view import Act, View
from domain.shared.money import mul_div_floor

BPS: Final = 10_000
VENUE_LEAST_BUY: Final = ONE
"""The venue takes no order to buy at once for less than 1 USDC (polymarket.md 3.7)."""


def their_notional(group: Group) -> int:
    """What the leader's group was worth; a pair of outcomes is worth 1 USDC."""
    return group.shares if group.kind in (GroupKind.SPLIT, GroupKind.MERGE) else group.notional


def budgeted(config: CopyConfig, general: CopyConfig) -> bool:
    """GLOBAL can switch budgets off for everybody; then the fixed rate counts."""
    switched_on = config.sizing.budgeted_dynamic_enabled and general.sizing.budgeted_dynamic_enabled
    return config.sizing.sizing_mode == "budgeted_dynamic" and switched_on


def wanted(notional: int, sizing: Sizing, *, by_budget: bool, leader_exposure: int | None) -> int:
    """Before all clamps. By budget: as much of it as the budget is of the leader's exposure, between two rates.

    Exposure 0 gives the highest rate, exposure unknown the lowest.
    """
    if not by_budget:
        return mul_div_floor(notional, sizing.copy_pct_notional_bps, BPS)
    least = mul_div_floor(notional, sizing.budget_rate_min_ppm, ONE)
    most = max(least, mul_div_floor(notional, sizing.budget_rate_max_ppm, ONE))
    if leader_exposure is None:
        return least
    if leader_exposure <= 0:
        return most
    return min(most, max(least, mul_div_floor(notional, sizing.budget_micros, leader_exposure)))


def wanted_at_most(notional: int, config: CopyConfig, general: CopyConfig) -> int:
    """What of a trade would be copied before all clamps, at the highest rate there is: so the same whatever the leader
    holds and in every portfolio. Small trades are measured by it (CT-201)."""
    return wanted(notional, config.sizing, by_budget=budgeted(config, general), leader_exposure=0)


def size(seen: View) -> Sizes:
    """Every number from the leader's size to ours. It skips nothing: the guards do.

    A purchase sized by budget is never lifted to the minimum: the budget said how much, and that was less. Nor are
    small trades that waited: they have their own minimum.
    """
    buffered = seen.group.source is Source.BUFFER
    sizing, by_budget = seen.inputs.config.sizing, budgeted(seen.inputs.config, seen.inputs.general)
    theirs = their_notional(seen.group)
    want = wanted(theirs, sizing, by_budget=by_budget, leader_exposure=seen.inputs.leader_exposure)
    minimum, maximum = _least(seen, buffered=buffered), _most(seen)
    lifts = sizing.below_minimum == "clamp" and not buffered and not (by_budget and seen.opening)
    sized, clamped = _clamped(want, minimum, maximum if seen.opening else max(maximum, minimum), lifts=lifts)
    own = _own_exposure(seen)
    headroom = max(0, sizing.budget_micros - own) if by_budget and sizing.budget_enforcement == "hard" else None
    sized_shares = _in_shares(seen, sized, theirs)
    dust = not seen.opening and seen.group.shares > 0 and seen.held > 0 and _held_value(seen) < minimum
    if seen.opening:
        target = sized if headroom is None else min(sized, headroom)
        target_shares = 0
    else:
        target_shares = seen.held if dust else min(sized_shares, seen.held)
        target = _in_notional(seen, target_shares, theirs)
    return Sizes(
        mode="budgeted_dynamic" if by_budget else "fixed_rate",
        their_notional=theirs,
        their_shares=seen.group.shares,
        rate_ppm=mul_div_floor(want, ONE, theirs) if theirs > 0 else 0,
        minimum=minimum,
        maximum=maximum,
        bankroll_cap=_bankroll_cap(seen),
        equity=seen.equity,
        wanted=want,
        sized=sized,
        target=target,
        sized_shares=sized_shares,
        target_shares=target_shares,
        held_shares=seen.held,
        leader_exposure=seen.inputs.leader_exposure or 0,
        own_exposure=own,
        headroom=headroom,
        clamped=clamped,
        closes_dust=dust,
    )


def _least(seen: View, *, buffered: bool) -> int:
    if buffered:
        return seen.inputs.config.small_trades.execution_minimum_micros
    least = seen.inputs.config.sizing.min_trade_notional_micros
    return max(least, VENUE_LEAST_BUY) if seen.act is Act.BUY else least


def _bankroll_cap(seen: View) -> int:
    return max(0, mul_div_floor(seen.equity, seen.inputs.config.sizing.max_trade_bankroll_bps, BPS))


def _most(seen: View) -> int:
    return min(seen.inputs.config.sizing.max_trade_notional_micros, _bankroll_cap(seen))


def _clamped(want: int, minimum: int, maximum: int, *, lifts: bool) -> tuple[int, Clamped]:
    """The ceiling binds last: a minimum above it stays unreached, and BELOW_MIN_NOTIONAL says so (CG-032)."""
    lifted = max(want, minimum) if lifts else want
    if lifted > maximum:
        return maximum, "maximum"
    return lifted, "minimum" if lifted > want else ""


def _own_exposure(seen: View) -> int:
    """What we have in this leader's trades."""
    if seen.scope is Scope.EXEC_GLOBAL:
        return exposure_for(seen.portfolio, seen.group.followed_user_id, seen.marks)
    return exposure(seen.portfolio, seen.marks)


def _in_shares(seen: View, notional: int, theirs: int) -> int:
    """At their own price: the same part of their shares as of their notional. A pair costs 1 USDC."""
    if seen.act in (Act.SPLIT, Act.MERGE):
        return notional
    return mul_div_floor(notional, seen.group.shares, theirs) if theirs > 0 else 0


def _in_notional(seen: View, shares: int, theirs: int) -> int:
    if seen.act in (Act.SPLIT, Act.MERGE):
        return shares
    return mul_div_floor(shares, theirs, seen.group.shares) if seen.group.shares > 0 else 0


def _held_value(seen: View) -> int:
    """At their price, so that a missing book changes nothing; without one at the mark."""
    if seen.act is Act.MERGE:
        return seen.held
    price = seen.their_price if seen.their_price is not None else seen.marks.get(seen.token_id, ONE)
    return value_at(seen.held, price)
