"""Two nodes: the second answers when the first is down, and both must tell of one chain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from domain.shared.errors import Unavailable
from localnet.evm_proxy import EvmProxy
from tests.chain.gateway_lab import Lab, OddNode, answers_with, chain, http, odd_node


@pytest_asyncio.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with chain(tmp_path) as lab:
        yield lab


@pytest_asyncio.fixture
async def proxy(lab: Lab) -> AsyncIterator[OddNode]:
    async with odd_node(lab.evm.rpc_url) as proxy:
        yield proxy


async def test_the_second_node_answers_when_the_first_is_down(lab: Lab, proxy: OddNode) -> None:
    proxy.fault = answers_with(http(500))
    node = lab.node(proxy.url, lab.evm.rpc_url)
    assert (await node.head()).latest.number == await lab.head()
    asked = proxy.http_requests
    await node.base_fee()
    assert proxy.http_requests == asked, "a node that just failed is not asked first again"


async def test_an_odd_first_node_is_reported_while_the_second_answers(lab: Lab, proxy: OddNode) -> None:
    proxy.fault = answers_with(lambda _answers: {"jsonrpc": "1.0"})
    await lab.node(proxy.url, lab.evm.rpc_url).base_fee()
    assert [(kind, payload) for _, kind, _, payload in lab.odd] == [("envelope", {"jsonrpc": "1.0"})]


async def test_two_nodes_on_different_forks_stop_the_chain(lab: Lab, tmp_path: Path) -> None:
    async with chain(tmp_path / "other", set_up=False) as other:
        await lab.mine(3)
        await other.mine(await lab.head())
        node = lab.node(lab.evm.rpc_url, other.evm.rpc_url)
        for read in (node.head(), node.blocks([1])):
            with pytest.raises(Unavailable, match="disagree") as caught:
                await read
            assert caught.value.code == "chain_lagging"


async def test_a_second_node_behind_on_another_fork_is_noticed(lab: Lab, tmp_path: Path) -> None:
    async with chain(tmp_path / "other", set_up=False) as other:
        await lab.mine(10)
        await other.mine(3)
        with pytest.raises(Unavailable, match="disagree on block 3"):
            await lab.node(lab.evm.rpc_url, other.evm.rpc_url).head()


async def test_two_nodes_that_agree_or_one_away(lab: Lab, proxy: OddNode) -> None:
    node = lab.node(lab.evm.rpc_url, proxy.url)
    assert (await node.head()).latest.number == await lab.head()
    proxy.fault = answers_with(http(500))
    assert (await node.head()).latest.number == await lab.head()
    lab.process.kill()
    await lab.process.wait()
    with pytest.raises(Unavailable):
        await node.head()


async def test_a_forked_second_node(lab: Lab) -> None:
    await lab.mine(5)
    async with EvmProxy(lab.evm.rpc_url) as other:
        node = lab.node(lab.evm.rpc_url, other.url)
        await node.head()
        other.view.fork_from = await lab.head() - 1
        with pytest.raises(Unavailable, match="disagree"):
            await node.head()
        other.view.lag = 1
        with pytest.raises(Unavailable, match="disagree"):
            await node.head()
        other.view.lag = 3
        await node.head()
