"""The proxy in front of the chain: an honest Arbitrum view, and every fault it can be told to have."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from eth_account import Account
from eth_hash.auto import keccak

from localnet import nitro
from localnet.evm_faults import (
    ODD_ENVELOPES,
    Drop,
    Envelope,
    ForwardThen,
    Result,
    RpcFault,
    Stall,
    Swallow,
    half_json,
    html,
    server_error,
    too_many_requests,
)
from localnet.evm_proxy import EvmProxy
from localnet.jsonrpc import JsonRpc, RpcError
from localnet.running import RunningEvm, running_evm
from tests.localnet.conftest import encode_call, eventually
from tests.patience import PATIENCE_S

ALICE = "0x" + "a1" * 20
CHAIN = 421614


@pytest_asyncio.fixture(loop_scope="session")
async def chain(folder: Path) -> AsyncIterator[RunningEvm]:
    async with running_evm(folder / "evm", block_time=None) as running:
        await running.rpc("evm_setAutomine", True)
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def proxy(chain: RunningEvm) -> AsyncIterator[EvmProxy]:
    async with EvmProxy(chain.rpc_url) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def rpc(proxy: EvmProxy) -> AsyncIterator[JsonRpc]:
    async with JsonRpc(proxy.url, timeout=PATIENCE_S) as client:
        yield client


async def post(
    proxy: EvmProxy, method: str, *params: Any, timeout: float = PATIENCE_S
) -> tuple[int, str, dict[str, str]]:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout)) as session:
        async with session.post(proxy.url, json=body) as answer:
            return answer.status, await answer.text(), dict(answer.headers)


async def test_passes_on_and_adds_what_nitro_adds(chain: RunningEvm, proxy: EvmProxy, rpc: JsonRpc) -> None:
    receipt = await chain.faucet.mint(chain.usdc_address, ALICE, 1_000_000)
    shown = await rpc("eth_getTransactionReceipt", receipt["transactionHash"])
    assert {**receipt, **shown} == shown
    assert set(shown) - set(receipt) == {"l1BlockNumber", "gasUsedForL1", "timeboosted"}
    block = await rpc("eth_getBlockByNumber", receipt["blockNumber"], False)
    assert int(block["l1BlockNumber"], 16) >= nitro.L1_BLOCK_OFFSET
    query = {"fromBlock": "0x0", "toBlock": "latest", "address": chain.usdc_address}
    assert await rpc("eth_getLogs", query) == await chain.rpc("eth_getLogs", query)
    batch: list[dict[str, Any]] = [
        {"jsonrpc": "2.0", "id": n, "method": "eth_blockNumber", "params": []} for n in (7, 8)
    ]
    async with aiohttp.ClientSession() as session, session.post(proxy.url, json=batch) as answer:
        assert [entry["id"] for entry in await answer.json()] == [7, 8]
    assert proxy.calls["eth_getLogs"] == 1
    assert proxy.requests[0] == ("eth_getTransactionReceipt", [receipt["transactionHash"]])


async def test_special_transactions_are_part_of_their_block(chain: RunningEvm, proxy: EvmProxy, rpc: JsonRpc) -> None:
    number = await chain.head() + 1
    made = [
        nitro.internal(CHAIN, number),
        nitro.deposit(CHAIN, ALICE, 10**18),
        nitro.unsigned(CHAIN, ALICE, 1),
        nitro.contract(CHAIN, ALICE, 1),
        nitro.submit_retryable(CHAIN, ALICE, 5),
        nitro.retry(CHAIN, ALICE, 5),
    ]
    hashes = [await proxy.inject(special) for special in made]
    assert len(set(hashes)) == 6
    assert await rpc("eth_getTransactionReceipt", hashes[1]) is None, "its block is not mined yet"
    real = await chain.faucet.mint(chain.usdc_address, ALICE, 1_000_000)
    assert int(real["blockNumber"], 16) == number
    listed = (await rpc("eth_getBlockByNumber", hex(number), False))["transactions"]
    assert listed == [hashes[0], real["transactionHash"], *hashes[1:]]
    full = (await rpc("eth_getBlockByHash", real["blockHash"], True))["transactions"]
    assert [(entry["hash"], int(entry["transactionIndex"], 16)) for entry in full] == list(
        zip(listed, range(7), strict=True)
    )
    assert [entry["type"] for entry in full] == ["0x6a", "0x2", "0x64", "0x65", "0x66", "0x69", "0x68"]
    receipts = await rpc("eth_getBlockReceipts", hex(number))
    assert [entry["transactionHash"] for entry in receipts] == listed
    for index, tx_hash in enumerate(listed):
        assert await rpc("eth_getTransactionReceipt", tx_hash) == receipts[index]
        assert (await rpc("eth_getTransactionByHash", tx_hash))["transactionIndex"] == hex(index)
    assert receipts[2]["l1BlockNumber"] == hex(nitro.l1_block(number))
    assert (full[2]["value"], full[2]["to"]) == (hex(10**18), ALICE)
    assert int(await rpc("eth_getBalance", ALICE, "latest"), 16) == 10**18
    log = (await rpc("eth_getLogs", {"blockHash": real["blockHash"]}))[0]
    assert log["transactionIndex"] == "0x1"
    assert await rpc("eth_getBlockTransactionCountByNumber", hex(number)) == "0x7"


async def test_http_faults_hit_one_method_for_so_many_calls(proxy: EvmProxy, rpc: JsonRpc) -> None:
    proxy.fail("eth_getLogs", too_many_requests(2), times=2, skip=1)
    answers = [await post(proxy, "eth_getLogs", {"fromBlock": "0x0"}) for _ in range(4)]
    assert [status for status, _, _ in answers] == [200, 429, 429, 200]
    assert answers[1][2]["Retry-After"] == "2"
    assert (await post(proxy, "eth_blockNumber"))[0] == 200
    proxy.fail("*", server_error(502))
    assert (await post(proxy, "eth_chainId"))[0] == 502
    proxy.fail("eth_chainId", html())
    status, body, headers = await post(proxy, "eth_chainId")
    assert (status, headers["Content-Type"].split(";")[0], body[:9]) == (200, "text/html", "<!DOCTYPE")
    proxy.fail("eth_chainId", half_json())
    with pytest.raises(ValueError):
        json.loads((await post(proxy, "eth_chainId"))[1])
    proxy.fail("eth_chainId", Drop(), times=None)
    for _ in range(2):
        with pytest.raises(aiohttp.ClientError):
            await post(proxy, "eth_chainId")
    proxy.heal("eth_chainId")
    proxy.fail("eth_chainId", Stall())
    with pytest.raises(TimeoutError):
        await post(proxy, "eth_chainId", timeout=0.2)
    assert await rpc("eth_chainId") == hex(CHAIN)


async def test_rpc_faults_and_odd_envelopes(chain: RunningEvm, proxy: EvmProxy, rpc: JsonRpc) -> None:
    proxy.fail("eth_call", RpcFault(-32603, "header not found", {"x": 1}))
    with pytest.raises(RpcError, match="header not found"):
        await rpc("eth_call", {"to": ALICE}, "latest")
    for shape in ODD_ENVELOPES:
        proxy.fail("eth_blockNumber", Envelope(shape))
        assert json.loads((await post(proxy, "eth_blockNumber"))[1]) == shape
    receipt = await chain.faucet.mint(chain.usdc_address, ALICE, 1)
    mine = [receipt["transactionHash"]]
    proxy.fail("eth_getTransactionReceipt", Result(None), times=2, match=lambda params: list(params) == mine)
    assert [await rpc("eth_getTransactionReceipt", *mine) is None for _ in range(3)] == [True, True, False]


async def test_sends_that_vanish_and_sends_that_look_failed(chain: RunningEvm, proxy: EvmProxy, rpc: JsonRpc) -> None:
    async def signed(nonce: int) -> str:
        fields = {"to": ALICE, "value": 1, "gas": 21_000, "nonce": nonce, "chainId": CHAIN}
        fields |= {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 0}
        transaction = Account.from_key(chain.faucet_private_key).sign_transaction(
            {**fields, "to": bytes.fromhex("a1" * 20)}
        )
        return "0x" + bytes(transaction.raw_transaction).hex()

    nonce = int(await rpc("eth_getTransactionCount", chain.faucet.address, "pending"), 16)
    raw = await signed(nonce)
    proxy.fail("eth_sendRawTransaction", Swallow())
    promised = await rpc("eth_sendRawTransaction", raw)
    assert await rpc("eth_getTransactionByHash", promised) is None
    proxy.fail("eth_sendRawTransaction", ForwardThen(RpcFault(-32000, "timeout")))
    with pytest.raises(RpcError, match="timeout"):
        await rpc("eth_sendRawTransaction", raw)
    assert (await chain.faucet.receipt(promised))["status"] == "0x1"
    proxy.fail("eth_sendRawTransaction", ForwardThen(Drop()))
    with pytest.raises(aiohttp.ClientError):
        await rpc("eth_sendRawTransaction", second := await signed(nonce + 1))
    arrived = "0x" + keccak(bytes.fromhex(second[2:])).hex()
    assert (await chain.faucet.receipt(arrived))["status"] == "0x1"


async def test_a_provider_that_lags(chain: RunningEvm, proxy: EvmProxy, rpc: JsonRpc) -> None:
    await chain.mine(40)
    receipt = await chain.faucet.mint(chain.usdc_address, ALICE, 5)
    head = await chain.head()
    proxy.view.lag = 2
    assert int(await rpc("eth_blockNumber"), 16) == head - 2
    assert (await rpc("eth_getBlockByNumber", "latest", False))["number"] == hex(head - 2)
    assert await rpc("eth_getBlockByNumber", hex(head), False) is None
    assert await rpc("eth_getBlockByHash", receipt["blockHash"], False) is None
    assert await rpc("eth_getTransactionReceipt", receipt["transactionHash"]) is None
    assert (await rpc("eth_getTransactionByHash", receipt["transactionHash"]))["blockNumber"] is None
    logs = {"fromBlock": hex(head - 1), "toBlock": "latest", "address": chain.usdc_address}
    assert await rpc("eth_getLogs", logs) == []
    call = {"to": chain.usdc_address, "data": encode_call("balanceOf(address)", ALICE)}
    assert int(await rpc("eth_call", call, "latest"), 16) == 0
    proxy.view.lag = 0
    assert int(await rpc("eth_call", call, "latest"), 16) == 5


async def test_log_ranges_and_a_provider_on_another_fork(chain: RunningEvm, proxy: EvmProxy, rpc: JsonRpc) -> None:
    receipt = await chain.faucet.mint(chain.usdc_address, ALICE, 5)
    await chain.mine(3)
    head = await chain.head()
    proxy.view.max_log_range = 2
    with pytest.raises(RpcError, match="limited to a 2 block range"):
        await rpc("eth_getLogs", {"fromBlock": hex(head - 2), "toBlock": "latest"})
    assert await rpc("eth_getLogs", {"fromBlock": hex(head - 1), "toBlock": hex(head)}) == []
    proxy.view.max_log_range = None
    forked = int(receipt["blockNumber"], 16)
    proxy.view.fork_from = forked
    block = await rpc("eth_getBlockByNumber", hex(forked), False)
    child = await rpc("eth_getBlockByNumber", hex(forked + 1), False)
    before = await rpc("eth_getBlockByNumber", hex(forked - 1), False)
    assert block["hash"] != receipt["blockHash"]
    assert (child["parentHash"], block["parentHash"]) == (block["hash"], before["hash"])
    assert (await rpc("eth_getBlockByHash", block["hash"], False)) == block
    assert await rpc("eth_getBlockByHash", receipt["blockHash"], False) is None
    shown = await rpc("eth_getTransactionReceipt", receipt["transactionHash"])
    assert shown["blockHash"] == shown["logs"][0]["blockHash"] == block["hash"]
    assert len(await rpc("eth_getLogs", {"blockHash": block["hash"]})) == 1


async def test_sockets_announce_mute_and_drop(chain: RunningEvm, proxy: EvmProxy) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(proxy.ws_url) as socket:
        await socket.send_json({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]})
        assert (await socket.receive_json(timeout=PATIENCE_S))["id"] == 1
        await socket.send_json({"jsonrpc": "2.0", "id": 2, "method": "eth_chainId", "params": []})
        assert (await socket.receive_json(timeout=PATIENCE_S))["result"] == hex(CHAIN)
        await chain.mine()
        heard = (await socket.receive_json(timeout=PATIENCE_S))["params"]["result"]
        assert int(heard["number"], 16) == await chain.head()
        assert heard["l1BlockNumber"].startswith("0x")
        proxy.muted = True
        await chain.mine(2)
        await eventually(lambda: proxy.lost == 2)
        proxy.muted = False
        await chain.mine()
        heard = (await socket.receive_json(timeout=PATIENCE_S))["params"]["result"]
        assert int(heard["number"], 16) == await chain.head()
        await proxy.drop_sockets()
        assert (await socket.receive(timeout=PATIENCE_S)).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
    proxy.refuse_sockets = True
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(proxy.ws_url)


async def test_hostile_token_and_inner_transfers(chain: RunningEvm) -> None:
    usdc, token = chain.usdc_address, await chain.faucet.deploy("HostileToken")
    caller = await chain.faucet.deploy("Caller")

    async def held(contract: str, who: str) -> int:
        data = encode_call("balanceOf(address)", who)
        return int(await chain.rpc("eth_call", {"to": contract, "data": data}, "latest"), 16)

    transfer = encode_call("transfer(address,uint256)", ALICE, 1000)
    await chain.faucet.mint(token, chain.faucet.address, 10_000)
    seen: list[tuple[int, int, str]] = []
    for mode in range(7):  # Honest, ReturnsFalse, Silent, NoReturn, FeeOnTransfer, LyingFee, Spoof
        await chain.faucet.send(token, encode_call("setMode(uint8)", mode))
        before = await held(token, ALICE)
        call = {"from": chain.faucet.address, "to": token, "data": transfer}
        said = await chain.rpc("eth_call", call, "latest")
        receipt = await chain.faucet.send(token, transfer)
        seen.append((await held(token, ALICE) - before, len(receipt["logs"]), said[-1:]))
    assert seen == [
        (1000, 1, "1"),
        (0, 0, "0"),
        (1000, 0, "1"),
        (1000, 1, "x"),
        (990, 1, "1"),
        (990, 1, "1"),
        (0, 1, "1"),
    ]
    await chain.faucet.send(token, encode_call("setBlacklisted(address,bool)", ALICE, True))
    with pytest.raises(RpcError, match="blacklisted"):
        await chain.rpc("eth_estimateGas", {"from": chain.faucet.address, "to": token, "data": transfer})
    with pytest.raises(RuntimeError, match="failed"):
        await chain.faucet.send(token, transfer, gas=100_000)
    assert (
        len((await chain.faucet.send(token, encode_call("spoof(address,address,uint256)", usdc, ALICE, 9)))["logs"])
        == 1
    )

    await chain.faucet.mint(usdc, caller, 100)
    many = encode_call("moveMany(address,address[],uint256[])", usdc, [ALICE, ALICE, token], [1, 2, 3])
    assert len((await chain.faucet.send(caller, many))["logs"]) == 3
    await chain.faucet.send(caller, encode_call("move(address,address,uint256)", usdc, ALICE, 4))
    await chain.faucet.send(caller, encode_call("sendEther(address,uint256)", ALICE, 50), value=50)
    assert (await held(usdc, ALICE), int(await chain.rpc("eth_getBalance", ALICE, "latest"), 16)) == (7, 50)
    with pytest.raises(RuntimeError, match="failed"):
        await chain.faucet.send(
            caller, encode_call("moveAndRevert(address,address,uint256)", usdc, ALICE, 5), gas=200_000
        )
