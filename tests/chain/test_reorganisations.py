"""The reorganisation set: never credited twice, never lost, at any depth up to finality."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from domain.exchange.messages import BlockRef
from domain.exchange.tokens import encode_transfer
from localnet.evm_faults import Result
from localnet.evm_proxy import EvmProxy
from tests.world import USDC, World


async def _raw(world: World, tx_hash: str) -> str:
    """The signed bytes of a transaction the node knows."""
    raw: str = await world.rpc("eth_getRawTransactionByHash", tx_hash)
    return raw


async def _reorg(world: World, depth: int, *again: tuple[str, int]) -> None:
    """Replace the newest `depth` blocks; `again`: (raw bytes, offset) included in the new ones."""
    await world.rpc("anvil_reorg", depth, [[raw, offset] for raw, offset in again])


async def _seen(world: World, amount: int, *, blocks_on_top: int = 3) -> tuple[str, str, dict[str, Any]]:
    account = await world.account()
    tx_hash = await world.mint(await world.address(account), amount)
    await world.mine(blocks_on_top)
    await world.settled()
    return account, tx_hash, await world.deposit(tx_hash)


async def test_d14_reorg_drops_the_transfer_and_it_is_never_credited(world: World) -> None:
    account, tx_hash, _ = await _seen(world, 9 * USDC)
    await _reorg(world, 5)
    await world.deposit_status(tx_hash, "orphaned")
    await world.mine(20)
    await world.settled()
    assert (await world.deposit(tx_hash))["status"] == "orphaned"
    assert await world.available(account) == 0


async def test_reorg_includes_the_transfer_in_another_block_and_it_is_credited_once(world: World) -> None:
    account, tx_hash, before = await _seen(world, 9 * USDC)
    await _reorg(world, 5, (await _raw(world, tx_hash), 3))
    await world.until(lambda: world.deposit(tx_hash), lambda row: row["block_number"] != before["block_number"])
    await world.mine(13)
    row = await world.deposit_status(tx_hash, "credited")
    assert row["block_hash"] != before["block_hash"]
    assert await world.available(account) == 9 * USDC
    await world.check_books()


async def test_reorg_shifts_the_log_index_and_the_deposit_keeps_its_identity(world: World) -> None:
    """The same transaction, now second in its block: logIndex 0 becomes 1, the ordinal stays 0."""
    account, other = await world.account(), await world.account()
    stranger = await world.stranger(2 * USDC)
    nonce = int(await world.rpc("eth_getTransactionCount", world.evm.faucet.address, "pending"), 16)
    mint = "0x40c10f19" + encode_transfer(await world.address(account), 5 * USDC)[4:].hex()
    tx_hash = await world.send_raw(world.sign_call(world.token, mint, 0, nonce))
    await world.mine(3)
    await world.settled()
    before = await world.deposit(tx_hash)
    assert before["log_index"] == 0
    # a stranger's transfer goes into the same block before ours
    theirs = world.sign_transfer(stranger, await world.address(other), 2 * USDC)
    await _reorg(world, 3, (theirs, 0), (await _raw(world, tx_hash), 0))
    await world.mine(14)
    row = await world.deposit_status(tx_hash, "credited")
    assert row["log_index"] == 1
    assert row["log_ordinal"] == 0
    assert await world.available(account) == 5 * USDC
    assert len(await world.rows("SELECT id FROM exchange.deposits WHERE tx_hash = %s", tx_hash)) == 1


async def test_conflicting_transaction_replaces_the_deposit_for_good(world: World) -> None:
    """A double spend: the same nonce pays somebody else."""
    account, thief = await world.account(), await world.account()
    nonce = int(await world.rpc("eth_getTransactionCount", world.evm.faucet.address, "pending"), 16)
    mint = "0x40c10f19" + encode_transfer(await world.address(account), 5 * USDC)[4:].hex()
    theft = "0x40c10f19" + encode_transfer(await world.address(thief), 5 * USDC)[4:].hex()
    ours = await world.send_raw(world.sign_call(world.token, mint, 0, nonce))
    await world.mine(3)
    await world.settled()
    await _reorg(world, 4, (world.sign_call(world.token, theft, 0, nonce), 0))
    await world.mine(14)
    await world.deposit_status(ours, "orphaned")
    await world.until(lambda: world.available(thief), lambda micros: micros == 5 * USDC)
    assert await world.available(account) == 0
    await world.check_books()


async def test_deep_reorg_after_credit_with_re_inclusion_credits_nothing_twice(world: World) -> None:
    """Twenty blocks deep: below the twelve confirmations, above finality."""
    account, tx_hash, _ = await _seen(world, 7 * USDC, blocks_on_top=14)
    await world.deposit_status(tx_hash, "credited")
    await _reorg(world, 20, (await _raw(world, tx_hash), 10))
    await world.until(lambda: world.rows("SELECT * FROM platform.alerts WHERE code = 'deep_reorg'"), bool)
    await world.mine(14)
    await world.until(
        lambda: world.rows("SELECT * FROM platform.alerts WHERE code = 'deep_reorg' AND resolved_at IS NULL"),
        lambda rows: rows == [],
    )
    assert (await world.deposit(tx_hash))["status"] == "credited"
    assert await world.available(account) == 7 * USDC
    await world.check_books()


async def test_credited_deposit_dropped_by_a_deep_reorg_stays_and_calls_an_operator(world: World) -> None:
    account, tx_hash, _ = await _seen(world, 7 * USDC, blocks_on_top=14)
    await world.deposit_status(tx_hash, "credited")
    await _reorg(world, 20)
    row = await world.until(lambda: world.deposit(tx_hash), lambda row: row["reason"] == "reorged_after_credit")
    assert row["status"] == "credited"
    assert await world.available(account) == 7 * USDC
    alerts = await world.rows("SELECT severity FROM platform.alerts WHERE code = 'deep_reorg'")
    assert alerts == [{"severity": "critical"}]


async def test_orphan_ends_when_finalized_away_and_its_return_is_a_new_generation(world: World) -> None:
    account, tx_hash, _ = await _seen(world, 6 * USDC)
    raw = await _raw(world, tx_hash)
    await _reorg(world, 5)
    await world.deposit_status(tx_hash, "orphaned")
    await world.mine(40)
    await world.until(lambda: world.deposit(tx_hash), lambda row: row["closed"])
    assert await world.send_raw(raw) == tx_hash
    await world.mine(14)
    row = await world.deposit_status(tx_hash, "credited")
    assert row["generation"] == 1
    assert await world.available(account) == 6 * USDC
    operations = await world.rows("SELECT status FROM platform.operations WHERE kind = 'deposit' ORDER BY id")
    assert [o["status"] for o in operations] == ["failed", "completed"]


async def test_reorg_below_finality_stops_the_chain_until_an_operator_resumes(world: World) -> None:
    account, tx_hash, _ = await _seen(world, 6 * USDC, blocks_on_top=50)
    await world.deposit_status(tx_hash, "credited")
    await world.mine(10)
    await world.settled()
    await _reorg(world, 45)
    halted = await world.until(
        lambda: world.rows("SELECT halted_reason FROM exchange.chain_cursors"),
        lambda rows: bool(rows[0]["halted_reason"]),
    )
    assert "below its finalized block" in halted[0]["halted_reason"]
    assert await world.available(account) == 6 * USDC


async def test_repeated_reorgs_of_every_depth_lose_and_double_nothing(world: World) -> None:
    account = await world.account()
    address = await world.address(account)
    hashes = []
    for depth in range(1, 11):
        tx_hash = await world.mint(address, depth * USDC)
        hashes.append(tx_hash)
        raw = await _raw(world, tx_hash)
        await world.mine(depth - 1)
        await asyncio.sleep(0.15)
        await _reorg(world, depth, (raw, 0))
    await world.mine(16)
    for tx_hash in hashes:
        await world.deposit_status(tx_hash, "credited")
    assert await world.available(account) == sum(range(1, 11)) * USDC
    await world.check_books()


async def test_scanner_asks_for_each_block_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parent hash of the next block vouches for the one before; a quiet chain is not asked for blocks at all."""
    await world.settled()
    asked: list[int] = []
    blocks = world.parts.chain.blocks

    async def noted(numbers: Sequence[int]) -> list[BlockRef]:
        asked.extend(numbers)
        return await blocks(numbers)

    monkeypatch.setattr(world.parts.chain, "blocks", noted)
    first = int(await world.rpc("eth_blockNumber"), 16) + 1
    for _ in range(4):
        await world.mine()
        await world.settled()
    assert asked == list(range(first, first + 4))
    await _reorg(world, 2)
    await world.mine()
    await world.settled()
    kept = await world.rows("SELECT number, hash FROM exchange.chain_blocks ORDER BY number DESC LIMIT 5")
    for block in kept:
        assert (await world.rpc("eth_getBlockByNumber", hex(block["number"]), False))["hash"] == block["hash"]


async def test_lagging_node_delays_but_does_not_lose(idle_world: World) -> None:
    """Receipts that are not indexed yet answer null: the range is read again."""
    world = idle_world
    account = await world.account()
    address = await world.address(account)
    async with EvmProxy(world.evm.rpc_url) as proxy:
        proxy.fail("eth_getTransactionReceipt", Result(None), times=3)
        async with world.behind(proxy.url), world.workers():
            tx_hash = await world.mint(address, 4 * USDC)
            await world.mine(13)
            await world.deposit_status(tx_hash, "credited")
    assert await world.available(account) == 4 * USDC
