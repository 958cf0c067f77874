"""What an asset is made with: defaults, bounds, checks, and the shard whose engine serves it.

Units: USDC in micros, `k` in 10^-18 USDC per share². Source: exchange.md 10, 13; CG-005, CG-017, CG-020.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from domain.shared.errors import Rejected
from domain.shared.money import USDC, USDC_ONE

FEE_BPS: Final = (30, 200)
LONGEST_FUNDING: Final = timedelta(days=90)
PRICE_MAX: Final = 10**6 * USDC_ONE - 1
"""Start prices are below 1,000,000 USDC, so that a spot price fits 64 bits whatever the supply."""
SLOPE_MAX: Final = 10**24 - 1
SHARDS: Final = 1_024


class AssetDefaults(BaseModel):
    """What an asset gets that its request leaves out; `lp_part_bps`, the providers' part of a fee, always."""

    model_config = ConfigDict(frozen=True)
    p0_micros: int = Field(USDC_ONE, ge=1, le=PRICE_MAX)
    k_atto: int = Field(10**16, ge=0, le=SLOPE_MAX)
    soft_cap_micros: int = Field(2_500 * USDC_ONE, ge=1)
    hard_cap_micros: int = Field(25_000 * USDC_ONE, ge=1)
    fee_bps: int = Field(50, ge=FEE_BPS[0], le=FEE_BPS[1])
    lp_part_bps: int = Field(9_000, ge=0, le=10_000)
    breaker_bps: int = Field(1_500, ge=0, le=10_000)
    funding_days: int = Field(7, ge=1, le=90)


class AssetPlan(BaseModel):
    """An asset to be made, complete."""

    model_config = ConfigDict(frozen=True)
    symbol: str
    name: str
    p0_micros: int
    k_atto: int
    soft_cap_micros: int
    hard_cap_micros: int
    funding_deadline: datetime
    oracle_queries: tuple[str, ...]
    breaker_bps: int
    fee_bps: int
    lp_part_bps: int


def check_plan(plan: AssetPlan, now: datetime) -> None:
    """What no single field can say.

    Raises: Rejected validation_failed with the field's pointer; symbol_taken for the unit of account.
    """
    if plan.hard_cap_micros < plan.soft_cap_micros:
        raise Rejected("validation_failed", "the hard cap is below the soft cap", pointer="/hard_cap_usdc")
    if not now < plan.funding_deadline <= now + LONGEST_FUNDING:
        detail = f"the deadline must be in the future and at most {LONGEST_FUNDING.days} days away"
        raise Rejected("validation_failed", detail, pointer="/funding_deadline")
    if plan.symbol == USDC:
        raise Rejected("symbol_taken", f"{USDC} is what assets are paid with")


def exactly(value: Decimal, decimals: int) -> int:
    """A decimal number of a setting in units of 10^-decimals; ValueError when it has more decimals."""
    scaled = value.scaleb(decimals)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{value} has more than {decimals} decimals")
    return int(scaled)


def shard_of(asset_id: str) -> int:
    """0 to 1,023, from the random end of the id; engine `shard modulo engines` serves it."""
    return int(asset_id[-4:], 16) % SHARDS
