"""The HTTP side of the chain on a real node: history over the change of exchanges, conversions, and its hard cap."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from domain.copytrade.contracts import DEFAULT, V1_UNTIL_BLOCK, V2_FROM_BLOCK
from domain.copytrade.venue import Side
from domain.shared.errors import Unavailable
from gateways.polymarket.chain_rpc import SPAN_BLOCKS, PolygonRpc
from gateways.protocols import Quarantined
from localnet.evm_faults import Drop, HttpAnswer, Result, RpcFault, html
from localnet.evm_proxy import EvmProxy
from localnet.polymarket.chain_calls import Order, convert, match, split
from localnet.polymarket.chain_node import RunningPolygon, running_polygon
from tests.polygon_lab import DOWN, ONE, UP
from tests.world import copytrade as by_hand

LEADER = "0x" + "a1" * 20
MARKET = "0x" + "0e" * 31 + "00"


@pytest_asyncio.fixture(loop_scope="session")
async def polygon(tmp_path: Path) -> AsyncIterator[RunningPolygon]:
    async with running_polygon(tmp_path) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def proxy(polygon: RunningPolygon) -> AsyncIterator[EvmProxy]:
    async with EvmProxy(polygon.rpc_url) as opened:
        opened.view.nitro_fields = False
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def rpc(proxy: EvmProxy) -> AsyncIterator[PolygonRpc]:
    opened = PolygonRpc(proxy.url, DEFAULT, max_rps=1_000)
    yield opened
    await opened.aclose()


async def test_a_leaders_history_spans_the_change_of_exchanges(tmp_path: Path) -> None:
    """V1 up to its last block, V2 from its first one on: no fill is missing, none is read twice."""
    async with running_polygon(tmp_path, first_block=V2_FROM_BLOCK - 4) as old:
        taker, maker = Order(LEADER, "BUY", UP, 20 * ONE, 3 * ONE, 40_000), Order(LEADER, "SELL", UP, 5 * ONE, ONE)
        stranger = Order(by_hand.wallet(), "SELL", UP, 20 * ONE, 3 * ONE)
        await old.exchange.send(match(taker, [stranger], "v1"))
        await old.exchange.send(match(stranger._replace(side="BUY"), [maker], "v1-neg-risk"))
        await old.exchange.mine(V2_FROM_BLOCK - await old.exchange.head())
        await old.exchange.send(match(taker, [stranger], "v1"), match(taker, [stranger], "v2"))
        await old.exchange.mine(V1_UNTIL_BLOCK - await old.exchange.head())
        await old.exchange.send(match(taker, [stranger], "v1"))  # nobody believes V1 any more
        await old.exchange.send(match(taker, [stranger], "v2-neg-risk"), match(taker, [stranger], "v3"))
        async with EvmProxy(old.rpc_url) as stingy:
            stingy.view.max_log_range = SPAN_BLOCKS
            rpc = PolygonRpc(stingy.url, DEFAULT, max_rps=10_000)
            found = await rpc.logs([LEADER], V2_FROM_BLOCK - 4, await old.exchange.head())
            await rpc.aclose()
    fills = [(seen.said.version, seen.said.side, seen.said.fee_shares) for seen in found]  # type: ignore[union-attr]
    assert fills == [
        ("v1", Side.BUY, 40_000), ("v1", Side.SELL, 0), ("v1", Side.BUY, 40_000), ("v2", Side.BUY, 0),
        ("v2", Side.BUY, 0), ("v3", Side.BUY, 0),
    ]  # fmt: skip


async def test_a_conversions_legs_come_from_its_receipt(polygon: RunningPolygon, rpc: PolygonRpc) -> None:
    done = await polygon.exchange.send(
        *convert(LEADER, MARKET, 0b101, 10 * ONE, ["11", "33"], ["22", "44"], fee_bps=100)
    )
    found = await rpc.conversion(done.tx_hash, LEADER)
    assert {leg.token_id: leg.shares for leg in found.legs} == {
        "11": -10 * ONE, "33": -10 * ONE, "22": 9_900_000, "44": 9_900_000,
    }  # fmt: skip
    assert found.usdc == 9_900_000


async def test_what_a_receipt_does_not_explain_goes_to_quarantine(polygon: RunningPolygon, rpc: PolygonRpc) -> None:
    mixed = await polygon.exchange.send(
        *convert(LEADER, MARKET, 0b11, ONE, ["11", "33"], ["22"]), *split(LEADER, MARKET, ONE, neg_risk=True)
    )
    with pytest.raises(Quarantined, match="another way"):
        await rpc.conversion(mixed.tx_hash, LEADER)
    with pytest.raises(Quarantined, match="no conversion"):
        await rpc.conversion(mixed.tx_hash, by_hand.wallet())
    with pytest.raises(Unavailable, match="no receipt"):
        await rpc.conversion("0x" + "12" * 32, LEADER)


async def test_calls_keep_their_distance(proxy: EvmProxy) -> None:
    """CT-141: at most five a second, one every 200 ms, however many are waited for."""
    capped = PolygonRpc(proxy.url, DEFAULT, max_rps=5)
    began = time.monotonic()
    head = await capped.head()
    await capped.blocks([head - number for number in range(6) if head >= number])
    took = time.monotonic() - began
    await capped.aclose()
    assert took >= 1.2


async def test_a_node_that_is_away_or_odd_is_said_so(proxy: EvmProxy, rpc: PolygonRpc) -> None:
    for fault in (
        Drop(),
        HttpAnswer(503, "down"),
        HttpAnswer(429, "slow"),
        html(),
        RpcFault(-32000, "header not found"),
    ):
        proxy.fail("eth_blockNumber", fault)
        with pytest.raises(Unavailable) as away:
            await rpc.head()
        assert away.value.code == "polygon_unavailable"
    proxy.fail("eth_getLogs", Result({"not": "a list"}))
    with pytest.raises(Quarantined):
        await rpc.logs([LEADER], 92_000_000, 92_000_000)
    proxy.fail("eth_getLogs", Result([{"address": "0x"}]))
    with pytest.raises(Quarantined):
        await rpc.logs([LEADER], 92_000_000, 92_000_000)


async def test_both_tokens_of_a_pair_are_read_as_they_are(polygon: RunningPolygon, rpc: PolygonRpc) -> None:
    bought = Order(LEADER, "BUY", UP, 25 * ONE, 16 * ONE, 403_200)
    done = await polygon.exchange.send(match(bought, [Order(LEADER, "BUY", DOWN, 25 * ONE, 9 * ONE)]))
    found = await rpc.logs([LEADER], done.block, done.block)
    assert [seen.said.token_id for seen in found] == [DOWN, UP]
    assert [seen.said.log_index for seen in found] == [0, 2]
