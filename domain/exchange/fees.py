"""Gas prices: what a first attempt offers, what a replacement must offer, and where it stops. All in wei."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

from domain.shared.money import mul_div_ceil

BUMP_NUMERATOR: Final = 1125
BUMP_DENOMINATOR: Final = 1000
"""Replacements raise both fees by 12.5 %: above the 10 % every known node asks for."""


class GasPrice(BaseModel):
    """EIP-1559: `max_fee` per gas in all, `priority` of it to the sequencer."""

    model_config = ConfigDict(frozen=True)
    max_fee: int
    priority: int


class FeePolicy(BaseModel):
    model_config = ConfigDict(frozen=True)
    max_fee_cap: int
    priority: int


def first_price(base_fee: int, policy: FeePolicy) -> GasPrice:
    """Twice the base fee and the configured tip: survives six full blocks of rising base fee."""
    max_fee = min(policy.max_fee_cap, 2 * base_fee + policy.priority)
    return GasPrice(max_fee=max_fee, priority=min(policy.priority, max_fee))


def replacement_price(last: GasPrice, base_fee: int, policy: FeePolicy) -> GasPrice | None:
    """Both fees 12.5 % up (rounded up) and not below a first offer of today; None when the cap forbids it."""
    fresh = first_price(base_fee, policy)
    max_fee = max(fresh.max_fee, mul_div_ceil(last.max_fee, BUMP_NUMERATOR, BUMP_DENOMINATOR))
    priority = max(fresh.priority, mul_div_ceil(last.priority, BUMP_NUMERATOR, BUMP_DENOMINATOR), 1)
    if max_fee > policy.max_fee_cap:
        return None
    return GasPrice(max_fee=max_fee, priority=min(priority, max_fee))


def gas_with_margin(estimate: int) -> int:
    """Estimate × 1.2, rounded up: on Arbitrum the estimate includes the L1 data cost, which moves."""
    return mul_div_ceil(estimate, 12, 10)
