"""Curves to draw, and what they must cost: the textbook formulas in 60-digit decimals, sharing no code."""

from __future__ import annotations

from decimal import Decimal, localcontext

from hypothesis import strategies as st

from domain.launchpad.curves import PRICE_LEAST, PRICE_MOST, RATIO_MOST, U64, Curve, Shape

DIGITS = 60


@st.composite
def curves_allowed(draw: st.DrawFn) -> Curve:
    """Any curve `check` lets through, small and huge alike."""
    start = draw(st.one_of(st.integers(PRICE_LEAST, PRICE_MOST - 1), st.integers(PRICE_LEAST, 10**12)))
    target = draw(st.integers(start + 1, min(PRICE_MOST, start * RATIO_MOST)))
    supply = draw(st.one_of(st.integers(1, U64), st.integers(1, 10**6), st.sampled_from([1, U64, 4 * 10**14])))
    return Curve(draw(st.sampled_from(Shape)), start, target, supply, draw(st.integers(0, 9)))


def exact_reserve(curve: Curve, sold: int) -> Decimal:
    """The integral of the price in lamports, to about 40 digits after the largest cancellation."""
    with localcontext() as context:
        context.prec = 2 * DIGITS
        x = Decimal(sold) / curve.supply
        start, target = Decimal(curve.start), Decimal(curve.target)
        if curve.shape is Shape.LINEAR:
            mean = start * x + (target - start) * x * x / 2
        elif curve.shape is Shape.EXPONENTIAL:
            ratio = (target / start).ln()
            mean = start * ((x * ratio).exp() - 1) / ratio
        else:
            v = 1 + 9 * x
            mean = start * x + (target - start) * (v * v.ln() - 9 * x) / (9 * Decimal(10).ln())
        return mean * curve.supply / Decimal(10) ** (9 + curve.decimals)


def exact_price(curve: Curve, sold: int) -> Decimal:
    """The price after `sold`, in 10^-9 lamport per token."""
    with localcontext() as context:
        context.prec = DIGITS
        x = Decimal(sold) / curve.supply
        start, target = Decimal(curve.start), Decimal(curve.target)
        if curve.shape is Shape.LINEAR:
            return start + (target - start) * x
        if curve.shape is Shape.EXPONENTIAL:
            return start * (x * (target / start).ln()).exp()
        return start + (target - start) * (1 + 9 * x).log10()
