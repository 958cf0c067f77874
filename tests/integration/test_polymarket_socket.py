"""The market socket on the local venue: books by flow, silence noticed, connections replaced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from gateways.polymarket.market_socket import MarketSocket, Timing
from tests.patience import PATIENCE_S
from tests.venue_desk import Desk, desk

USUAL = Timing()


@asynccontextmanager
async def following(
    keys: list[str], chunk: int = 200, timing: Timing = USUAL
) -> AsyncIterator[tuple[Desk, MarketSocket]]:
    async with desk() as made:
        socket = MarketSocket(
            made.venue.ws_url, quarantine=made.keep, chunk=chunk, timing=timing, uniform=lambda low, high: 0.02
        )
        try:
            await socket.follow([token(made, key) for key in keys])
            yield made, socket
        finally:
            await socket.aclose()


def token(made: Desk, key: str) -> str:
    return made.venue.venue.token(key)[1].id


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_books_arrive_and_are_the_clobs() -> None:
    async with following(["treaty-signed:0", "bitcoin-up:1"]) as (made, socket):
        one = token(made, "treaty-signed:0")
        await until(lambda: socket.book(one) and socket.book(token(made, "bitcoin-up:1")))
        found = socket.book(one)
        assert found is not None
        book, age_s = found
        asked = await made.polymarket.clob.book(one)
        assert asked is not None
        assert (book.bids, book.asks, book.tick_micros) == (asked.bids, asked.asks, asked.tick_micros)
        assert age_s < 5
        assert socket.book(token(made, "border-open:0")) is None, "not followed"
        assert made.held == []


async def test_changes_of_levels_are_followed() -> None:
    async with following(["treaty-signed:0", "treaty-signed:1"]) as (made, socket):
        one = token(made, "treaty-signed:0")
        await until(lambda: socket.book(one))
        for price in ("0.40", "0.41", "0.39"):
            await made.venue.book("treaty-signed:0", [(price, "11"), ("0.3", "5")], [("0.45", "7.5")])
            bid = int(float(price) * 100 + 0.5) * 10_000
            await until(lambda bid=bid: socket.touch(one) == (bid, 450_000))  # type: ignore[misc]
        book = await made.polymarket.clob.book(one)
        found = socket.book(one)
        assert book is not None
        assert found is not None
        assert (found[0].bids, found[0].asks) == (book.bids, book.asks)


async def test_a_new_tick_brings_a_new_book() -> None:
    async with following(["treaty-signed:0"]) as (made, socket):
        one = token(made, "treaty-signed:0")
        await until(lambda: socket.book(one))
        await made.venue.perform("tick", market="treaty-signed", tick="0.001")
        await made.venue.book("treaty-signed:0", [("0.401", "11")], [("0.402", "7.5")])
        await asyncio.sleep(0.1)
        found = socket.book(one)
        assert found is None or found[0].tick_micros == 1_000, "never an old tick with new prices"


@pytest.mark.parametrize("code", [1006, 1013, 1001])
async def test_a_dropped_connection_is_made_again(code: int) -> None:
    async with following(["treaty-signed:0"]) as (made, socket):
        one = token(made, "treaty-signed:0")
        await until(lambda: socket.book(one))
        await made.venue.sockets(drop=code)
        await until(lambda: socket.connections >= 2 and socket.book(one))


async def test_a_subscribed_but_silent_socket_is_not_fresh_and_is_replaced() -> None:
    timing = Timing(ping=0.05, stale=0.3, mute=0.6)
    async with following(["treaty-signed:0"], timing=timing) as (made, socket):
        one = token(made, "treaty-signed:0")
        await until(lambda: socket.book(one))
        await made.venue.sockets(mood="silent")
        await until(lambda: socket.book(one) is None)
        await until(lambda: socket.connections >= 2)
        made.venue.heal()
        await until(lambda: socket.book(one))


async def test_a_socket_that_does_not_even_answer_ping_is_replaced() -> None:
    timing = Timing(ping=0.05, stale=0.3, mute=60)
    async with following(["treaty-signed:0"], timing=timing) as (made, socket):
        await until(lambda: socket.book(token(made, "treaty-signed:0")))
        await made.venue.sockets(mood="deaf")
        await until(lambda: socket.connections >= 2)


async def test_tokens_are_spread_over_connections_and_follow_changes() -> None:
    async with following([], chunk=2) as (made, socket):
        tokens = [one.id for market in list(made.venue.venue.markets.values())[:3] for one in market.tokens]
        await socket.follow(tokens[:5])
        await until(lambda: all(socket.book(one) for one in tokens[:5]))
        assert made.venue.channel.accepted == 3
        await socket.follow(tokens[2:])
        await until(lambda: all(socket.book(one) for one in tokens[2:]))
        assert socket.book(tokens[0]) is None
        assert made.venue.channel.accepted == 3, "one closed, the new token found room"
        await socket.follow([])
        assert socket.connections == 0


async def test_waits_grow_while_the_venue_refuses() -> None:
    waits: list[float] = []
    async with desk() as made:
        await made.venue.sockets(mood="refuses")
        socket = MarketSocket(
            made.venue.ws_url, quarantine=made.keep, uniform=lambda low, high: waits.append(high) or 0.01
        )
        await socket.follow([token(made, "treaty-signed:0")])
        await until(lambda: len(waits) >= 8)
        await socket.aclose()
    assert waits[:8] == [0.5, 1, 2, 4, 8, 16, 30, 30]


async def test_unknown_frames_are_kept_once_and_the_others_go_on() -> None:
    async with following(["treaty-signed:0"]) as (made, socket):
        one = token(made, "treaty-signed:0")
        await until(lambda: socket.book(one))
        line = socket._line_of[one]
        for _ in range(3):
            await socket.read('[{"event_type":"weather"},{"event_type":"new_market"}]', line.books)
        await socket.read("not json", line.books)
        assert [(held.kind, held.reason) for held in made.held] == [
            ("clob_market_socket", "unknown frame 'weather'"), ("clob_market_socket", "not JSON")
        ]  # fmt: skip
        assert socket.book(one)
