"""Nodes that fail, lie, lag or disagree, in front of a real chain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from domain.shared.errors import Failure, Unavailable
from gateways.evm.addresses import keccak
from gateways.evm.protocols import RangeTooLarge
from gateways.protocols import Quarantined
from localnet.evm_faults import ODD_ENVELOPES, Drop, Envelope, ForwardThen, Swallow
from localnet.evm_proxy import EvmProxy
from tests.chain.gateway_lab import Lab, OddNode, answers_with, chain, fresh_address, http, odd_node


@pytest_asyncio.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with chain(tmp_path) as lab:
        yield lab


@pytest_asyncio.fixture
async def proxy(lab: Lab) -> AsyncIterator[OddNode]:
    async with odd_node(lab.evm.rpc_url) as proxy:
        yield proxy


HTML = "<html><h1>502 Bad Gateway</h1></html>"


@pytest.mark.parametrize(
    "make",
    [http(429), http(500), http(503, HTML), http(200, HTML), http(200, '[{"jsonrpc"')],
    ids=["429", "500", "503_html", "200_html", "half_json"],
)
async def test_faults_that_pass_are_retried(lab: Lab, proxy: OddNode, make: Any) -> None:
    proxy.fault = answers_with(make, times=2)
    assert (await lab.node(proxy.url).head()).latest.number == await lab.head()
    assert proxy.http_requests == 3


async def test_faults_that_stay_become_unavailable_within_seconds(lab: Lab, proxy: OddNode) -> None:
    proxy.fault = answers_with(http(502, HTML))
    async with asyncio.timeout(20):
        with pytest.raises(Unavailable) as caught:
            await lab.node(proxy.url).head()
    assert (caught.value.code, caught.value.data["attempts"]) == ("chain_unavailable", 4)


async def test_retry_after_is_honoured_by_all_callers(lab: Lab, proxy: OddNode) -> None:
    proxy.fault = answers_with(http(429, "", **{"Retry-After": "1"}), times=1)
    node = lab.node(proxy.url)
    began = asyncio.get_running_loop().time()
    await asyncio.gather(node.head(), node.base_fee())
    assert asyncio.get_running_loop().time() - began >= 0.9


async def test_a_retry_after_beyond_the_budget_is_handed_on(lab: Lab, proxy: OddNode) -> None:
    proxy.fault = answers_with(http(429, "", **{"Retry-After": "30"}))
    with pytest.raises(Unavailable) as caught:
        await lab.node(proxy.url).head()
    assert caught.value.retry_after_s == 30
    assert proxy.http_requests == 1


async def test_a_stalled_node_costs_a_time_out(lab: Lab, proxy: OddNode) -> None:
    async def stall(_asked: Any, _answers: Any) -> Any:
        await asyncio.sleep(60)

    proxy.fault = stall
    async with asyncio.timeout(20):
        with pytest.raises(Unavailable) as caught:
            await lab.node(proxy.url).base_fee()
    assert caught.value.data["timeout"] is True


@pytest.mark.parametrize(
    "make",
    [
        lambda answers: answers[:-1],
        lambda answers: [answers[0], answers[0], answers[2]],
        lambda answers: [{**answers[0], "id": 999}, *answers[1:]],
        lambda answers: [{"jsonrpc": "2.0", "id": answers[0]["id"]}, *answers[1:]],
        lambda _answers: "fine",
        lambda _answers: {"result": []},
        lambda answers: [{**answers[0], "result": {"number": "latest"}}, *answers[1:]],
    ],
    ids=["missing", "duplicate", "foreign_id", "neither", "string", "object", "odd_block"],
)
async def test_odd_envelopes_are_quarantined_not_guessed(lab: Lab, proxy: OddNode, make: Any) -> None:
    proxy.fault = answers_with(make)
    with pytest.raises(Quarantined) as caught:
        await lab.node(proxy.url).head()
    assert caught.value.payload is not None
    assert proxy.http_requests == 1


async def test_answers_in_another_order_are_matched_by_id(lab: Lab, proxy: OddNode) -> None:
    await lab.mine(40)
    proxy.fault = answers_with(lambda answers: answers[::-1])
    head = await lab.node(proxy.url).head()
    latest = await lab.head()
    assert (head.latest.number, head.safe, head.finalized) == (latest, latest - 16, latest - 32)


async def test_a_node_without_batches_is_asked_one_by_one(lab: Lab, proxy: OddNode) -> None:
    def refuse(answers: list[dict[str, Any]]) -> Any:
        if len(answers) == 1:
            return answers[0]
        return {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "batch not supported"}}

    proxy.fault = answers_with(refuse)
    assert len(await lab.node(proxy.url).blocks([0, 1, 2])) == 3


async def test_a_node_without_the_tags_says_so(lab: Lab, proxy: OddNode) -> None:
    proxy.fault = answers_with(lambda answers: [answers[0], {**answers[1], "result": None}, answers[2]])
    with pytest.raises(Unavailable, match="`safe` block"):
        await lab.node(proxy.url).head()


@pytest.mark.parametrize(
    "message",
    [
        "query returned more than 10000 results",
        "You can make eth_getLogs requests with up to a 2K block range",
        "eth_getLogs is limited to a 10,000 range",
        "logs matched by query exceeds limit of 10000",
        "query exceeds max block range 100000",
        "block range is too wide",
        "exceed maximum block range: 50000",
        "Log response size exceeded.",
    ],
)
async def test_a_range_the_node_refuses(lab: Lab, proxy: OddNode, message: str) -> None:
    def refuse(answers: list[dict[str, Any]]) -> Any:
        error = {"code": -32005, "message": message}
        return [answers[0], {"jsonrpc": "2.0", "id": answers[1]["id"], "error": error}]

    proxy.fault = answers_with(refuse)
    with pytest.raises(RangeTooLarge):
        await lab.node(proxy.url).transfers_to([fresh_address()], 0, 1)
    assert proxy.http_requests == 1


async def test_a_node_behind_the_range_does_not_lose_deposits(lab: Lab) -> None:
    """anvil, as geth, answers a range beyond its head with an empty list."""
    with pytest.raises(Unavailable) as caught:
        await lab.node().transfers_to([fresh_address()], 0, await lab.head() + 1)
    assert caught.value.code == "chain_lagging"


async def test_a_receipt_from_another_block_than_its_log(lab: Lab, proxy: OddNode) -> None:
    to = fresh_address()
    await lab.transfer(to, 5)

    def move(answers: list[dict[str, Any]]) -> Any:
        for answer in answers:
            if isinstance(answer["result"], dict) and "logs" in answer["result"]:
                answer["result"]["blockHash"] = "0x" + "77" * 32
                for log in answer["result"]["logs"]:
                    log["blockHash"] = "0x" + "77" * 32
        return answers if len(answers) > 1 else answers[0]

    proxy.fault = answers_with(move)
    with pytest.raises(Unavailable) as caught:
        await lab.node(proxy.url).transfers_to([to], 0, await lab.head())
    assert caught.value.code == "chain_lagging"


async def test_two_hundred_deposits_of_one_block_cost_few_requests(lab: Lab, proxy: OddNode) -> None:
    await lab.rpc.call("evm_setAutomine", False)
    to = fresh_address()
    nonce = int(await lab.rpc.call("eth_getTransactionCount", lab.user.address, "latest"), 16)
    await lab.rpc.call("evm_setBlockGasLimit", hex(10**9))
    hashes = [await lab.transfer(to, i + 1, nonce=nonce + i) for i in range(200)]
    head = await lab.mine()
    node = lab.node(proxy.url)
    logs = await node.transfers_to([to], head, head)
    assert [log.tx_hash for log in logs] == hashes
    proxy.http_requests = 0
    verified = await asyncio.gather(*(node.transfer_in_block(log.block_hash, log.tx_hash, 0) for log in logs))
    assert verified == logs
    assert proxy.http_requests <= 6
    blocks = [call for call in proxy.calls if call.method == "eth_getBlockByNumber"]
    assert len(blocks) <= 6


async def test_a_block_that_lost_its_place_is_seen_by_the_next_read(lab: Lab) -> None:
    """Nothing read before is used again: right after the reorg the same question has another answer."""
    tx_hash, node = await lab.transfer(fresh_address(), 5), lab.node()
    receipt = await lab.receipt(tx_hash)
    assert await node.transfer_in_block(receipt["blockHash"], tx_hash, 0)
    await lab.reorg(1)
    assert await node.transfer_in_block(receipt["blockHash"], tx_hash, 0) is None


async def test_a_receipt_missing_in_a_canonical_block_is_a_contradiction(lab: Lab, proxy: OddNode) -> None:
    tx_hash = await lab.transfer(fresh_address(), 5)
    receipt = await lab.receipt(tx_hash)

    async def forget(asked: list[dict[str, Any]], answers: list[dict[str, Any]]) -> Any:
        for question, answer in zip(asked, answers, strict=True):
            if question["method"] == "eth_getTransactionReceipt":
                answer["result"] = None
        return answers if len(answers) > 1 else answers[0]

    proxy.fault = forget
    with pytest.raises(Unavailable) as caught:
        await lab.node(proxy.url).transfer_in_block(receipt["blockHash"], tx_hash, 0)
    assert caught.value.code == "chain_lagging"


@pytest.mark.parametrize("envelope", ODD_ENVELOPES, ids=lambda value: str(value)[:40])
async def test_no_odd_envelope_becomes_an_answer_or_a_crash(lab: Lab, envelope: Any) -> None:
    """Every method, with every shape in place of every response object: always Unavailable, never a value."""
    to = fresh_address()
    tx_hash = await lab.transfer(to, 5)
    signed = bytes.fromhex((await lab.signed(to, value=1))[2:])
    async with EvmProxy(lab.evm.rpc_url) as faulty:
        faulty.fail("*", Envelope(envelope), times=None)
        node = lab.node(faulty.url)
        reads = [
            node.check_chain(),
            node.head(),
            node.blocks([0, 1]),
            node.transfers_to([to], 0, 1),
            node.transfer_in_block("0x" + "11" * 32, tx_hash, 0),
            node.receipt(tx_hash, lab.usdc),
            node.token_balances(lab.usdc, [to, to], None),
            node.eth_balances([to]),
            node.transaction_count(to),
            node.knows(tx_hash),
            node.base_fee(),
            node.simulate_transfer(lab.usdc, lab.user.address, to, 1),
            node.estimate_gas(lab.user.address, to, b"", 0),
        ]
        for read in reads:
            with pytest.raises(Unavailable):
                await read
        with pytest.raises(Unavailable if envelope is None or "bare" not in str(envelope) else Failure):
            await node.send_raw(signed)


async def test_a_broadcast_whose_answer_was_lost_is_repeated_and_succeeds(lab: Lab) -> None:
    await lab.rpc.call("evm_setAutomine", False)
    to = fresh_address()
    signed = await lab.signed(to, value=1)
    async with EvmProxy(lab.evm.rpc_url) as faulty:
        faulty.fail("eth_sendRawTransaction", ForwardThen(Drop()))
        await lab.node(faulty.url).send_raw(bytes.fromhex(signed[2:]))
        assert faulty.calls["eth_sendRawTransaction"] == 2
    await lab.mine()
    assert await lab.node().eth_balances([to]) == [1]


async def test_a_transaction_the_node_swallowed_is_not_known(lab: Lab) -> None:
    signed = bytes.fromhex((await lab.signed(fresh_address(), value=1))[2:])
    async with EvmProxy(lab.evm.rpc_url) as faulty:
        faulty.fail("eth_sendRawTransaction", Swallow())
        node = lab.node(faulty.url)
        await node.send_raw(signed)
        assert not await node.knows("0x" + keccak(signed).hex())


async def test_a_limited_and_a_lagging_log_query(lab: Lab) -> None:
    await lab.mine(20)
    head = await lab.head()
    async with EvmProxy(lab.evm.rpc_url) as provider:
        node = lab.node(provider.url)
        provider.view.max_log_range = 10
        with pytest.raises(RangeTooLarge):
            await node.transfers_to([fresh_address()], 0, head)
        assert await node.transfers_to([fresh_address()], head - 9, head) == []
        provider.view.lag = 2
        with pytest.raises(Unavailable) as caught:
            await node.transfers_to([fresh_address()], head - 5, head)
        assert caught.value.code == "chain_lagging"
