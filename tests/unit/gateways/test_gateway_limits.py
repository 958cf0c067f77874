"""Token buckets on a clock of our own."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from gateways.limits import PAUSE_MAX_S, TokenBucket, retry_after_s


class Clock:
    """Time that passes only in sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds


def bucket(rate: float = 10, burst: int = 5) -> tuple[TokenBucket, Clock]:
    clock = Clock()
    return TokenBucket(rate, burst, clock=clock, sleep=clock.sleep), clock


async def test_a_burst_goes_at_once_and_then_the_rate_holds() -> None:
    limit, clock = bucket()
    for _ in range(8):
        assert await limit.take()
    assert clock.slept == [0.1, 0.1, 0.1]


async def test_the_bucket_never_holds_more_than_its_burst() -> None:
    limit, clock = bucket()
    clock.now += 1000
    assert await limit.take(5)
    assert limit.wait_s() == pytest.approx(0.1)


async def test_too_long_a_wait_is_refused_and_takes_nothing() -> None:
    limit, clock = bucket()
    await limit.take(5)
    assert not await limit.take(3, at_most_s=0.2)
    assert limit.wait_s() == pytest.approx(0.1)
    assert await limit.take(2, at_most_s=0.2)
    assert clock.slept == [0.2]


async def test_a_call_dearer_than_the_bucket_waits_for_a_full_one_and_leaves_a_debt() -> None:
    limit, clock = bucket()
    assert await limit.take(25)
    assert clock.slept == []
    assert limit.wait_s() == pytest.approx(2.1)


async def test_a_pause_holds_everybody_and_is_bounded() -> None:
    limit, _ = bucket()
    limit.pause(3)
    assert limit.wait_s() == pytest.approx(3)
    limit.pause(1)
    assert limit.wait_s() == pytest.approx(3)
    limit.pause(10**9)
    assert limit.wait_s() == pytest.approx(PAUSE_MAX_S)


async def test_a_cancelled_waiter_gives_its_tokens_back() -> None:
    limit = TokenBucket(0.01, 1)
    await limit.take()
    waiting = asyncio.create_task(limit.take())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert limit.wait_s() == pytest.approx(100, abs=1)


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0)])
def test_limits_that_make_no_sense(rate: float, burst: int) -> None:
    with pytest.raises(ValueError):
        TokenBucket(rate, burst)


def test_retry_after() -> None:
    assert retry_after_s({}) == 0
    assert retry_after_s({"retry-after": " 7 "}) == 7
    assert retry_after_s({"retry-after": "soon"}) == 0
    assert retry_after_s({"retry-after": "-3"}) == 0
    assert retry_after_s({"retry-after": "²"}) == 0
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert retry_after_s({"retry-after": in_a_minute}) == pytest.approx(60, abs=2)
    assert retry_after_s({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
