"""The price that is shown: what the market says and what the signals say, weighed by how much is traded.

    w = clamp(0.5 + 0.5·V/(V + V0), 0.2, 0.95)        D = w·M + (1 − w)·F        F ← F·(1 + β·δ)

M is the curve's spot price, V the last five minutes' volume, F the fundamental price, which starts at P0 and which
only signals move. D is not smoothed, and nothing here ever touches the curve. Every rounding goes down; the weight is
rounded first, so that the stored weight, M and F give the stored D again.

Units: USDC micros; F in pico-USDC (10^-12), because one signal may move it by less than a micro; weights and moves in
basis points; β in millionths. Source: exchange.md 12, CG-007, CG-009, EX-060…065, EX-080, EX-081.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from domain.exchange import prices
from domain.exchange.prices import BPS, Window
from domain.shared.money import mul_div_floor

VOLUME_S: Final = 300
PICO: Final = 10**6
"""Pico-USDC in a micro."""
MILLION: Final = 10**6
HARD_BOUND_BPS: Final = 3_000
"""No signal moves more than this, whatever the settings say."""
DEGRADED_BPS: Final = 9_500
HOUR_MS: Final = 3_600_000
_HALF_BPS: Final = 5_000
_LEAST_BPS: Final = 2_000
_MOST_BPS: Final = 9_500


class Policy(NamedTuple):
    """`decay_bps`: how far F moves towards M in an hour, 0 never. `volume_scale`: V0, micros."""

    beta_millionths: int
    volume_scale: int
    delta_cap_bps: int
    decay_bps: int = 0


class Breach(NamedTuple):
    """The display price went from `old` to `new` micros: `change_bps` of `old`, with its sign, rounded down."""

    old: int
    new: int
    change_bps: int


def weight_bps(volume: int, policy: Policy, *, degraded: bool = False) -> int:
    """How much the market counts. Without a word from the oracle for long: 0.95 (EX-065)."""
    if degraded:
        return DEGRADED_BPS
    weight = _HALF_BPS + mul_div_floor(_HALF_BPS, volume, volume + policy.volume_scale)
    return max(_LEAST_BPS, min(_MOST_BPS, weight))


def display(market: int, fundamental: int, weight: int) -> int:
    """D in micros, at least one."""
    return max(1, (weight * market * PICO + (BPS - weight) * fundamental) // (BPS * PICO))


def bounded(delta_bps: int, policy: Policy) -> int:
    """The move of a signal within its bounds."""
    cap = min(policy.delta_cap_bps, HARD_BOUND_BPS)
    return max(-cap, min(cap, delta_bps))


def moved(fundamental: int, delta_bps: int, policy: Policy) -> int:
    """F after one signal whose move is within its bounds: β of the move is taken. At least one pico."""
    return max(1, fundamental + mul_div_floor(fundamental, policy.beta_millionths * delta_bps, MILLION * BPS))


def decayed(fundamental: int, market: int, elapsed_ms: int, policy: Policy) -> int:
    """F after `elapsed_ms` without anything but time: a step towards M, never past it."""
    step = min(HOUR_MS * BPS, max(0, elapsed_ms) * policy.decay_bps)
    return fundamental + mul_div_floor(market * PICO - fundamental, step, HOUR_MS * BPS)


def breach(window: Window, standing: int, price: int, limit_bps: int) -> Breach | None:
    """How far `price` jumped, if further than `limit_bps` from what was shown in the trailing minute; else None.

    Told is the price it jumped furthest from, in proportion.
    """
    if not prices.breaches(window, standing, price, limit_bps):
        return None
    low, high = (min(standing, window.low), max(standing, window.high)) if window.buckets else (standing, standing)
    old = low if abs(price - low) * high > abs(price - high) * low else high
    return Breach(old, price, mul_div_floor(price - old, BPS, old))
