"""The bonding curve M(S) = P0 + k·S in exact integers. Every rounding leaves the difference in the pool.

Units: USDC in micros, shares in atto (10^-18), `p0` in micros per share, `k` in 10^-18 USDC per share².
With D = 2·10^48 the reserve behind S shares is R(S) = S·(2·10^30·p0 + k·S) / D micros, a ratio of integers; so cost,
revenue and the inverse need one division or one integer square root each, and no error ever accumulates.
Source: requirements EX-020…025, CG-002; seed-exchange D12, D17 (what floats do to it).
"""

from __future__ import annotations

from math import isqrt
from typing import Final, NamedTuple

SHARE_DECIMALS: Final = 18
SHARE: Final = 10**SHARE_DECIMALS
K_DECIMALS: Final = 18

_SCALE: Final = 10**30
"""k·S is 10^36 too large for USDC; 10^30 for micros."""
_DENOMINATOR: Final = 2 * 10**48


class Curve(NamedTuple):
    """`p0` micros per share, at least 1; `k` in 10^-18 USDC per share², at least 0."""

    p0: int
    k: int


def _area(curve: Curve, supply: int) -> int:
    """The integral from 0 to `supply`, times the denominator."""
    return supply * (2 * curve.p0 * _SCALE + curve.k * supply)


def reserve_floor(curve: Curve, supply: int) -> int:
    """Micros behind `supply`, rounded down."""
    return _area(curve, supply) // _DENOMINATOR


def reserve_needed(curve: Curve, supply: int) -> int:
    """Micros the pool must hold for `supply`, rounded up: a reserve below this is a defect."""
    return -(-_area(curve, supply) // _DENOMINATOR)


def spot(curve: Curve, supply: int) -> int:
    """The price of the next share in micros, rounded down."""
    return curve.p0 + curve.k * supply // _SCALE


def buy_cost(curve: Curve, supply: int, shares: int) -> int:
    """Micros that `shares` more cost, rounded up: what we take."""
    return -((_area(curve, supply) - _area(curve, supply + shares)) // _DENOMINATOR)


def sell_revenue(curve: Curve, supply: int, shares: int) -> int:
    """Micros that `shares` ≤ supply bring, rounded down: what we give.

    Raises: ValueError when more is sold than exists.
    """
    if shares > supply:
        raise ValueError("more shares than exist")
    return (_area(curve, supply) - _area(curve, supply - shares)) // _DENOMINATOR


def shares_for(curve: Curve, supply: int, micros: int) -> int:
    """The most shares whose exact cost is at most `micros`: what we give, rounded down to an atto-share.

    With b = 10^30·p0 + k·S, d shares cost (k·d² + 2·b·d) / D, so d fits exactly if (k·d + b)² ≤ b² + k·D·micros.
    """
    slope = curve.p0 * _SCALE + curve.k * supply
    if curve.k == 0:
        return micros * _DENOMINATOR // (2 * slope)
    return (isqrt(slope * slope + curve.k * _DENOMINATOR * micros) - slope) // curve.k
