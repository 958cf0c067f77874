"""What the venue takes from a taker: shares · rate · (p(1−p))^exponent per level, in five decimals (polymarket.md 3.6).

A paper order always takes, so it always pays. Both captures of 3.6 agree with rounding half up; neither shows a tie.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from domain.copytrade.config import Guardrails
from domain.copytrade.venue import ONE, FeeSchedule

STEP: Final = 10
"""The venue charges in steps of 0.00001 USDC; what is less than one step is free."""


class FeeRule(NamedTuple):
    """`exponent` None: the rate is of the notional (`fixed`)."""

    rate_ppm: int
    exponent: int | None


FREE: Final = FeeRule(0, 1)


def fee_rule(guardrails: Guardrails, schedule: FeeSchedule | None) -> FeeRule:
    """The rule of `fee_model`. `schedule`: the market's own; one without a schedule charges nothing."""
    if guardrails.fee_model == "fixed":
        return FeeRule(guardrails.fixed_fee_ppm, None)
    if guardrails.fee_model == "zero" or schedule is None:
        return FREE
    return FeeRule(schedule.rate_ppm, schedule.exponent)


def fee_of(rule: FeeRule, shares: int, price: int) -> int:
    """Micros of fee for shares (micros) taken at a price (micros)."""
    over, under = shares * rule.rate_ppm, ONE
    if rule.exponent is None:
        over, under = over * price, under * ONE
    else:
        over, under = over * (price * (ONE - price)) ** rule.exponent, under * (ONE * ONE) ** rule.exponent
    under *= STEP
    if over < under:
        return 0
    return (2 * over + under) // (2 * under) * STEP
