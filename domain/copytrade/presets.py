"""Rules for a known use, as keys to put over the others (CT-211)."""

from __future__ import annotations

from typing import Final, Literal

from domain.copytrade.config import Override

Preset = Literal["small_bankroll"]

PRESETS: Final[dict[Preset, Override]] = {
    # Some hundred USDC: the defaults would open nothing under 667. Nothing smaller than the venue takes, 1 USDC, is
    # bought: what is smaller waits until that much has come together.
    "small_bankroll": {
        "guardrails": {"max_exposure_per_market_bps": 1_000, "max_exposure_per_event_bps": 2_000},
        "sizing": {"min_trade_notional_micros": 1_000_000, "max_trade_bankroll_bps": 500},
        "small_trades": {
            "enabled": True,
            "threshold_micros": 1_000_000,
            "flush_minimum_micros": 1_000_000,
            "execution_minimum_micros": 1_000_000,
        },
    },
}
