"""The venue's market channel: books on subscription, what changes after, and the ways it falls silent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.patience import PATIENCE_S
from tests.world.venue import RunningVenue, running_venue


@pytest_asyncio.fixture(loop_scope="session")
async def venue() -> AsyncIterator[RunningVenue]:
    async with running_venue(seed=7) as running:
        yield running


async def heard(socket: ClientConnection, seconds: float = PATIENCE_S) -> Any:
    text = await asyncio.wait_for(socket.recv(), seconds)
    return text if text == "PONG" else json.loads(text)


async def silent(socket: ClientConnection) -> bool:
    try:
        await asyncio.wait_for(socket.recv(), 0.2)
    except TimeoutError:
        return True
    return False


async def subscribe(socket: ClientConnection, *assets: str, custom: bool = False) -> None:
    frame = {"type": "market", "assets_ids": list(assets), "custom_feature_enabled": custom}
    await socket.send(json.dumps(frame))


async def test_the_first_frame_is_a_list_of_books(venue: RunningVenue) -> None:
    first, second = (venue.venue.token(f"treaty-signed:{place}")[1].id for place in (0, 1))
    async with connect(venue.ws_url) as socket:
        await subscribe(socket, first)
        [book] = await heard(socket)
        assert (book["event_type"], book["asset_id"], book["tick_size"]) == ("book", first, "0.01")
        assert float(book["bids"][-1]["price"]) < float(book["asks"][-1]["price"])
        await socket.send("PING")
        assert await heard(socket) == "PONG"
        await socket.send(json.dumps({"operation": "subscribe", "assets_ids": [second, first, "unknown"]}))
        assert [one["asset_id"] for one in await heard(socket)] == [second], "only what is new and known"
        await socket.send("nonsense")
        assert await asyncio.wait_for(socket.recv(), PATIENCE_S) == "INVALID OPERATION"


async def test_changed_levels_are_absolute_and_zero_removes(venue: RunningVenue) -> None:
    first = venue.venue.token("treaty-signed:0")[1].id
    await venue.book("treaty-signed:0", [("0.4", "10"), ("0.3", "5")], [("0.5", "7")])
    async with connect(venue.ws_url) as socket:
        await subscribe(socket, first)
        await heard(socket)
        await venue.book("treaty-signed:0", [("0.4", "12.5")], [("0.5", "7"), ("0.6", "1")])
        frame = await heard(socket)
        assert (frame["event_type"], "asset_id" in frame) == ("price_change", False)
        changes = [
            (one["side"], one["price"], one["size"]) for one in frame["price_changes"] if one["asset_id"] == first
        ]
        assert changes == [("BUY", "0.3", "0"), ("BUY", "0.4", "12.5"), ("SELL", "0.6", "1")]
        assert {(one["best_bid"], one["best_ask"]) for one in frame["price_changes"] if one["asset_id"] == first} == {
            ("0.4", "0.5")
        }
        await socket.send(json.dumps({"operation": "unsubscribe", "assets_ids": [first]}))
        await socket.send("PING")
        assert await heard(socket) == "PONG"
        await venue.book("treaty-signed:0", [("0.4", "1")], [])
        assert await silent(socket)


async def test_a_trade_is_told_without_its_wallet(venue: RunningVenue) -> None:
    first = venue.venue.token("bitcoin-up:0")[1].id
    async with connect(venue.ws_url) as socket:
        await subscribe(socket, first)
        await heard(socket)
        deed = await venue.trade("alice", "bitcoin-up:0", "BUY", "20")
        trade, book = await heard(socket), await heard(socket)
        assert (trade["event_type"], trade["transaction_hash"], trade["side"]) == (
            "last_trade_price", deed.tx_hash, "BUY"
        )  # fmt: skip
        assert venue.address("alice") not in json.dumps(trade)
        assert (book["event_type"], book["last_trade_price"]) == ("book", f"{float(trade['price']):.3f}")


async def test_ticks_and_resolutions_are_told(venue: RunningVenue) -> None:
    market = venue.venue.market("album-of-the-year")
    ids = [token.id for token in market.tokens]
    async with connect(venue.ws_url) as plain, connect(venue.ws_url) as custom:
        await subscribe(plain, ids[0])
        await subscribe(custom, *ids, custom=True)
        await heard(plain)
        await heard(custom)
        await venue.perform("tick", market="album-of-the-year", tick="0.001")
        change, book = await heard(plain), await heard(plain)
        assert (change["event_type"], change["old_tick_size"], change["new_tick_size"]) == (
            "tick_size_change", "0.01", "0.001"
        )  # fmt: skip
        assert (book["event_type"], book["tick_size"]) == ("book", "0.001")
        for _ in range(4):
            await heard(custom)
        await venue.resolve("album-of-the-year", 1)
        resolved = await heard(custom)
        assert (resolved["event_type"], resolved["winning_asset_id"], resolved["assets_ids"]) == (
            "market_resolved", ids[1], ids
        )  # fmt: skip
        assert await silent(plain), "only for those who asked for it"


async def test_more_than_500_assets_get_nothing(venue: RunningVenue) -> None:
    for number in range(252):
        await venue.market(f"many-{number}", event="many")
    ids = [token for token in venue.venue.tokens][:501]
    async with connect(venue.ws_url) as socket:
        await subscribe(socket, *ids)
        assert await silent(socket)
    async with connect(venue.ws_url, max_size=2**24) as socket:
        await subscribe(socket, *ids[:500])
        assert len(await heard(socket)) == 500


async def test_a_socket_can_be_silent_deaf_dropped_or_refused(venue: RunningVenue) -> None:
    first = venue.venue.token("treaty-signed:0")[1].id
    async with connect(venue.ws_url) as socket:
        await subscribe(socket, first)
        await heard(socket)
        await venue.sockets("silent")
        await venue.trade("alice", "treaty-signed:0", "BUY", "5")
        assert await silent(socket)
        await socket.send("PING")
        assert await heard(socket) == "PONG", "silent, yet alive"
        await venue.sockets("deaf")
        await socket.send("PING")
        assert await silent(socket)
        await venue.sockets("refuses", drop=1006)
        with pytest.raises(ConnectionClosed):
            await heard(socket)
    with pytest.raises(InvalidStatus):
        await connect(venue.ws_url)
    venue.heal()
    async with connect(venue.ws_url) as socket:
        await subscribe(socket, first)
        assert len(await heard(socket)) == 1
        await venue.sockets(drop=1013)
        with pytest.raises(ConnectionClosed, match="1013"):
            await heard(socket)


async def test_moving_books_tell_their_changes() -> None:
    async with running_venue(seed=7, moving=True) as venue:
        first = venue.venue.token("bitcoin-up:0")[1].id
        async with connect(venue.ws_url) as socket:
            await subscribe(socket, first)
            [book] = await heard(socket)
            levels = {(side, one["price"]): one["size"] for side in ("bids", "asks") for one in book[side]}
            frame = await heard(socket)
            assert frame["event_type"] == "price_change"
            for one in frame["price_changes"]:
                if one["asset_id"] == first:
                    side = "bids" if one["side"] == "BUY" else "asks"
                    assert levels.get((side, one["price"])) != one["size"]
