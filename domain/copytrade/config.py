"""Copying rules as configuration: guardrails, sizing, the buffer of small trades. One model for API and worker.

Integers with their unit in the name: `_micros` of USDC or of a price, `_bps`, `_ppm`, `_ms`. The GLOBAL row holds every
key, a USER row only those that differ; an absent key inherits (CT-222). Defaults are CT-084 and CT-101.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Bps = Annotated[int, Field(ge=0, le=10_000)]
Micros = Annotated[int, Field(ge=0, le=10**15)]
Price = Annotated[int, Field(ge=0, le=1_000_000)]
Ms = Annotated[int, Field(ge=0, le=86_400_000)]
Ppm = Annotated[int, Field(ge=0, le=1_000_000)]


class Guardrails(BaseModel):
    """When a group is not copied."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    max_worsening_vs_their_fill_micros: Price = 10_000
    max_over_mid_micros: Price = 15_000
    max_spread_micros: Price = 20_000
    min_depth_multiplier_bps: Annotated[int, Field(ge=0, le=1_000_000)] = 12_500
    no_new_opens_within_minutes_to_close: Annotated[int, Field(ge=0, le=100_000)] = 30
    unknown_close: Literal["allow", "block"] = "allow"
    decision_latency_ms: Annotated[int, Field(ge=0, le=60_000)] = 750
    jitter_ms_max: Annotated[int, Field(ge=0, le=60_000)] = 250
    aggregation_window_ms: Annotated[int, Field(ge=1, le=600_000)] = 2_000
    max_copy_age_ms: Ms = 60_000
    max_book_age_ms: Ms | None = None
    max_buy_cost_per_share_micros: Price | None = None
    max_total_exposure_bps: Bps = 7_000
    max_exposure_per_market_bps: Bps = 500
    max_exposure_per_event_bps: Bps = 1_000
    max_exposure_per_user_bps: Bps = 2_000
    daily_loss_limit_bps: Bps = 300
    weekly_loss_limit_bps: Bps = 800
    max_drawdown_limit_bps: Bps = 1_200
    fee_model: Literal["schedule", "zero", "fixed"] = "schedule"
    fixed_fee_ppm: Ppm = 0


class Sizing(BaseModel):
    """How much of a group is copied."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    sizing_mode: Literal["fixed_rate", "budgeted_dynamic"] = "fixed_rate"
    copy_pct_notional_bps: Bps = 100
    min_trade_notional_micros: Micros = 5_000_000
    max_trade_notional_micros: Micros = 250_000_000
    max_trade_bankroll_bps: Bps = 75
    below_minimum: Literal["clamp", "skip"] = "clamp"
    min_leader_trade_notional_micros: Micros = 0
    budgeted_dynamic_enabled: bool = False
    budget_micros: Micros = 0
    budget_rate_min_ppm: Ppm = 0
    budget_rate_max_ppm: Ppm = 10_000
    budget_enforcement: Literal["hard", "soft"] = "hard"


class SmallTrades(BaseModel):
    """Trades too small to copy alone wait for company (CT-201). Off by default."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    enabled: bool = False
    threshold_micros: Micros = 250_000
    flush_minimum_micros: Micros = 500_000
    execution_minimum_micros: Micros = 100_000
    longest_ms: Ms = 2_500
    quiet_ms: Ms = 600
    netting: Literal["same_side_only", "net_buy_sell"] = "same_side_only"


class CopyConfig(BaseModel):
    """Everything that governs the copying of one followed user, or of all (GLOBAL)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    guardrails: Guardrails = Guardrails()
    sizing: Sizing = Sizing()
    small_trades: SmallTrades = SmallTrades()


Override = Mapping[str, Mapping[str, Any]]
"""The keys of a CopyConfig that differ from GLOBAL, section by section."""


def effective(general: CopyConfig, override: Override) -> CopyConfig:
    """GLOBAL with a user's keys put over it.

    Raises: pydantic.ValidationError for an unknown key, a wrong type or a value out of range.
    """
    merged = general.model_dump()
    for section, keys in override.items():
        kept = merged.get(section)
        merged[section] = {**kept, **keys} if isinstance(kept, dict) and isinstance(keys, Mapping) else keys
    return CopyConfig.model_validate(merged)
