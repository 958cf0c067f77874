"""The embedded chain: rhythm, finality tags, USDC, past states, and what survives a SIGKILL."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from pathlib import Path

import pytest

from localnet import evm_state
from localnet.evm import Evm
from localnet.jsonrpc import JsonRpc, RpcError
from localnet.ports import free_port
from localnet.running import RunningEvm, running_evm
from localnet.supervisor import Supervisor
from tests.localnet.conftest import encode_call, eventually

ALICE = "0x" + "a1" * 20


async def balance(chain: RunningEvm, who: str, block: str = "latest") -> int:
    data = encode_call("balanceOf(address)", who)
    return int(await chain.rpc("eth_call", {"to": chain.usdc_address, "data": data}, block), 16)


async def mined(rpc: JsonRpc, number: int) -> bool:
    return int(await rpc("eth_blockNumber"), 16) >= number


async def test_rhythm_tags_and_no_unlocked_account(folder: Path) -> None:
    async with running_evm(folder / "evm") as chain:
        assert int(await chain.rpc("eth_chainId"), 16) == 421614
        assert await chain.rpc("eth_accounts") == []
        began, first = time.monotonic(), await chain.head()
        await eventually(lambda: mined(chain.rpc, first + 8))
        assert time.monotonic() - began > 1, "four blocks a second, not as fast as it can"
        await chain.rpc("evm_setIntervalMining", 0)
        await chain.rpc("anvil_mine", hex(60))
        head = await chain.rpc("eth_getBlockByNumber", "latest", False)
        safe = await chain.rpc("eth_getBlockByNumber", "safe", False)
        final = await chain.rpc("eth_getBlockByNumber", "finalized", False)
        assert int(head["number"], 16) - int(safe["number"], 16) in (15, 16)
        assert int(safe["number"], 16) - int(final["number"], 16) in (15, 16, 17)


async def test_manual_mining_usdc_and_past_states(folder: Path) -> None:
    async with running_evm(folder / "evm", block_time=None) as chain:
        head = await chain.head()
        await chain.rpc("evm_setAutomine", True)
        await chain.faucet.mint(chain.usdc_address, ALICE, 5_000_000)
        await chain.rpc("evm_setAutomine", False)
        minted = await chain.head()
        assert minted == head + 1
        assert await chain.mine(3) == minted + 3
        await chain.rpc("anvil_mine", hex(240))
        assert await balance(chain, ALICE) == 5_000_000
        assert await balance(chain, ALICE, hex(minted)) == 5_000_000
        assert await balance(chain, ALICE, hex(minted - 1)) == 0
        stranger = {"from": ALICE, "to": chain.usdc_address, "data": encode_call("mint(address,uint256)", ALICE, 1)}
        with pytest.raises(RpcError, match="not the minter"):
            await chain.rpc("eth_call", stranger, "latest")


async def test_state_survives_kill_and_orderly_stop(folder: Path) -> None:
    async with running_evm(folder / "evm", state=True) as chain:
        receipt = await chain.faucet.mint(chain.usdc_address, ALICE, 1_000_000)
        told = bytes.fromhex(receipt["transactionHash"][2:]).hex().encode()
        # no explicit save: the keeper saves after a block with a transaction
        await eventually(lambda: told in gzip.decompress(chain.server.archive.read_bytes()))
        await chain.kill()
        await chain.start()
        assert await mined(chain.rpc, int(receipt["blockNumber"], 16))
        assert await chain.rpc("eth_getTransactionReceipt", receipt["transactionHash"]) == receipt
        assert await balance(chain, ALICE) == 1_000_000
        await chain.faucet.mint(chain.usdc_address, ALICE, 1_000_000)
        last = await chain.rpc("eth_getBlockByNumber", "latest", False)
        await chain.stop()
        await chain.start()
        assert (await chain.rpc("eth_getBlockByHash", last["hash"], False))["number"] == last["number"]
    async with running_evm(folder / "evm", state=True) as chain:
        assert await balance(chain, ALICE) == 2_000_000


async def test_a_spoiled_state_file_falls_back_to_the_one_before(folder: Path) -> None:
    async with running_evm(folder / "evm", state=True) as chain:
        await chain.save()
        await chain.save()
        await chain.kill()
        archive = chain.server.archive
        archive.write_bytes(archive.read_bytes()[:200])
        await chain.start()
        assert await balance(chain, ALICE) == 0
        await chain.kill()
        for path in (archive, evm_state.previous(archive)):
            path.write_bytes(b"")
        with pytest.raises(evm_state.StateLost):
            await chain.start()
        archive.unlink()
        evm_state.previous(archive).unlink()
        await chain.start()


async def test_old_empty_blocks_are_dropped_and_old_logs_stay(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evm_state, "KEPT_BLOCKS", 50)
    async with running_evm(folder / "evm", state=True) as chain:
        receipt = await chain.faucet.mint(chain.usdc_address, ALICE, 1_000_000)
        minted = int(receipt["blockNumber"], 16)
        await chain.rpc("anvil_mine", hex(400))
        await chain.stop()
        await chain.start()
        laid_out = json.loads((chain.server.directory / "state.json").read_text())
        assert len(laid_out["blocks"]) < 60
        head = await chain.head()
        assert head >= minted + 400
        assert await chain.rpc("eth_getBlockByNumber", hex(minted + 100), False) is None
        query = {"fromBlock": "0x0", "toBlock": hex(head), "address": chain.usdc_address}
        assert [log["transactionHash"] for log in await chain.rpc("eth_getLogs", query)] == [receipt["transactionHash"]]
        assert await chain.rpc("eth_getTransactionReceipt", receipt["transactionHash"]) == receipt


async def test_a_full_chain_asks_for_a_restart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evm_state, "FULL_AT", 100)
    asked: list[int] = []
    async with running_evm(folder / "evm", state=True, usdc=False) as chain:
        assert chain.server.keeper is not None
        keeper = chain.server.keeper
        keeper._on_full = lambda: asked.append(1)
        await eventually(lambda: keeper._first_head is not None)
        await chain.rpc("anvil_mine", hex(120))
        await eventually(lambda: asked)
        await asyncio.sleep(0.6)
    assert asked == [1]


async def test_compaction_by_the_supervisor_loses_no_block(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evm_state, "FULL_AT", 200)
    monkeypatch.setattr(evm_state, "KEPT_BLOCKS", 50)
    chain = Evm(folder / "evm", free_port())
    supervisor = Supervisor([chain.child(folder / "anvil.log")])
    restarts: list[asyncio.Task[None]] = []
    chain.on_full = lambda: restarts.append(asyncio.create_task(supervisor.restart("evm")))
    await supervisor.start()
    keeper = chain.keep()
    try:
        async with JsonRpc(chain.rpc_url) as rpc:
            await eventually(lambda: keeper._first_head is not None)
            await rpc("anvil_mine", hex(250))
            head = await rpc("eth_getBlockByNumber", "latest", False)
            await eventually(lambda: restarts)
            await restarts[0]
            await eventually(chain.ready)
            assert (await rpc("eth_getBlockByHash", head["hash"], False))["number"] == head["number"]
            assert await rpc("eth_getBlockByNumber", "0x5", False) is None
            await eventually(lambda: mined(rpc, int(head["number"], 16) + 1))  # it mines on
        assert len(restarts) == 1
    finally:
        await supervisor.stop()
        await keeper.close()


async def test_a_dump_taken_while_a_transaction_was_mined_is_refused(folder: Path) -> None:
    async with running_evm(folder / "evm", block_time=None, state=True) as chain:
        keeper = chain.server.keeper
        assert keeper is not None
        before = await chain.rpc("eth_getBlockByNumber", "latest", False)
        await chain.mine(3)
        assert await keeper._quiet_since(before)
        await chain.rpc("evm_setAutomine", True)
        await chain.faucet.mint(chain.usdc_address, ALICE, 1)
        assert not await keeper._quiet_since(before)
        after = await chain.rpc("eth_getBlockByNumber", "latest", False)
        await chain.rpc("anvil_reorg", 1, [])
        assert not await keeper._quiet_since(after)
        assert gzip.decompress(chain.server.archive.read_bytes()).startswith(b"{")
