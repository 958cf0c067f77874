"""What makes the feed of sales look: the socket, a new sale, and only one feed at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from domain.shared.errors import Unavailable
from tests.sale_feed_lab import FeedWorld, feed_world, following
from tests.sale_lab import MILLION


@pytest.fixture
async def world(database: str) -> AsyncIterator[FeedWorld]:
    async with feed_world(database) as opened:
        yield opened


async def test_the_process_is_woken_when_the_chain_is_further(world: FeedWorld) -> None:
    keys, _ = await world.sale(seconds=600)
    await world.look()
    assert [name for _, name in world.signals] == ["look"], "it is active and its row says upcoming"
    await world.rows("UPDATE launchpad.sales SET status = 'active'")
    await world.look()
    assert len(world.signals) == 1
    await world.desk.buy(keys, world.wallet(), MILLION)
    world.svm.warp(seconds=700)
    world.svm.warp(slots=40)
    await world.look()
    assert len(world.signals) == 2


async def test_the_socket_and_a_new_sale_wake_the_feed(world: FeedWorld) -> None:
    async with following(world):
        keys, _ = await world.sale()
        world.svm.finalize()
        await world.until(world.kinds, lambda kinds: kinds == ["SaleCreated"])
        await world.desk.buy(keys, world.wallet(), MILLION)
        world.svm.finalize()
        await world.until(world.kinds, lambda kinds: kinds == ["SaleCreated", "Traded"])


async def test_a_socket_that_drops_costs_nothing(world: FeedWorld) -> None:
    async with following(world):
        keys, _ = await world.sale()
        world.svm.finalize()
        for connection in list(world.svm.ports[0].sockets.connections):
            connection.drop(1006)
        await world.desk.buy(keys, world.wallet(), MILLION)
        world.svm.finalize()
        await world.until(world.kinds, lambda kinds: kinds == ["SaleCreated", "Traded"])


async def test_two_feeds_are_one(world: FeedWorld) -> None:
    """A worker that was frozen and thinks it is the feed: the newer one ends its session, and it writes nothing."""
    keys, _ = await world.sale()
    async with following(world) as old:
        async with following(world):
            await world.desk.buy(keys, world.wallet(), MILLION)
            world.svm.finalize()
            await world.until(world.kinds, lambda kinds: kinds == ["SaleCreated", "Traded"])
            await world.until(lambda: asyncio.sleep(0, old.done()), bool)
    with pytest.raises(Unavailable):
        old.result()
