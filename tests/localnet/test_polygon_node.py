"""The local Polygon: its contracts stand at the real addresses, it survives a kill, and stays small."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from contracts import load
from domain.copytrade.contracts import DEFAULT
from localnet.polymarket.chain import NotMined
from localnet.polymarket.chain_calls import CODE, EXCHANGES, Call, Order, match, resolve, split
from localnet.polymarket.chain_node import CHAIN_ID, FIRST_BLOCK, RunningPolygon, running_polygon

ONE = 1_000_000
LEADER, STRANGER = "0x" + "a1" * 20, "0x" + "b2" * 20
CONDITION = "0x" + "cd" * 32


def bought(usdc: int = ONE) -> Call:
    return match(Order(LEADER, "BUY", "7", 2 * ONE, usdc), [Order(STRANGER, "SELL", "7", 2 * ONE, usdc)])


async def logs(polygon: RunningPolygon) -> list[Any]:
    found: list[Any] = await polygon.exchange.rpc(
        "eth_getLogs", {"fromBlock": hex(FIRST_BLOCK), "toBlock": "latest", "address": EXCHANGES["v2"]}
    )
    return found


async def test_every_contract_of_the_table_has_its_code(tmp_path: Path) -> None:
    async with running_polygon(tmp_path) as polygon:
        rpc = polygon.exchange.rpc
        assert int(await rpc("eth_chainId"), 16) == CHAIN_ID
        for contract in DEFAULT.contracts:
            if contract.speaks in CODE:
                code = await rpc("eth_getCode", contract.address, "latest")
                assert code == await rpc("eth_call", {"data": load(CODE[contract.speaks]).bytecode}, "latest")
        await polygon.exchange.prepare()  # once more changes nothing
        done = await polygon.exchange.send(bought())
        assert done.block > FIRST_BLOCK
        assert [log.log_index for log in done.logs] == [0, 1, 2]


async def test_one_send_is_one_transaction_and_a_bad_one_says_so(tmp_path: Path) -> None:
    async with running_polygon(tmp_path) as polygon:
        done = await polygon.exchange.send(bought(), *split(LEADER, CONDITION, ONE), resolve(CONDITION, [ONE, 0]))
        assert len(done.logs) == 6
        block = await polygon.exchange.rpc("eth_getBlockByNumber", hex(done.block), False)
        assert block["transactions"] == [done.tx_hash]
        assert int(block["timestamp"], 16) == done.timestamp
        with pytest.raises(NotMined):
            await polygon.exchange.send(Call(EXCHANGES["v2"], b"\x12\x34\x56\x78"))


async def test_blocks_come_by_themselves_and_sends_run_beside_each_other(tmp_path: Path) -> None:
    async with running_polygon(tmp_path, block_time=0.2) as polygon:
        done = await asyncio.gather(*(polygon.exchange.send(bought(usdc)) for usdc in range(1, 21)))
        assert len({one.tx_hash for one in done}) == 20
        assert len(await logs(polygon)) == 60


async def test_a_kill_loses_no_transaction(tmp_path: Path) -> None:
    async with running_polygon(tmp_path, block_time=0.2, state=True) as polygon:
        done = await polygon.exchange.send(bought())
        keeper = polygon.node.keeper
        assert keeper is not None
        while not await keeper.save():
            pass
        await polygon.kill()
        await polygon.start()
        await polygon.exchange.prepare()
        assert await polygon.exchange.head() >= done.block
        assert [log["transactionHash"] for log in await logs(polygon)] == [done.tx_hash] * 3
        again = await polygon.exchange.send(bought())
        assert again.tx_hash != done.tx_hash


async def test_a_reorganisation_and_a_drop_take_transactions_with_them(tmp_path: Path) -> None:
    async with running_polygon(tmp_path) as polygon:
        await polygon.exchange.mine(3)
        for undo in (polygon.exchange.reorganise, polygon.exchange.drop):
            done = await polygon.exchange.send(bought())
            await undo(1)
            assert await polygon.exchange.rpc("eth_getTransactionReceipt", done.tx_hash) is None
        assert await logs(polygon) == []


async def test_it_stays_small(tmp_path: Path) -> None:
    async with running_polygon(tmp_path) as polygon:
        for usdc in range(1, 101):
            await polygon.exchange.send(bought(usdc))
        await polygon.exchange.rpc("anvil_mine", hex(2_000))
        status = await asyncio.to_thread(Path(f"/proc/{polygon.pid}/status").read_text)
        resident_kib = int(status.split("VmRSS:")[1].split()[0])
        print(f" [{resident_kib // 1024} MiB after 2,100 blocks]")
        assert resident_kib < 120 * 1024
