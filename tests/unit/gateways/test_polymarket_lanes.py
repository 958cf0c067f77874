"""Who goes first when the overall limit makes callers wait."""

from __future__ import annotations

import asyncio

from gateways.limits import TokenBucket
from gateways.polymarket.lanes import Lanes
from gateways.polymarket.routes import Lane


def lanes(rate: float = 100, burst: int = 1) -> Lanes:
    return Lanes(TokenBucket(rate, burst))


async def finish(queue: Lanes, order: list[str], lane: Lane, name: str, at_most_s: float = 5) -> bool:
    taken = await queue.take(lane, at_most_s=at_most_s)
    if taken:
        order.append(name)
    return taken


async def test_a_burst_goes_at_once() -> None:
    queue = lanes(rate=1, burst=5)
    assert all([await queue.take(Lane.METADATA, at_most_s=0.01) for _ in range(5)])
    assert not await queue.take(Lane.TRADES, at_most_s=0.01)
    await queue.aclose()


async def test_whoever_waits_for_a_trade_goes_before_books_marks_and_metadata() -> None:
    queue, order = lanes(), []
    await queue.take(Lane.METADATA, at_most_s=1)
    asked = [(Lane.METADATA, "m1"), (Lane.MARKS, "k"), (Lane.BOOKS, "b"), (Lane.METADATA, "m2"), (Lane.TRADES, "t1"),
             (Lane.TRADES, "t2")]  # fmt: skip
    await asyncio.gather(*(finish(queue, order, lane, name) for lane, name in asked))
    assert order == ["t1", "t2", "b", "k", "m1", "m2"]
    await queue.aclose()


async def test_a_newcomer_does_not_overtake_those_who_wait() -> None:
    queue, order = lanes(rate=20), []
    await queue.take(Lane.TRADES, at_most_s=1)
    first = asyncio.create_task(finish(queue, order, Lane.TRADES, "first"))
    await asyncio.sleep(0)
    await asyncio.gather(first, finish(queue, order, Lane.TRADES, "second"))
    assert order == ["first", "second"]
    await queue.aclose()


async def test_whoever_gives_up_costs_nothing() -> None:
    queue, order = lanes(rate=20), []
    await queue.take(Lane.TRADES, at_most_s=1)
    assert not await finish(queue, order, Lane.TRADES, "impatient", at_most_s=0.005)
    cancelled = asyncio.create_task(finish(queue, order, Lane.TRADES, "cancelled"))
    await asyncio.sleep(0)
    cancelled.cancel()
    began = asyncio.get_running_loop().time()
    assert await finish(queue, order, Lane.METADATA, "last")
    assert asyncio.get_running_loop().time() - began < 0.075, "one token's time, not three"
    assert order == ["last"]
    await queue.aclose()


async def test_the_rate_holds_over_many() -> None:
    queue, order = lanes(rate=200, burst=2), []
    began = asyncio.get_running_loop().time()
    await asyncio.gather(*(finish(queue, order, Lane(number % 4), str(number)) for number in range(42)))
    assert asyncio.get_running_loop().time() - began >= 40 / 200 * 0.95
    assert len(order) == 42
    await queue.aclose()
