"""Wake-ups: a real newHeads subscription, killed, silent and refused sockets."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

from gateways.evm.wakeups import WakeUps
from localnet.ports import free_port
from tests.chain.gateway_lab import Lab, chain, start
from tests.patience import PATIENCE_S


async def next_tick(ticks: AsyncIterator[None]) -> float:
    """Seconds until the next tick."""
    began = time.monotonic()
    await anext(ticks)
    return time.monotonic() - began


@asynccontextmanager
async def socket(handler: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[str]:
    port = free_port()
    async with serve(handler, "127.0.0.1", port):
        yield f"ws://127.0.0.1:{port}"


async def subscribed(lab: Lab, ticks: AsyncIterator[None], wake_ups: WakeUps, connections: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while wake_ups.connections < connections:
            await anext(ticks)


async def test_a_new_head_wakes_long_before_the_timer(tmp_path: Path) -> None:
    async with chain(tmp_path, set_up=False) as lab:
        wake_ups = WakeUps(lab.evm.ws_url, poll_s=30)
        async with aclosing(wake_ups.ticks()) as ticks:
            await anext(ticks)  # the subscription itself
            waiting = asyncio.create_task(next_tick(ticks))
            await asyncio.sleep(0.05)
            await lab.mine()
            assert await waiting < 20


async def test_a_killed_node_is_subscribed_again_and_the_timer_ticks_meanwhile(tmp_path: Path) -> None:
    async with chain(tmp_path, set_up=False) as lab:
        wake_ups = WakeUps(lab.evm.ws_url, poll_s=0.2)
        async with aclosing(wake_ups.ticks()) as ticks:
            await subscribed(lab, ticks, wake_ups, 1)
            lab.process.kill()
            await lab.process.wait()
            assert min([await next_tick(ticks) for _ in range(5)]) < 1
            await lab.evm.prepare()
            lab.process = await start(lab.evm)
            await subscribed(lab, ticks, wake_ups, 2)


async def test_a_silent_socket_is_replaced() -> None:
    async def silent(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send('{"jsonrpc":"2.0","id":1,"result":"0x1"}')
        await connection.wait_closed()

    async with socket(silent) as url:
        wake_ups = WakeUps(url, poll_s=0.1, silence_s=0.3)
        async with aclosing(wake_ups.ticks()) as ticks:
            async with asyncio.timeout(PATIENCE_S):
                while wake_ups.connections < 3:
                    await anext(ticks)


async def test_a_lost_socket_is_replaced_by_the_next_address() -> None:
    served: list[str] = []

    def once(name: str) -> Callable[[ServerConnection], Awaitable[None]]:
        async def serve_once(connection: ServerConnection) -> None:
            await connection.recv()
            await connection.send('{"jsonrpc":"2.0","id":1,"result":"0x1"}')
            served.append(name)

        return serve_once

    async with socket(once("first")) as first, socket(once("second")) as second:
        wake_ups = WakeUps(first, f"ws://127.0.0.1:{free_port()}", second, poll_s=0.1)
        async with aclosing(wake_ups.ticks()) as ticks:
            async with asyncio.timeout(PATIENCE_S):
                while len(served) < 4:
                    await anext(ticks)
    assert served[:4] == ["first", "second", "first", "second"]


@pytest.mark.parametrize(
    "answer", ['{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}', "<html>", "[]"], ids=str
)
async def test_a_refused_subscription_leaves_the_timer(answer: str) -> None:
    async def refuse(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(answer)
        await connection.wait_closed()

    async with socket(refuse) as url:
        wake_ups = WakeUps(url, poll_s=0.1)
        async with aclosing(wake_ups.ticks()) as ticks:
            began = time.monotonic()
            for _ in range(10):
                await anext(ticks)
            assert 0.8 < time.monotonic() - began < 20
        assert wake_ups.connections <= 6, "back-off grows"


async def test_a_burst_of_heads_is_one_tick() -> None:
    async def burst(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send('{"jsonrpc":"2.0","id":1,"result":"0x1"}')
        for number in range(100):
            await connection.send(f'{{"params":{{"result":{{"number":"{number:#x}"}}}}}}')
        await connection.wait_closed()

    async with socket(burst) as url, aclosing(WakeUps(url, poll_s=30).ticks()) as ticks:
        seen = 0
        with contextlib.suppress(TimeoutError):
            while True:
                await asyncio.wait_for(anext(ticks), 2)
                seen += 1
                await asyncio.sleep(0.2)  # as somebody who has work to do
        assert 2 <= seen < 20


async def test_closing_the_iterator_closes_the_socket() -> None:
    closed = asyncio.Event()

    async def watch(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send('{"jsonrpc":"2.0","id":1,"result":"0x1"}')
        await connection.wait_closed()
        closed.set()

    async with socket(watch) as url:
        async with aclosing(WakeUps(url, poll_s=30).ticks()) as ticks:
            await anext(ticks)
        await asyncio.wait_for(closed.wait(), PATIENCE_S)
