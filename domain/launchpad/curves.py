"""The sale curve: C(s), the lamports that s base units of a token cost, for three shapes of price.

One monotone function decides everything: a buy costs C(s + q) - C(s), a sale pays C(s) - C(s - q), the reserve is C(s)
exactly. So a round trip never profits, slicing never helps, and the sale can always pay everybody back.

With x = s / supply the price is
    linear       p0 + (p1 - p0)·x
    exponential  p0·(p1 / p0)^x
    logarithmic  p0 + (p1 - p0)·log10(1 + 9x)
and C is its integral, rounded up to a lamport from a value that is never above the true one and at most 2^-20 lamport
below it. C rises with s because one base unit raises the true value by p0 at least: 2^24 times the error of the
evaluation, or more, wherever parameters pass `check`.

Units: prices in 10^-9 lamport per whole token (10^-18 SOL), supplies in base units, money in lamports.
programs/launchpad/curve.h computes the same integers on chain.
Source: launchpad.md 1 … 4, 10; CG-065, CG-066.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from domain.launchpad.fixed_point import FRACTION_BITS, LOG10_E, LOG10_E_NINTH, ONE, growth, ln_ratio, mul
from domain.launchpad.transfer_fee import NO_FEE, TransferFee, before_fee
from domain.shared.errors import Rejected

PRICE_DECIMALS: Final = 18
"""A price is SOL per whole token with this many decimals."""
PRICE_LEAST: Final = 1_000
PRICE_MOST: Final = 10 * 10**PRICE_DECIMALS
RATIO_MOST: Final = 10_000
DECIMALS_MOST: Final = 9
U64: Final = 2**64 - 1
HARD_CAP_MOST: Final = 10**17
"""Lamports: a hundred million SOL."""
LIQUIDITY_BPS: Final = 7_000
BPS: Final = 10_000

_PRICE_UNITS_PER_LAMPORT: Final = 10**9


class Shape(IntEnum):
    """How the price rises; the number is the program's byte."""

    LINEAR = 0
    EXPONENTIAL = 1
    LOGARITHMIC = 2


class Curve(NamedTuple):
    """`start` and `target` are the prices at 0 and at `supply`; `supply` base units are for sale."""

    shape: Shape
    start: int
    target: int
    supply: int
    decimals: int


def check(curve: Curve) -> None:
    """Only what the evaluation was proven for.

    Raises: Rejected validation_failed, naming the limit.
    """
    if not 0 <= curve.decimals <= DECIMALS_MOST:
        raise Rejected("validation_failed", f"a token has 0 to {DECIMALS_MOST} decimals")
    if not 1 <= curve.supply <= U64:
        raise Rejected("validation_failed", "the sale needs at least one base unit and fits 64 bits")
    if not PRICE_LEAST <= curve.start < curve.target <= PRICE_MOST:
        raise Rejected("validation_failed", "prices rise, from 10^-15 SOL at least to 10 SOL at most")
    if curve.target > curve.start * RATIO_MOST:
        raise Rejected("validation_failed", f"the target price is at most {RATIO_MOST} times the start")


def _reached(curve: Curve, sold: int) -> int:
    """x = sold / supply.

    Raises: ValueError when `sold` lies outside of the sale.
    """
    if not 0 <= sold <= curve.supply:
        raise ValueError("more than the sale holds")
    return (sold << FRACTION_BITS) // curve.supply


def _log_area(x: int) -> int:
    """The integral of log10(1 + 9x) from 0 to x: ((1 + 9x)·ln(1 + 9x) - 9x) / (9·ln 10), never below 0."""
    v = ONE + 9 * x
    return max(0, mul(mul(v, ln_ratio(v, ONE)), LOG10_E_NINTH) - mul(x, LOG10_E + 1) - 1)


def reserve(curve: Curve, sold: int) -> int:
    """C(s): lamports behind `sold` base units, rounded up; 0 at 0. May exceed 64 bits, which the program refuses.

    Raises: ValueError outside of 0 … supply.
    """
    x = _reached(curve, sold)
    rise = curve.target - curve.start
    if curve.shape is Shape.EXPONENTIAL:
        area = curve.start * sold * growth(mul(x, ln_ratio(curve.target, curve.start)))
    elif curve.shape is Shape.LINEAR:
        area = curve.start * sold * ONE + rise * curve.supply * (mul(x, x) >> 1)
    else:
        area = curve.start * sold * ONE + rise * curve.supply * _log_area(x)
    per_lamport: int = ONE * _PRICE_UNITS_PER_LAMPORT * 10**curve.decimals
    return -(-area // per_lamport)


def spot(curve: Curve, sold: int) -> int:
    """The price of the next token in units of 10^-9 lamport, at most one unit below the true one; `target` at the end.

    Raises: ValueError outside of 0 … supply.
    """
    x = _reached(curve, sold)
    if x == ONE:
        return curve.target
    rise = curve.target - curve.start
    if curve.shape is Shape.EXPONENTIAL:
        y = mul(x, ln_ratio(curve.target, curve.start))
        return curve.start + mul(curve.start, mul(y, growth(y)))
    if curve.shape is Shape.LINEAR:
        return curve.start + mul(rise, x)
    return curve.start + mul(rise, mul(ln_ratio(ONE + 9 * x, ONE), LOG10_E))


def cost(curve: Curve, sold: int, tokens: int) -> int:
    """Lamports that `tokens` more cost after `sold`, without tax.

    Raises: ValueError when there are not so many.
    """
    return reserve(curve, sold + tokens) - reserve(curve, sold)


def revenue(curve: Curve, sold: int, tokens: int) -> int:
    """Lamports that returning `tokens` of `sold` brings, without tax.

    Raises: ValueError when more returns than was sold.
    """
    return reserve(curve, sold) - reserve(curve, sold - tokens)


def max_affordable(curve: Curve, sold: int, lamports: int, limit: int | None = None) -> int:
    """The most tokens whose cost after `sold` is at most `lamports`, tax aside; none beyond `limit` sold in all.

    Raises: ValueError when `sold` lies outside of the sale.
    """
    budget = reserve(curve, sold) + lamports
    low, high = sold, curve.supply if limit is None else min(limit, curve.supply)
    while low < high:
        middle = (low + high + 1) // 2
        if reserve(curve, middle) <= budget:
            low = middle
        else:
            high = middle - 1
    return low - sold


def sellable(curve: Curve, hard_cap: int) -> int:
    """Q: the most base units that can be sold before C passes `hard_cap`. Reaching it closes the sale."""
    return max_affordable(curve, 0, hard_cap)


def pool_tokens(curve: Curve, sold: int) -> int:
    """Base units that stand beside the liquidity share of the raised lamports at the final price, rounded down."""
    lamports = reserve(curve, sold) * LIQUIDITY_BPS // BPS
    return lamports * _PRICE_UNITS_PER_LAMPORT * int(10**curve.decimals) // spot(curve, sold)


def can_graduate(curve: Curve, most: int, liquidity_tokens: int, fee: TransferFee = NO_FEE) -> bool:
    """Whether the pool's tokens suffice wherever the sale ends up to `most` = Q; a mint's fee is taken twice.

    What the pool takes plus what was sold only grows with s, because C(s)·p'(s) ≤ p(s)² for all shapes; so Q decides.
    """
    sent = before_fee(fee, before_fee(fee, pool_tokens(curve, most)))
    return sent <= liquidity_tokens + curve.supply - most
