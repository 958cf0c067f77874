"""Positions, values and resolutions of the data API against the local venue, both generations."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.shared.errors import Rejected, Unavailable
from gateways.polymarket import data_v1
from gateways.polymarket.data import DataApiV2
from gateways.polymarket.data_v1 import DataApiV1
from gateways.polymarket.gamma import Gamma
from tests.venue_desk import NOW, Desk, desk, small


@pytest_asyncio.fixture(params=["v2", "v1"], loop_scope="session")
async def both(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    async with desk(data_version=request.param) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def second() -> AsyncIterator[Desk]:
    async with desk() as made:
        yield made


async def test_positions_are_exact_to_the_micro_and_hide_no_dust(both: Desk) -> None:
    await both.venue.trade("pia", "treaty-signed:0", "BUY", "20.123457", price="0.43", at=NOW - 9)
    await both.venue.trade("pia", "bitcoin-up:1", "BUY", "0.05", price="0.5", at=NOW - 8)
    found = await both.polymarket.data.positions(both.venue.address("pia"))
    assert {position.token_id: position.shares for position in found} == both.venue.positions("pia")
    assert len(found) == 2
    assert both.held == []


async def test_positions_of_several_pages_are_one_list(second: Desk) -> None:
    for number, slug in enumerate(["treaty-signed", "border-open", "bitcoin-up", "bitcoin-above-150k"]):
        await second.venue.trade("quin", f"{slug}:0", "BUY", str(5 + number), price="0.4", at=NOW - 9)
    wallet = second.venue.address("quin")
    for client in (small(second, "v2", 3), small(second, "v1", 3)):
        found = await client.positions(wallet)
        assert {position.token_id: position.shares for position in found} == second.venue.positions("quin")


@pytest.mark.parametrize("payouts", [(1_000_000, 0), (500_000, 500_000), (250_000, 750_000)])
async def test_resolutions_tell_payouts_also_fractional_ones(both: Desk, payouts: tuple[int, int]) -> None:
    market = await both.venue.market("bitcoin-up")
    other = await both.venue.market("treaty-signed")
    found = await both.polymarket.data.resolutions([market.condition_id, other.condition_id])
    assert all(one.payouts is None and one.status != "resolved" for one in found)
    await both.venue.resolve("bitcoin-up", payouts=[f"{one / 1_000_000:.2f}" for one in payouts])
    found = await both.polymarket.data.resolutions([market.condition_id, other.condition_id])
    resolved = {one.condition_id: one for one in found if one.status == "resolved"}
    assert resolved[market.condition_id].payouts == payouts
    assert resolved[market.condition_id].resolved_at
    assert other.condition_id not in resolved


async def test_a_closed_market_is_not_resolved(both: Desk) -> None:
    market = await both.venue.market("bitcoin-up")
    for stage in ("closed", "proposed", "disputed"):
        await both.venue.stage("bitcoin-up", stage)
        found = await both.polymarket.data.resolutions([market.condition_id])
        assert all(one.status != "resolved" and one.payouts is None for one in found), stage


async def test_resolutions_are_asked_for_twenty_at_a_time_and_a_bad_id_costs_itself(second: Desk) -> None:
    known = [market.condition_id for market in second.venue.venue.markets.values()][:3]
    strangers = [f"0x{number:064x}" for number in range(40)]
    found = await second.polymarket.data.resolutions([*known, *strangers])
    assert len(second.asked("data:/v2/resolutions")) == 3
    assert {one.condition_id for one in found} <= set(known)
    found = await second.polymarket.data.resolutions([*known, "0xnonsense"])
    assert [held.payload for held in second.held] == [{"condition_id": "0xnonsense"}]


async def test_a_cursor_the_venue_no_longer_takes_means_begin_again(second: Desk) -> None:
    for number in range(5):
        await second.venue.trade("tom", "treaty-signed:0", "BUY", "5", price="0.4", at=NOW - 50 + number)
    second.venue.fail("data:/v2/activity", "says", status=400, match="cursor=",
                      text='{"error":"invalid cursor","code":"invalid_request","retryable":false}')  # fmt: skip
    client, wallet = small(second, "v2", 2), second.venue.address("tom")
    with pytest.raises(Unavailable, match="begin again"):
        await client.activity(wallet, NOW - 60, NOW)
    assert len((await client.activity(wallet, NOW - 60, NOW)).rows) == 5


async def test_value_and_status(both: Desk) -> None:
    await both.venue.trade("rosa", "treaty-signed:0", "BUY", "20", price="0.43", at=NOW - 9)
    assert await both.polymarket.data.value(both.venue.address("rosa")) > 0
    assert await both.polymarket.data.value(both.venue.address("nobody-yet")) == 0
    status = await both.polymarket.data.status()
    if isinstance(both.polymarket.data, DataApiV2):
        assert status is not None
        assert status.lag_s >= 0
        assert status.worst
    else:
        assert status is None


async def test_an_address_that_is_none_is_refused_before_it_is_sent(second: Desk) -> None:
    with pytest.raises(Rejected) as refused:
        await second.polymarket.data.activity("steady-whale", NOW - 9)
    assert refused.value.code == "invalid_address"
    assert second.asked("data:/v2/activity") == []


async def test_a_protocol_contract_is_refused(second: Desk) -> None:
    second.venue.fail("data:/v2/activity", "says", status=400,
                      text='{"error":"user is a known protocol contract","code":"invalid_request","retryable":false,'
                           '"trace_id":"x","parameter":"user"}')  # fmt: skip
    with pytest.raises(Rejected) as refused:
        await second.polymarket.data.activity("0x" + "4d" * 20, NOW - 9)
    assert refused.value.code == "upstream_refused"
    assert refused.value.data["parameter"] == "user"


async def test_a_first_generation_server_that_cuts_the_limit_loses_nothing(second: Desk) -> None:
    """It answers 100 rows whatever is asked: that is not the end."""
    assert data_v1.SURELY_LAST == 100
    for number in range(5):
        await second.venue.trade("sven", "treaty-signed:0", "BUY", "5", price="0.4", copies=50, at=NOW - 50 + number)
    wallet = second.venue.address("sven")
    client = DataApiV1(
        second.polymarket._transport, second.keep, Gamma(second.polymarket._transport, second.keep), page=100
    )
    client._page = 100
    assert len((await client.activity(wallet, NOW - 60, NOW)).rows) == 250
