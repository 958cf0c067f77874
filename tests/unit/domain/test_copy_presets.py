"""Presets are rules that parse, and do what they are for."""

from __future__ import annotations

import pytest

from domain.copytrade.config import CopyConfig, effective
from domain.copytrade.groups import Source
from domain.copytrade.presets import PRESETS, Preset
from tests.copy_lab import USDC, bankroll, decided, group, inputs


@pytest.mark.parametrize("name", PRESETS)
def test_every_key_of_a_preset_exists_and_differs(name: Preset) -> None:
    rules, general = effective(CopyConfig(), PRESETS[name]).model_dump(), CopyConfig().model_dump()
    given = [(section, key) for section, keys in PRESETS[name].items() for key in keys]
    assert [(section, key) for section, key in given if rules[section][key] == general[section][key]] == []


def test_a_hundred_usdc_buy_what_the_defaults_would_skip() -> None:
    small = inputs(rules=effective(CopyConfig(), PRESETS["small_bankroll"]))
    trade = group(shares=300)
    assert decided(trade, having=bankroll(100 * USDC)).decision == "SKIP"
    made = decided(trade, small, bankroll(100 * USDC))
    assert (made.decision, made.target) == ("EXECUTE", 1_500_000)


def test_what_waited_is_never_less_than_the_venue_takes() -> None:
    small = inputs(rules=effective(CopyConfig(), PRESETS["small_bankroll"]))
    verdicts = [
        decided(group(shares=shares, source=Source.BUFFER, buffered=2), small, bankroll(100 * USDC)).decision
        for shares in (198, 200)
    ]
    assert verdicts == ["SKIP", "EXECUTE"]
