"""Random sequences of calls: the program and the Python rules agree to the unit after each."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from tests.programs.model import World

STEPS_PER_SALE = 50


def _run(seed: int) -> Counter[str]:
    world = World(Random(seed))
    seen: Counter[str] = Counter()
    while seen.total() < STEPS_PER_SALE and seen["notActive"] < 3:
        seen[world.step()] += 1
    if not world.model.latched:
        world.refund_all()
        seen["refund"] += 1
    return seen


def _runs(first: int, steps: int) -> Counter[str]:
    seen: Counter[str] = Counter()
    while seen.total() < steps:
        seen += _run(first)
        first += 1
    return seen


@pytest.mark.parametrize("part", range(4))
def test_random_sequences_conserve_everything(part: int) -> None:
    """10^4 calls in all, above 2,000 of them whole trades."""
    seen = _runs(part * 10_000, 2_500)
    assert min(seen[name] for name in ("buy", "sell", "claim", "refund")) > 0
    assert seen["buy"] + seen["sell"] > 500
    assert set(seen) <= EXPECTED, seen


EXPECTED = {"buy", "sell", "claim", "refund", "notActive", "notLatched", "nothingDue", "1", "notMeasured", "wrongOwner"}
"""Done, or refused for a reason the sequence can have. 1: the token program's "insufficient funds"; wrongOwner: a claim
without a position; notMeasured: a sale of so little that the mint's fee takes all of it."""


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_long_random_sequences_conserve_everything() -> None:
    """10^5 calls."""
    assert set(_runs(1_000_000, 100_000)) <= EXPECTED
