"""The sale curve against an independent 60-digit evaluation, and at the edges of what is allowed."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.launchpad import curves, fixed_point
from domain.launchpad.curves import Curve, Shape
from domain.shared.errors import Rejected
from tests.curve_lab import curves_allowed, exact_price, exact_reserve

SOL = 10**9
PLAIN = Curve(Shape.LINEAR, start=100 * SOL, target=300 * SOL, supply=400_000_000 * 10**6, decimals=6)
"""From 0.0000001 to 0.0000003 SOL: 80 SOL in all."""


def test_plain_numbers_are_exact() -> None:
    assert curves.reserve(PLAIN, PLAIN.supply) == 80 * SOL
    assert curves.reserve(PLAIN, PLAIN.supply // 2) == 30 * SOL
    assert curves.spot(PLAIN, 0) == 100 * SOL
    assert {curves.spot(PLAIN._replace(shape=shape), PLAIN.supply) for shape in Shape} == {300 * SOL}
    assert curves.cost(PLAIN, PLAIN.supply // 2, PLAIN.supply // 2) == 50 * SOL
    assert curves.revenue(PLAIN, PLAIN.supply, PLAIN.supply // 2) == 50 * SOL


def test_the_whole_sale_costs_the_mean_of_the_price() -> None:
    """(r - 1) / ln r for exponential; 0.676817 of the way for logarithmic (CG-065)."""
    assert curves.reserve(PLAIN._replace(shape=Shape.EXPONENTIAL), PLAIN.supply) == 72_819_138_131
    assert curves.reserve(PLAIN._replace(shape=Shape.LOGARITHMIC), PLAIN.supply) == 94_145_330_337


@pytest.mark.parametrize("shape", Shape)
def test_nothing_costs_nothing_and_one_unit_costs_one_lamport_at_least(shape: Shape) -> None:
    curve = PLAIN._replace(shape=shape)
    assert curves.reserve(curve, 0) == 0
    assert curves.reserve(curve, 1) == 1


@given(curves_allowed(), st.data())
def test_reserve_is_the_integral_rounded_up(curve: Curve, data: st.DataObject) -> None:
    sold = data.draw(st.integers(0, curve.supply))
    found = curves.reserve(curve, sold)
    exact = exact_reserve(curve, sold)
    with localcontext() as context:
        context.prec = 60
        if exact < 2**61:  # what the program can hold, with room
            assert found - exact >= -(Decimal(2) ** -20)
            assert found - exact < 1
            assert found in (exact.to_integral_value(ROUND_CEILING), exact.to_integral_value(ROUND_CEILING) - 1)
        assert abs(found - exact) <= 1 + exact * Decimal(2) ** -100


@given(curves_allowed(), st.data())
def test_reserve_never_falls(curve: Curve, data: st.DataObject) -> None:
    sold = data.draw(st.integers(0, curve.supply - 1))
    more = data.draw(
        st.one_of(st.just(1), st.integers(1, min(64, curve.supply - sold)), st.integers(1, curve.supply - sold))
    )
    assert curves.reserve(curve, sold + more) >= curves.reserve(curve, sold)


@given(curves_allowed(), st.data())
def test_every_single_unit_raises_the_unrounded_reserve(curve: Curve, data: st.DataObject) -> None:
    """The proof of monotony, on samples: the error stays far below what one base unit adds."""
    sold = data.draw(st.integers(0, curve.supply - 1))
    with localcontext() as context:
        context.prec = 60
        exact = exact_reserve(curve, sold + 1) * 10 ** (9 + curve.decimals)
        error = exact - Decimal(_unrounded(curve, sold + 1)) / fixed_point.ONE
        assert error + exact * Decimal(10) ** -57 >= 0
        assert error * 2**24 <= curve.start


def _unrounded(curve: Curve, sold: int) -> int:
    """C(s) in price units times base units, times 2^112."""
    x = (sold << 112) // curve.supply
    rise = curve.target - curve.start
    if curve.shape is Shape.EXPONENTIAL:
        y = fixed_point.mul(x, fixed_point.ln_ratio(curve.target, curve.start))
        return curve.start * sold * fixed_point.growth(y)
    part = fixed_point.mul(x, x) >> 1 if curve.shape is Shape.LINEAR else curves._log_area(x)
    return curve.start * sold * fixed_point.ONE + rise * curve.supply * part


@given(curves_allowed(), st.data())
def test_round_trips_and_slices_gain_nothing(curve: Curve, data: st.DataObject) -> None:
    sold = data.draw(st.integers(0, curve.supply))
    tokens = data.draw(st.integers(0, curve.supply - sold))
    first = data.draw(st.integers(0, tokens))
    paid = curves.cost(curve, sold, tokens)
    assert curves.revenue(curve, sold + tokens, tokens) == paid
    assert curves.cost(curve, sold, first) + curves.cost(curve, sold + first, tokens - first) == paid


@given(curves_allowed(), st.data())
def test_spot_is_the_price_rounded_down(curve: Curve, data: st.DataObject) -> None:
    sold = data.draw(st.integers(0, curve.supply))
    found = curves.spot(curve, sold)
    with localcontext() as context:
        context.prec = 60
        exact = exact_price(curve, sold)
        assert curve.start <= found <= curve.target
        assert -1 - exact * Decimal(10) ** -30 <= found - exact <= exact * Decimal(10) ** -57


@given(curves_allowed(), st.data())
def test_max_affordable_is_the_most_that_fits(curve: Curve, data: st.DataObject) -> None:
    sold = data.draw(st.integers(0, curve.supply))
    lamports = data.draw(st.integers(0, 2 * curves.reserve(curve, curve.supply)))
    tokens = curves.max_affordable(curve, sold, lamports)
    assert curves.cost(curve, sold, tokens) <= lamports
    if sold + tokens < curve.supply:
        assert curves.cost(curve, sold, tokens + 1) > lamports


@given(curves_allowed(), st.data())
def test_what_the_pool_takes_and_what_was_sold_grow_together(curve: Curve, data: st.DataObject) -> None:
    """Therefore a sale that can graduate at Q can graduate wherever it ends (both round: one base unit apart)."""
    sold = data.draw(st.integers(1, curve.supply))
    less = data.draw(st.integers(1, sold))
    slack = 10**9 * 10**curve.decimals // curves.spot(curve, less) + 2  # one lamport's rounding, in base units
    assert curves.pool_tokens(curve, less) + less <= curves.pool_tokens(curve, sold) + sold + slack


def test_sellable_stops_at_the_hard_cap() -> None:
    most = curves.sellable(PLAIN, 30 * SOL)
    assert most == PLAIN.supply // 2
    assert curves.sellable(PLAIN, 10**17) == PLAIN.supply
    assert curves.can_graduate(PLAIN, PLAIN.supply, 186_666_666_666_667)
    assert not curves.can_graduate(PLAIN, PLAIN.supply, 186_666_666_666_665)


@pytest.mark.parametrize(
    "change",
    [
        {"start": 999},
        {"target": 10 * 10**18 + 1},
        {"target": 100 * SOL},
        {"start": 10**6, "target": 10**10 + 1},
        {"supply": 0},
        {"supply": 2**64},
        {"decimals": 10},
        {"decimals": -1},
    ],
)
def test_what_was_not_proven_is_refused(change: dict[str, int]) -> None:
    curves.check(PLAIN)
    with pytest.raises(Rejected):
        curves.check(PLAIN._replace(**change))


def test_outside_of_the_sale_is_an_error() -> None:
    for sold in (-1, PLAIN.supply + 1):
        with pytest.raises(ValueError):
            curves.reserve(PLAIN, sold)
        with pytest.raises(ValueError):
            curves.spot(PLAIN, sold)


@given(st.integers(0, fixed_point.ONE * 9216 // 1000))
def test_growth_is_never_above_and_hardly_below(y: int) -> None:
    with localcontext() as context:
        context.prec = 90
        argument = Decimal(y) / fixed_point.ONE
        near_one = 1 + argument / 2 + argument**2 / 6 + argument**3 / 24
        exact = (argument.exp() - 1) / argument if y > 2**70 else near_one
        found = Decimal(fixed_point.growth(y)) / fixed_point.ONE
        assert -exact * Decimal(10) ** -40 <= exact - found <= exact * Decimal(2) ** -104


@given(st.integers(fixed_point.ONE, 10_000 * fixed_point.ONE))
def test_logarithm_is_never_above_and_hardly_below(ratio: int) -> None:
    with localcontext() as context:
        context.prec = 70
        exact = (Decimal(ratio) / fixed_point.ONE).ln()
        found = Decimal(fixed_point.ln_ratio(ratio, fixed_point.ONE)) / fixed_point.ONE
        assert -(Decimal(10) ** -60) <= exact - found <= Decimal(2) ** -104
