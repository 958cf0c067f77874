"""The scanner against a provider that misbehaves: late, never wrong, nothing skipped."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from localnet.evm_faults import ODD_ENVELOPES, Drop, Envelope, Fault, Result, html, server_error, too_many_requests
from localnet.evm_proxy import EvmProxy
from storage.database import transaction
from storage.intents.system import decide_quarantine
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
                await world.deposit_status(tx_hash, "credited")
    assert await world.available(account) == 8 * USDC
    await world.check_books()


async def _replay(world: World) -> str:
    """As an operator's POST does; returns the item's id."""
    [item] = await world.rows("SELECT id, kind, reason FROM platform.quarantine WHERE state = 'held'")
    assert (item["kind"], item["reason"]) == ("transfer_log", "data of 1 bytes instead of 32")
    async with transaction(world.parts.pool) as connection:
        await decide_quarantine(connection, item_id=item["id"], state="replayed", principal="test", note="")
    return str(item["id"])


async def test_a_transfer_that_was_passed_over_is_read_again_on_replay(idle_world: World) -> None:
    """The node garbled it; the scanner kept it and went on. Replayed too early it is held again, later credited."""
    world = idle_world
    account = await world.account()
    tx_hash = await world.mint(await world.address(account), 2 * USDC)
    receipt = await world.rpc("eth_getTransactionReceipt", tx_hash)
    number = int(receipt["blockNumber"], 16)

    def covers(params: Sequence[Any]) -> bool:
        return int(params[0]["fromBlock"], 16) <= number <= int(params[0]["toBlock"], 16)

    async with EvmProxy(world.evm.rpc_url) as proxy:
        garbled = Result([{**receipt["logs"][0], "data": "0x01"}])
        proxy.fail("eth_getLogs", garbled, times=None, match=covers)
        async with world.behind(proxy.url), world.workers():
            await world.mine(20)
            await world.settled()
            assert (await world.deposit(tx_hash))["status"] == "unseen"
            item = await _replay(world)
            look = "SELECT state, taken_up_at IS NOT NULL AS taken FROM platform.quarantine WHERE id = %s"
            await world.until(lambda: world.row(look, item), lambda row: row["state"] == "held")
            later = await world.mint(await world.address(account), 3 * USDC)
            await world.mine(13)
            await world.deposit_status(later, "credited")
            proxy.heal("eth_getLogs")
            await _replay(world)
            await world.deposit_status(tx_hash, "credited")
            assert await world.row(look, item) == {"state": "replayed", "taken": True}
    assert await world.available(account) == 5 * USDC
    await world.check_books()


async def test_a_replay_that_fails_does_not_stop_the_scanner(idle_world: World) -> None:
    world = idle_world
    account = await world.account()
    payload = {"first_block": 1, "last_block": 3}
    async with EvmProxy(world.evm.rpc_url) as proxy:
        async with world.behind(proxy.url), world.workers():
            await world.mine()
            await world.settled()
            proxy.fail("eth_getLogs", server_error(), times=None, match=lambda params: params[0]["fromBlock"] == "0x1")
            await world.parts.jobs.quarantine("node", "transfer_log", "data of 1 bytes instead of 32", payload)
            await _replay(world)
            tx_hash = await world.mint(await world.address(account), 2 * USDC)
            await world.mine(13)
            await world.deposit_status(tx_hash, "credited")
    await world.check_books()


async def test_refused_ranges_are_halved_until_they_fit(idle_world: World) -> None:
    world = idle_world
    account = await world.account()
    tx_hash = await world.mint(await world.address(account), 2 * USDC)
    await world.mine(200)
    async with EvmProxy(world.evm.rpc_url) as proxy:
        proxy.view.max_log_range = 20
        async with world.behind(proxy.url), world.workers():
            await world.deposit_status(tx_hash, "credited")
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
                await world.deposit_status(tx_hash, "credited")
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
            await world.deposit_status(tx_hash, "credited")
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
