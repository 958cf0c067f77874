"""Which transfers the gateway reports: Arbitrum's checklist for exchanges (TV-1…8) and ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from eth_account import Account

from localnet import nitro
from localnet.evm import CHAIN_ID
from localnet.evm_proxy import EvmProxy
from tests.chain.gateway_lab import Lab, call_data, chain, fresh_address


@pytest_asyncio.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with chain(tmp_path) as lab:
        yield lab


async def test_tv_1_native_eth_is_not_reported(lab: Lab) -> None:
    to = fresh_address()
    await lab.send(to, value=10**18)
    assert await lab.node().transfers_to([to], 0, await lab.head()) == []
    assert await lab.node().eth_balances([to]) == [10**18]


async def test_tv_2_an_erc_20_transfer_is_reported(lab: Lab) -> None:
    to = fresh_address()
    tx_hash = await lab.transfer(to, 1_234_567)
    receipt = await lab.receipt(tx_hash)
    (log,) = await lab.node().transfers_to([to], 0, await lab.head())
    assert (log.chain_id, log.tx_hash, log.token, log.amount) == (CHAIN_ID, tx_hash, lab.usdc, 1_234_567)
    assert (log.from_address, log.to_address) == (lab.user.address.lower(), to)
    assert (log.block_number, log.block_hash) == (int(receipt["blockNumber"], 16), receipt["blockHash"])
    assert (log.log_index, log.log_ordinal) == (0, 0)


async def test_tv_3_a_reverted_transfer_is_not_reported(lab: Lab) -> None:
    to = fresh_address()
    await lab.mint(lab.caller, 100)
    tx_hash = await lab.send(lab.caller, call_data("moveAndRevert(address,address,uint256)", lab.usdc, to, 100))
    receipt = await lab.receipt(tx_hash)
    assert receipt["status"] == "0x0"
    assert await lab.node().transfers_to([to], 0, await lab.head()) == []
    assert await lab.node().transfer_in_block(receipt["blockHash"], tx_hash, 0) is None


async def test_tv_4_a_transfer_by_an_internal_call_is_reported(lab: Lab) -> None:
    to = fresh_address()
    await lab.mint(lab.caller, 100)
    tx_hash = await lab.send(lab.caller, call_data("move(address,address,uint256)", lab.usdc, to, 100))
    (log,) = await lab.node().transfers_to([to], 0, await lab.head())
    assert (log.tx_hash, log.from_address, log.amount) == (tx_hash, lab.caller, 100)


async def test_tv_5_internal_eth_is_not_reported(lab: Lab) -> None:
    to = fresh_address()
    await lab.send(lab.caller, call_data("sendEther(address,uint256)", to, 5), value=5)
    assert await lab.node().eth_balances([to]) == [5]
    assert await lab.node().transfers_to([to], 0, await lab.head()) == []


async def check_special(lab: Lab, special: nitro.Special, watched: str) -> None:
    """A block with the special transaction in it reads as if it were not there, and its own receipt reads too."""
    async with EvmProxy(lab.evm.rpc_url) as proxy:
        special_hash = await proxy.inject(special)
        tx_hash = await lab.transfer(watched, 7)
        node = lab.node(proxy.url)
        head = await node.head()
        assert special_hash in (await proxy.view.answer("eth_getBlockByNumber", ["latest", False]))["transactions"]
        assert await node.blocks([head.latest.number]) == [head.latest]
        (log,) = await node.transfers_to([watched], 0, head.latest.number)
        assert (log.tx_hash, log.log_ordinal, log.amount) == (tx_hash, 0, 7)
        assert await node.transfer_in_block(log.block_hash, tx_hash, 0) == log
        receipt = await node.receipt(special_hash, lab.usdc)
        assert receipt
        assert receipt.transfers == ()
        assert await node.knows(special_hash)


async def test_tv_6_a_deposit_transaction_of_type_0x64_is_not_reported(lab: Lab) -> None:
    to = fresh_address()
    await check_special(lab, nitro.deposit(CHAIN_ID, to, 10**18), to)


async def test_tv_7_an_internal_transaction_of_type_0x6a_is_not_reported(lab: Lab) -> None:
    await check_special(lab, nitro.internal(CHAIN_ID, await lab.head() + 1), fresh_address())


async def test_the_other_special_types_are_tolerated(lab: Lab) -> None:
    for make in (nitro.unsigned, nitro.contract, nitro.submit_retryable, nitro.retry):
        to = fresh_address()
        await check_special(lab, make(CHAIN_ID, to, 5), to)


async def test_tv_8_a_spoofed_transfer_is_reported_under_its_own_token(lab: Lab) -> None:
    to = fresh_address()
    await lab.send(lab.hostile, call_data("spoof(address,address,uint256)", lab.user.address, to, 10**9))
    (log,) = await lab.node().transfers_to([to], 0, await lab.head())
    assert log.token == lab.hostile != lab.usdc
    assert await lab.node().token_balances(lab.usdc, [to], None) == [0]


async def test_several_transfers_in_one_transaction_get_ordinals(lab: Lab) -> None:
    ours, other = fresh_address(), fresh_address()
    await lab.mint(lab.caller, 100)
    await lab.rpc.call("evm_setAutomine", False)
    await lab.transfer(other, 1)  # shifts the log index, not the ordinal
    many = call_data("moveMany(address,address[],uint256[])", lab.usdc, [ours, other, ours], [1, 2, 3])
    tx_hash = await lab.send(lab.caller, many)
    head = await lab.mine()
    logs = await lab.node().transfers_to([ours], head, head)
    assert [(log.tx_hash, log.log_index, log.log_ordinal, log.amount) for log in logs] == [
        (tx_hash, 1, 0, 1),
        (tx_hash, 3, 2, 3),
    ]
    node = lab.node()
    assert await node.transfer_in_block(logs[1].block_hash, tx_hash, 2) == logs[1]
    between = await node.transfer_in_block(logs[1].block_hash, tx_hash, 1)
    assert between
    assert between.to_address == other
    assert await node.transfer_in_block(logs[1].block_hash, tx_hash, 3) is None


async def test_a_reorg_that_shifts_the_log_index_keeps_the_ordinal(lab: Lab) -> None:
    ours, other = fresh_address(), fresh_address()
    rival = Account.create()
    await lab.rpc.call("anvil_setBalance", rival.address, hex(10**20))
    await lab.mine()
    tx_hash = await lab.transfer(ours, 50)
    raw = await lab.raw(tx_hash)
    (before,) = await lab.node().transfers_to([ours], 0, await lab.head())
    assert before.log_index == 0
    earlier = await lab.signed(
        lab.hostile, call_data("mint(address,uint256)", other, 1), account=rival, max_fee=2 * 10**11
    )
    await lab.reorg(1, (earlier, 0), (raw, 0))
    node = lab.node()
    (after,) = await node.transfers_to([ours], 0, await lab.head())
    assert (after.tx_hash, after.log_index, after.log_ordinal) == (tx_hash, 1, 0)
    assert after.block_hash != before.block_hash
    assert await node.transfer_in_block(before.block_hash, tx_hash, 0) is None
    assert await node.transfer_in_block(after.block_hash, tx_hash, 0) == after


async def test_a_transfer_dropped_by_a_reorg_is_gone(lab: Lab) -> None:
    to = fresh_address()
    tx_hash = await lab.transfer(to, 50)
    node = lab.node()
    (log,) = await node.transfers_to([to], 0, await lab.head())
    await lab.reorg(1)
    assert await node.transfers_to([to], 0, await lab.head()) == []
    assert await node.transfer_in_block(log.block_hash, tx_hash, 0) is None
    assert await node.receipt(tx_hash, lab.usdc) is None


async def test_erc_721_is_skipped_and_odd_data_is_kept(lab: Lab) -> None:
    """Two logs by a contract of raw opcodes: Transfer with 4 topics and 0 bytes, Transfer with 3 topics and 1 byte."""
    to = fresh_address()
    topic = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
    recipient = "7f" + to[2:].rjust(64, "0")
    nft = "6007" + recipient + "6001" + "7f" + topic + "6000" + "6000" + "a4"
    odd = recipient + "6001" + "7f" + topic + "6001" + "6000" + "a3"
    await lab.send(None, "0x" + nft + odd + "00")
    assert await lab.node().transfers_to([to], 0, await lab.head()) == []
    ((_, kind, reason, payload),) = lab.odd
    assert (kind, reason, payload["count"]) == ("transfer_log", "data of 1 bytes instead of 32", 1)


async def test_more_addresses_than_one_query_takes(lab: Lab) -> None:
    crowd = [f"0x{i:040x}" for i in range(10**6, 10**6 + 12_500)]
    for to in (crowd[0], crowd[999], crowd[1000], crowd[-1]):
        await lab.transfer(to, 3)
    head = await lab.head()
    found = await lab.node().transfers_to(crowd, 0, head)
    assert [log.to_address for log in found] == [crowd[0], crowd[999], crowd[1000], crowd[-1]]
