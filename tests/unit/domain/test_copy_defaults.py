"""Every default that the seeds and the design lock, one by one: CT-084, CT-101, CT-201, CT-100."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from domain.copytrade.config import CopyConfig, Guardrails, Sizing, SmallTrades, effective
from domain.copytrade.reasons import Reason, in_order

GUARDRAILS: dict[str, Any] = {
    "max_worsening_vs_their_fill_micros": 10_000,
    "max_over_mid_micros": 15_000,
    "max_spread_micros": 20_000,
    "min_depth_multiplier_bps": 12_500,
    "no_new_opens_within_minutes_to_close": 30,
    "unknown_close": "allow",
    "decision_latency_ms": 750,
    "jitter_ms_max": 250,
    "aggregation_window_ms": 2_000,
    "max_copy_age_ms": 60_000,
    "max_book_age_ms": None,
    "max_buy_cost_per_share_micros": None,
    "max_total_exposure_bps": 7_000,
    "max_exposure_per_market_bps": 500,
    "max_exposure_per_event_bps": 1_000,
    "max_exposure_per_user_bps": 2_000,
    "daily_loss_limit_bps": 300,
    "weekly_loss_limit_bps": 800,
    "max_drawdown_limit_bps": 1_200,
    "fee_model": "schedule",
    "fixed_fee_ppm": 0,
}
SIZING: dict[str, Any] = {
    "sizing_mode": "fixed_rate",
    "copy_pct_notional_bps": 100,
    "min_trade_notional_micros": 5_000_000,
    "max_trade_notional_micros": 250_000_000,
    "max_trade_bankroll_bps": 75,
    "below_minimum": "clamp",
    "min_leader_trade_notional_micros": 0,
    "budgeted_dynamic_enabled": False,
    "budget_micros": 0,
    "budget_rate_min_ppm": 0,
    "budget_rate_max_ppm": 10_000,
    "budget_enforcement": "hard",
}
SMALL_TRADES: dict[str, Any] = {
    "enabled": False,
    "threshold_micros": 250_000,
    "flush_minimum_micros": 500_000,
    "execution_minimum_micros": 100_000,
    "longest_ms": 2_500,
    "quiet_ms": 600,
    "netting": "same_side_only",
}


@pytest.mark.parametrize(("key", "value"), GUARDRAILS.items())
def test_guardrail_default_is_locked(key: str, value: Any) -> None:
    assert getattr(CopyConfig().guardrails, key) == value


@pytest.mark.parametrize(("key", "value"), SIZING.items())
def test_sizing_default_is_locked(key: str, value: Any) -> None:
    assert getattr(CopyConfig().sizing, key) == value


@pytest.mark.parametrize(("key", "value"), SMALL_TRADES.items())
def test_small_trades_default_is_locked(key: str, value: Any) -> None:
    assert getattr(CopyConfig().small_trades, key) == value


def test_no_default_is_left_out_of_these_lists() -> None:
    assert set(Guardrails.model_fields) == set(GUARDRAILS)
    assert set(Sizing.model_fields) == set(SIZING)
    assert set(SmallTrades.model_fields) == set(SMALL_TRADES)


@pytest.mark.parametrize(
    "code",
    [
        "RISK_CAP_GLOBAL",
        "RISK_CAP_USER",
        "SPREAD_TOO_WIDE",
        "INSUFFICIENT_DEPTH",
        "PRICE_WORSE_THAN_THEIR_FILL",
        "PRICE_TOO_FAR_OVER_MID",
        "NO_LIQUIDITY_WITHIN_BOUNDS",
        "MARKET_TOO_CLOSE_TO_CLOSE",
        "CIRCUIT_BREAKER_TRIPPED",
        "NOT_ENOUGH_POSITION_TO_SELL",
        "MERGE_SPLIT_NOT_APPLICABLE",
    ],
)
def test_locked_reason_code_keeps_its_name(code: str) -> None:
    assert Reason(code) == code


def test_reasons_are_told_breakers_first_then_caps_then_the_book() -> None:
    told = in_order(
        [Reason.SPREAD_TOO_WIDE, Reason.RISK_CAP_USER, Reason.CIRCUIT_BREAKER_TRIPPED, Reason.RISK_CAP_USER]
    )
    assert told == (Reason.CIRCUIT_BREAKER_TRIPPED, Reason.RISK_CAP_USER, Reason.SPREAD_TOO_WIDE)


def test_override_changes_its_keys_and_inherits_the_rest() -> None:
    general = effective(CopyConfig(), {"guardrails": {"max_spread_micros": 30_000}})
    merged = effective(general, {"sizing": {"copy_pct_notional_bps": 50}})
    assert (merged.guardrails.max_spread_micros, merged.sizing.copy_pct_notional_bps) == (30_000, 50)
    assert merged.sizing.max_trade_bankroll_bps == 75


@pytest.mark.parametrize(
    "override",
    [
        {"guardrails": {"max_spread": 1}},
        {"sizing": {"copy_pct_notional_bps": 10_001}},
        {"sizing": {"copy_pct_notional_bps": "100"}},
        {"sizing": {"copy_pct_notional_bps": 1.5}},
        {"guardrails": {"max_spread_micros": -1}},
        {"rules": {}},
        {"sizing": 5},
    ],
)
def test_override_that_does_not_fit_is_refused(override: Any) -> None:
    with pytest.raises(ValidationError):
        effective(CopyConfig(), override)
