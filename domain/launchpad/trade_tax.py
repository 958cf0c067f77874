"""The tax of a trade on the curve and who is owed it: the same integers as programs/launchpad/tax.h.

Lamports; rates in basis points. The buyer pays value + tax, the seller receives value - tax. Σ parts = tax, always.
Source: launchpad.md 8; CG-070, CG-071; seed-systems F-19, F-24, F-25, F-26.
"""

from __future__ import annotations

from typing import Final, NamedTuple

BPS: Final = 10_000
TAX_BPS: Final = 200
TAX_BPS_MOST: Final = 500
REFERRAL_BPS: Final = 2_500
LEVEL_PERCENT: Final = (40, 20, 15, 15, 10)


class Split(NamedTuple):
    """`referral` per level, nearest upline first; the rest in four parts."""

    referral: tuple[int, ...]
    marketing: int
    treasury: int
    burn: int
    rewards: int


def tax_of(value: int, bps: int = TAX_BPS) -> int:
    """Rounded up; 0 only on 0, and never more than `value`."""
    return -(-value * bps // BPS)


def split(tax: int, uplines: int, referral_bps: int = REFERRAL_BPS) -> Split:
    """Referral comes off the top for the levels that exist, each share rounded down; what stays is quartered.

    The remainder of the quarters goes to the holders' rewards.
    """
    pool = tax * referral_bps // BPS
    shares = tuple(pool * percent // 100 for percent in LEVEL_PERCENT[:uplines])
    rest = tax - sum(shares)
    quarter = rest // 4
    return Split(shares, quarter, quarter, quarter, rest - 3 * quarter)
