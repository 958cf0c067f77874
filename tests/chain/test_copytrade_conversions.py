"""Conversions from receipts: what the local Polygon's contracts did is what the shadow books."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from domain.copytrade.contracts import DEFAULT
from gateways.polymarket.chain_rpc import PolygonRpc
from localnet.polymarket.chain_node import RunningPolygon, running_polygon
from tests.feed_lab import FeedLab, open_feed_lab

COLOURS = ("red", "green", "blue")


@pytest_asyncio.fixture(loop_scope="session")
async def polygon(tmp_path: Path) -> AsyncIterator[RunningPolygon]:
    async with running_polygon(tmp_path / "polygon") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str, polygon: RunningPolygon) -> AsyncIterator[FeedLab]:
    async with open_feed_lab(database, chain=polygon.exchange) as opened:
        rpc = PolygonRpc(polygon.rpc_url, DEFAULT, max_rps=1_000)
        opened.receipts = rpc
        for colour in COLOURS:
            await opened.venue.market(colour, event="race", neg_risk=True)
        yield opened
        await rpc.aclose()


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_k_of_n_questions_are_converted_as_the_receipt_says(lab: FeedLab, count: int) -> None:
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        for colour in COLOURS[:count]:
            await lab.venue.trade("alice", f"{colour}:1", "BUY", "10", price="0.6", role="maker")
        await feed.look()
        await lab.venue.convert("alice", list(COLOURS[:count]), "10")
        await feed.look()
        await lab.facts().catch_up()
    [conversion] = await lab.activities(user)
    assert conversion["state"] == "applied"
    assert await lab.shadow(user) == lab.venue.positions("alice")
    assert await lab.cash(user) == lab.venue.cash("alice")
    held = await lab.rows(
        """SELECT p.token_id, p.condition_id, a.condition_id AS own FROM copytrade.positions p
           JOIN copytrade.outcome_assets a USING (token_id)"""
    )
    assert all(row["condition_id"] == row["own"] for row in held)
    await lab.check_shadow()
