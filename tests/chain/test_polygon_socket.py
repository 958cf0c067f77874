"""The socket to a Polygon node that does what it likes: waits, refusals, lies, and what becomes of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from domain.copytrade.contracts import DEFAULT
from gateways.polymarket.chain_session import Down, HeadSeen, Odd, Up
from gateways.polymarket.chain_shapes import SeenLog
from tests.chain.polygon_node import LEADER, Listener, node
from tests.patience import PATIENCE_S
from tests.world import copytrade as by_hand


async def test_waits_grow_from_a_second_to_five_minutes() -> None:
    async with node() as bad:
        bad.refuse = [(502, {})] * 12
        listener = Listener(bad.url)
        lost = await listener.until(Down, 12)
    assert [down.pause_s for down in lost] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert {down.reason for down in lost} == {"HTTP 502"}
    assert [down.failures for down in lost] == list(range(1, 13))


async def test_a_steady_connection_begins_the_waits_anew() -> None:
    async with node() as bad:
        bad.refuse = [(502, {})] * 3
        listener = Listener(bad.url)

        async def cut() -> None:
            await bad.opened.wait()
            listener.now += 61
            await bad.sockets[0].close()

        cutting = asyncio.create_task(cut())
        lost = await listener.until(Down, 4)
        await cutting
    assert [down.pause_s for down in lost] == [1, 2, 4, 1]


async def test_too_many_requests_are_answered_with_two_to_ten_minutes() -> None:
    async with node() as bad:
        bad.refuse = [(429, {}), (429, {}), (502, {}), (429, {"Retry-After": "500"}), (429, {}), (429, {})]
        lost = await Listener(bad.url).until(Down, 6)
    assert [(down.throttled, down.pause_s) for down in lost] == [
        (True, 120), (True, 240), (False, 4), (True, 500), (True, 600), (True, 600),
    ]  # fmt: skip


async def test_the_key_in_the_address_stands_in_no_reason() -> None:
    async with node() as bad:
        bad.refuse = [(403, {})]
        url = bad.url
        [lost] = await Listener(url).until(Down)
    assert "secret" not in lost.reason
    [lost] = await Listener(url).until(Down)
    assert "secret" not in lost.reason


async def test_a_predecessors_wait_is_kept() -> None:
    async with node() as good:
        listener = Listener(good.url)
        async with asyncio.timeout(PATIENCE_S), contextlib.aclosing(listener.socket.news(wait_s=480)) as news:
            assert isinstance(await anext(news), Up)
    assert listener.waits == [480]


async def test_up_comes_when_everything_stands_and_only_takers_own_topics_are_asked() -> None:
    async with node() as good:
        [up] = await Listener(good.url).until(Up)
    assert (up.wallets, up.fresh) == (1, True)
    asked = [call["params"] for call in good.calls if call["method"] == "eth_subscribe"]
    assert asked[0] == ["newHeads"]
    topic = "0x" + LEADER[2:].rjust(64, "0")
    fills = asked[1][1]
    assert fills["topics"] == [DEFAULT.topics.order_filled, None, [topic]]
    assert len(fills["address"]) == 4
    assert [len(params[1]["topics"]) for params in asked[1:]] == [3, 2, 4]
    assert [params[1]["topics"].index([topic]) for params in asked[1:]] == [2, 1, 3]


async def test_hundreds_of_wallets_are_spread_over_several_subscriptions() -> None:
    async with node() as good:
        listener = Listener(good.url)
        listener.socket.watch(frozenset(by_hand.wallet() for _ in range(450)))
        await listener.until(Up)
    sizes = [len(call["params"][1]["topics"][2]) for call in good.calls if _asks_for_fills(call)]
    assert sizes == [200, 200, 50]


def _asks_for_fills(call: dict[str, Any]) -> bool:
    params = call["params"]
    return len(params) == 2 and isinstance(params[1], dict) and params[1]["topics"][0] == DEFAULT.topics.order_filled


async def test_nobody_to_follow_means_no_connection() -> None:
    async with node() as good:
        listener = Listener(good.url)
        listener.socket.watch(frozenset())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5), contextlib.aclosing(listener.socket.news()) as news:
                await anext(news)
        assert not good.sockets


async def test_a_refused_subscription_and_another_chain_are_reasons_to_leave() -> None:
    async with node() as bad:

        async def refuse(socket: ServerConnection, call: dict[str, Any]) -> None:
            error = {"code": -32602, "message": "too many topics"}
            await socket.send(json.dumps({"jsonrpc": "2.0", "id": call["id"], "error": error}))

        bad.answer = refuse
        [lost] = await Listener(bad.url).until(Down)
        assert "too many topics" in lost.reason
        bad.answer, bad.chain = bad.confirm, "0x1"
        [lost] = await Listener(bad.url).until(Down)
        assert "chain 0x1 instead of 137" in lost.reason


async def test_a_subscription_that_is_never_confirmed_is_given_up() -> None:
    async with node() as bad:

        async def nothing(socket: ServerConnection, call: dict[str, Any]) -> None:
            listener.now += 11

        bad.answer = nothing
        listener = Listener(bad.url)
        [lost] = await listener.until(Down)
    assert "confirm" in lost.reason


async def test_without_a_head_the_connection_is_left_whatever_else_it_says() -> None:
    async with node() as bad:
        listener = Listener(bad.url, silence_s=30)

        async def fall_silent() -> None:
            await bad.subscribed.wait()
            await bad.head(5)
            await asyncio.sleep(0.2)
            listener.now += 31

        silence = asyncio.create_task(fall_silent())
        [lost] = await listener.until(Down)
        await silence
    assert lost.reason == "no new head for 30 s"


async def test_what_is_no_json_ends_the_connection_and_what_is_odd_is_kept_for_an_operator() -> None:
    async with node() as bad:
        listener = Listener(bad.url)

        async def speak() -> None:
            await bad.subscribed.wait()
            await bad.tell({"address": "0xnonsense"})
            await bad.tell({**_fill(), "data": "0x00"})
            await bad.tell(_fill())
            await bad.head(7)
            await bad.sockets[-1].send("<html>")

        speaking = asyncio.create_task(speak())
        found: list[Any] = []
        async with asyncio.timeout(PATIENCE_S), contextlib.aclosing(listener.socket.news()) as news:
            async for item in news:
                found.append(item)
                if isinstance(item, Down):
                    break
        await speaking
    assert [type(item) for item in found] == [Up, Odd, Odd, SeenLog, HeadSeen, Down]
    assert found[1].what.kind == "log"
    assert "bytes of data" in found[2].what.reason
    assert found[3].said.wallet == LEADER
    assert "JSON" in found[5].reason


def _fill() -> dict[str, Any]:
    topics = [DEFAULT.topics.order_filled, "0x" + "0f" * 32, "0x" + LEADER[2:].rjust(64, "0"), "0x" + "00" * 32]
    return {
        "address": DEFAULT.that_speak(*[c.speaks for c in DEFAULT.contracts if c.name == "CTF Exchange V2"])[0],
        "topics": topics,
        "data": "0x" + "".join(f"{value:064x}" for value in (0, 5, 6, 7, 0, 0, 0)),
        "blockNumber": hex(92_000_000),
        "blockHash": "0x" + "bb" * 32,
        "transactionHash": "0x" + "77" * 32,
        "logIndex": "0x0",
        "removed": False,
    }


async def test_a_change_of_wallets_asks_first_and_ends_the_old_subscriptions_afterwards() -> None:
    async with node() as good:
        listener = Listener(good.url)
        ups: list[Up] = []
        async with asyncio.timeout(PATIENCE_S), contextlib.aclosing(listener.socket.news()) as news:
            async for item in news:
                if isinstance(item, Up):
                    ups.append(item)
                if len(ups) == 1:
                    listener.socket.watch(frozenset({LEADER, by_hand.wallet()}))
                if len(ups) == 2:
                    await good.head(1)
                if isinstance(item, HeadSeen):
                    break
        methods = [call["method"] for call in good.calls]
        assert methods == ["eth_chainId", *["eth_subscribe"] * 7, *["eth_unsubscribe"] * 3]
        assert {call["params"][0] for call in good.calls[-3:]} == {"0x3", "0x4", "0x5"}
    assert [(up.wallets, up.fresh) for up in ups] == [(1, True), (2, False)]
