"""What an asset may be made with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import uuid_utils

from domain.exchange.assets import AssetDefaults, AssetPlan, check_plan, exactly, shard_of
from domain.shared.errors import Rejected
from domain.shared.money import USDC_ONE


def test_the_deadline_is_within_ninety_days() -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    plan = AssetPlan(symbol="A", name="a", p0_micros=1, k_atto=0, soft_cap_micros=1, hard_cap_micros=1,
                     funding_deadline=now + timedelta(days=90), oracle_queries=(), breaker_bps=0, fee_bps=30,
                     lp_part_bps=0)  # fmt: skip
    check_plan(plan, now)
    for moment in (now, now + timedelta(days=90, microseconds=1)):
        with pytest.raises(Rejected, match="deadline"):
            check_plan(plan.model_copy(update={"funding_deadline": moment}), now)


def test_the_hard_cap_is_not_below_the_soft_cap() -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    plan = AssetPlan(symbol="A", name="a", p0_micros=1, k_atto=0, soft_cap_micros=2, hard_cap_micros=2,
                     funding_deadline=now + timedelta(days=1), oracle_queries=(), breaker_bps=0, fee_bps=30,
                     lp_part_bps=0)  # fmt: skip
    check_plan(plan, now)
    with pytest.raises(Rejected, match="hard cap"):
        check_plan(plan.model_copy(update={"hard_cap_micros": 1}), now)
    with pytest.raises(Rejected, match="symbol_taken"):
        check_plan(plan.model_copy(update={"symbol": "USDC"}), now)


def test_defaults_are_those_of_the_requirements() -> None:
    found = AssetDefaults()
    assert (found.p0_micros, found.k_atto) == (USDC_ONE, 10**16)
    assert (found.soft_cap_micros, found.hard_cap_micros) == (2_500 * USDC_ONE, 25_000 * USDC_ONE)
    assert (found.fee_bps, found.lp_part_bps, found.breaker_bps, found.funding_days) == (50, 9_000, 1_500, 7)


def test_settings_become_exact_defaults() -> None:
    assert exactly(Decimal("0.005"), 4) == 50
    assert exactly(Decimal("2500"), 6) == 2_500 * USDC_ONE
    assert exactly(Decimal("1e3"), 6) == 10**9
    with pytest.raises(ValueError, match="more than 4 decimals"):
        exactly(Decimal("0.00505"), 4)


def test_shards_fit_their_column_and_spread() -> None:
    shards = [shard_of(str(uuid_utils.uuid7())) for _ in range(2_000)]
    assert all(0 <= s < 1_024 for s in shards)
    assert len(set(shards)) > 500
