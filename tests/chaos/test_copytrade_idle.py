"""Ten minutes of following three leaders: memory and processor time stay within their limits (make soak)."""

from __future__ import annotations

import pytest

from benchmarks import copytrade_idle


@pytest.mark.soak
@pytest.mark.timeout(1_200)
async def test_following_three_leaders_takes_little() -> None:
    assert await copytrade_idle.measure(600)
