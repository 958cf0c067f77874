"""The scanner against a provider that misbehaves: late, never wrong, nothing skipped."""

from __future__ import annotations

import asyncio

import pytest

from localnet.evm_faults import ODD_ENVELOPES, Drop, Envelope, Fault, html, server_error, too_many_requests
from localnet.evm_proxy import EvmProxy
from tests.world import USDC, World

STORM: list[tuple[str, list[Fault]]] = [
    ("429 with and without Retry-After", [too_many_requests(1), too_many_requests(None)]),
    ("5xx and HTML bodies", [server_error(), html(502), html(200)]),
    ("dropped connections", [Drop(), Drop()]),
    ("envelopes of unknown shape", [Envelope(value) for value in ODD_ENVELOPES[:4]]),
]


@pytest.mark.parametrize(("name", "faults"), STORM, ids=[name for name, _ in STORM])
async def test_faults_delay_but_lose_nothing(idle_world: World, name: str, faults: list[Fault]) -> None:
    world = idle_world
    account = await world.account()
    address = await world.address(account)
    async with EvmProxy(world.evm.rpc_url) as proxy:
        for number, fault in enumerate(faults):
            proxy.fail("eth_getLogs", fault, times=2, skip=2 + number)
            proxy.fail("eth_getBlockByNumber", fault, times=2, skip=20 + 7 * number)
        async with world.behind(proxy.url), world.workers():
            hashes = []
            for _ in range(4):
                hashes.append(await world.mint(address, 2 * USDC))
                await asyncio.sleep(0.2)
            await world.mine(13)
            for tx_hash in hashes:
                await world.deposit_status(tx_hash, "credited", timeout=60)
    assert await world.available(account) == 8 * USDC
    await world.check_books()


async def test_refused_ranges_are_halved_until_they_fit(idle_world: World) -> None:
    world = idle_world
    account = await world.account()
    tx_hash = await world.mint(await world.address(account), 2 * USDC)
    await world.mine(200)
    async with EvmProxy(world.evm.rpc_url) as proxy:
        proxy.view.max_log_range = 20
        async with world.behind(proxy.url), world.workers():
            await world.deposit_status(tx_hash, "credited", timeout=60)
    assert await world.available(account) == 2 * USDC


async def test_node_that_lags_stops_nothing_and_skips_nothing(idle_world: World) -> None:
    """The node steps back ten blocks: the scanner waits for it and goes on where it was."""
    world = idle_world
    account = await world.account()
    address = await world.address(account)
    async with EvmProxy(world.evm.rpc_url) as proxy:
        async with world.behind(proxy.url), world.workers():
            first = await world.mint(address, 2 * USDC)
            await world.mine(3)
            await world.deposit_status(first, "confirming")
            proxy.view.lag = 10
            second = await world.mint(address, 3 * USDC)
            await world.mine(13)
            await asyncio.sleep(1)
            proxy.view.lag = 0
            await world.mine(2)
            for tx_hash in (first, second):
                await world.deposit_status(tx_hash, "credited", timeout=60)
    assert await world.available(account) == 5 * USDC
    await world.check_books()


async def test_two_nodes_that_disagree_on_a_hash_stop_the_scanner_until_they_agree(idle_world: World) -> None:
    world = idle_world
    account = await world.account()
    address = await world.address(account)
    async with EvmProxy(world.evm.rpc_url) as liar:
        liar.view.fork_from = int(await world.rpc("eth_blockNumber"), 16) - 5
        async with world.behind(world.evm.rpc_url, liar.url), world.workers():
            tx_hash = await world.mint(address, 2 * USDC)
            await world.mine(20)
            await asyncio.sleep(2)
            assert (await world.deposit(tx_hash))["status"] == "unseen"
            liar.view.fork_from = None
            await world.deposit_status(tx_hash, "credited", timeout=60)
    assert await world.available(account) == 2 * USDC


async def test_silent_websocket_costs_promptness_only(idle_world: World) -> None:
    world = idle_world
    account = await world.account()
    address = await world.address(account)
    async with EvmProxy(world.evm.rpc_url) as proxy:
        proxy.muted = True
        world.settings = world.settings.model_copy(update={"arbitrum_ws_url": proxy.ws_url})
        async with world.workers():
            tx_hash = await world.mint(address, 2 * USDC)
            await world.mine(13)
            await world.deposit_status(tx_hash, "credited")
