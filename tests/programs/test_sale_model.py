"""Random sequences of all instructions: the programs and the Python rules agree to the unit after each."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.programs.model import World

STEPS_PER_SALE = 50
DONE = {
    *("buy", "sell", "claim", "burn", "refund", "reclaim", "distribute", "settle", "claimReferral", "closePosition"),
    *("harvest", "graduate", "swapIn", "swapOut", "burnFromPool", "claimVested", "releaseOther"),
}
REFUSED = {
    *(
        "notActive",
        "notLatched",
        "latched",
        "notEnded",
        "ended",
        "notGraduated",
        "nothingDue",
        "nothingLeft",
        "tooDear",
    ),
    *("1", "notMeasured", "wrongOwner", "notEmpty", "zeroTradingTokens", "exceededSlippage"),
}
"""Reasons the sequence can have. 1: the token program's "insufficient funds"; wrongOwner: no position or no vesting;
notMeasured: a sale of so little that the mint's fee takes all of it."""


def run(random: Random) -> Counter[str]:
    """One sale to its end."""
    world = World(random)
    seen = Counter(world.step() for _ in range(STEPS_PER_SALE))
    world.finish()
    return seen


@pytest.mark.parametrize("part", range(4))
def test_random_sequences_conserve_everything(part: int) -> None:
    """10^4 calls in all, above 2,000 of them whole trades."""
    seen: Counter[str] = Counter()
    for sale in range(50):
        seen += run(Random(part * 10_000 + sale))
    assert DONE <= set(seen) <= DONE | REFUSED, seen
    assert seen["buy"] + seen["sell"] + seen["swapIn"] + seen["swapOut"] > 500


@given(st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_sequences_hypothesis_finds_conserve_everything(random: Random) -> None:
    """A failure here shrinks to the few calls it needs."""
    assert set(run(random)) <= DONE | REFUSED


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_long_random_sequences_conserve_everything() -> None:
    """10^5 calls."""
    seen: Counter[str] = Counter()
    for sale in range(2_000):
        seen += run(Random(1_000_000 + sale))
    assert set(seen) <= DONE | REFUSED, seen
