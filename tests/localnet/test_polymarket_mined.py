"""Deeds at the venue are mined on the local Polygon first: rows, receipts and blocks say the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from domain.copytrade.contracts import DEFAULT
from localnet.polymarket.chain_node import RunningPolygon, running_polygon
from tests.world.venue import Deed, RunningVenue, running_venue

NAMES = {contract.address.lower(): contract.name for contract in DEFAULT.contracts}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def polygon(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningPolygon]:
    directory: Path = tmp_path_factory.mktemp("polygon")
    async with running_polygon(directory) as node:
        yield node


@pytest_asyncio.fixture(loop_scope="session")
async def venue(polygon: RunningPolygon) -> AsyncIterator[RunningVenue]:
    async with running_venue(chain=polygon.exchange) as running:
        yield running


async def receipt(polygon: RunningPolygon, deed: Deed) -> dict[str, Any]:
    """The receipt of a deed, whose block has the second the rows say."""
    found: dict[str, Any] = await polygon.exchange.rpc("eth_getTransactionReceipt", deed.tx_hash)
    block = await polygon.exchange.rpc("eth_getBlockByHash", found["blockHash"], False)
    assert found["status"] == "0x1"
    assert {row["timestamp"] for row in deed.rows} == {int(block["timestamp"], 16)}
    assert {row["transaction_hash"] for row in deed.rows} == {deed.tx_hash}
    return found


def by(found: dict[str, Any]) -> list[str]:
    return [NAMES[log["address"].lower()] for log in found["logs"]]


def topic(address: str) -> str:
    return "0x" + address[2:].rjust(64, "0")


@pytest.mark.parametrize(
    ("token", "exchange"),
    [("treaty-signed:0", "CTF Exchange V2"), ("chair-adams:1", "NegRisk Exchange V2"),
     ("rates-cut-december:0", "ExchangeV3")],
)  # fmt: skip
async def test_a_fill_stands_in_the_exchange_of_its_market(
    venue: RunningVenue, polygon: RunningPolygon, token: str, exchange: str
) -> None:
    for role in ("taker", "maker"):
        deed = await venue.trade("alice", token, "BUY", "20", price="0.4", role=role)
        logs = (await receipt(polygon, deed))["logs"]
        assert {NAMES[log["address"].lower()] for log in logs} == {exchange}
        mine = [log for log in logs if len(log["topics"]) == 4 and log["topics"][2] == topic(venue.address("alice"))]
        [filled] = mine
        words = [int(filled["data"][2 + 64 * n : 66 + 64 * n], 16) for n in range(5)]
        shares, usdc, fee = words[3], words[2], words[4]
        assert (words[0], str(words[1]), shares) == (0, venue.venue.token(token)[1].id, 20_000_000)
        assert usdc + fee == round(deed.rows[0]["usdc_size"] * 10**6), "what the row says it cost"


async def test_equal_fills_share_one_transaction(venue: RunningVenue, polygon: RunningPolygon) -> None:
    deed = await venue.trade("alice", "treaty-signed:0", "BUY", "5", price="0.4", copies=2)
    found = await receipt(polygon, deed)
    mine = [
        log for log in found["logs"] if len(log["topics"]) == 4 and log["topics"][2] == topic(venue.address("alice"))
    ]
    assert (len(deed.rows), len(mine)) == (2, 2)


@pytest.mark.parametrize("market", ["treaty-signed", "dallas-98-99", "rates-cut-december"])
async def test_pairs_and_redemptions_stand_there_too(venue: RunningVenue, polygon: RunningPolygon, market: str) -> None:
    said = [
        by(await receipt(polygon, await venue.split("alice", market, "10"))),
        by(await receipt(polygon, await venue.merge("alice", market, "4"))),
    ]
    await venue.resolve(market, 1)
    assert venue.venue.market(market).resolved_block > 92_000_000
    redeemed = await receipt(polygon, await venue.redeem("alice", market))
    assert all(logs for logs in said)
    assert redeemed["logs"]
    assert venue.positions("alice") == {}


async def test_a_conversion_has_its_legs_on_the_chain(venue: RunningVenue, polygon: RunningPolygon) -> None:
    for slug in ("dallas-98-99", "dallas-below-98"):
        await venue.trade("carol", f"{slug}:1", "BUY", "20", price="0.7", role="maker")
    deed = await venue.convert("carol", ["dallas-98-99", "dallas-below-98"], "20")
    logs = (await receipt(polygon, deed))["logs"]
    assert deed.rows[0]["usdc_size"] == 20
    mine = topic(venue.address("carol"))
    assert len([log for log in logs if mine in log["topics"]]) >= 3, "shares that go, cash and shares that come"


async def test_a_wallet_sells_once_what_two_requests_sell(venue: RunningVenue) -> None:
    await venue.trade("dave", "treaty-signed:0", "BUY", "10", price="0.4")
    sales = (venue.trade("dave", "treaty-signed:0", "SELL", "10", price="0.4") for _ in range(3))
    done = await asyncio.gather(*sales, return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Deed", "ValueError", "ValueError"]
    assert venue.positions("dave") == {}


async def test_what_the_venue_refuses_is_never_mined(venue: RunningVenue, polygon: RunningPolygon) -> None:
    head = await polygon.exchange.head()
    for verb, asked in (
        ("trade", {"token": "treaty-signed:0", "side": "SELL", "shares": "1", "price": "0.5"}),
        ("trade", {"token": "treaty-signed:0", "side": "BUY", "shares": "1", "price": "1.5"}),
        ("split", {"market": "treaty-signed", "pairs": "-1"}),
        ("merge", {"market": "treaty-signed", "pairs": "1"}),
        ("redeem", {"market": "treaty-signed"}),
        ("convert", {"markets": ["treaty-signed"], "amount": "1"}),
    ):
        with pytest.raises(ValueError, match=r"."):
            await venue.perform(verb, wallet="nobody", **asked)
    with pytest.raises(ValueError, match="add up"):
        await venue.resolve("treaty-signed", payouts=["1", "1"])
    assert await polygon.exchange.head() == head
    past = await venue.trade("alice", "treaty-signed:0", "BUY", "5", price="0.4", ago_s=600)
    assert await polygon.exchange.head() == head, "the past cannot be mined"
    assert past.rows[0]["timestamp"] <= venue.venue.now_ms() // 1000 - 600
