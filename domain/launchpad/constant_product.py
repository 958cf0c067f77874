"""A pool of two tokens along x · y = k, as Raydium CPMM and the local stand-in (programs/pool) compute it.

Reserves are what the pool trades with: its vaults without the fees set aside in it. Amounts are what arrived in a vault
and what leaves one; a mint's own transfer fee comes before and after.
Source: chains.md 3.2.
"""

from __future__ import annotations

from math import isqrt
from typing import Final, NamedTuple

RATE_WHOLE: Final = 1_000_000
LOCKED_CLAIM: Final = 100


class Rates(NamedTuple):
    """In millionths: the trade fee of what comes in; protocol's and fund's parts of that fee."""

    trade: int = 2_500
    protocol: int = 120_000
    fund: int = 40_000


RATES: Final = Rates()
"""Of Raydium's first configuration, and of the stand-in's only one."""


class Swap(NamedTuple):
    """`out` leaves; `protocol` and `fund` of what came in are set aside, the rest of the fee stays in the reserve."""

    out: int
    protocol: int
    fund: int


def initial_claim(first: int, second: int) -> int:
    """LP tokens the creator gets for filling the vaults; not above 0 when the pool cannot be made."""
    return isqrt(first * second) - LOCKED_CLAIM


def swap(amount: int, reserve_in: int, reserve_out: int, rates: Rates = RATES) -> Swap:
    """Everything rounds for the pool: the fee up, its parts and what leaves down."""
    fee = -(-amount * rates.trade // RATE_WHOLE)
    net = amount - fee
    return Swap(
        net * reserve_out // (reserve_in + net),
        fee * rates.protocol // RATE_WHOLE,
        fee * rates.fund // RATE_WHOLE,
    )
