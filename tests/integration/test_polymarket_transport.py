"""What lies between us and the venue: limits, refusals, pages of proxies, copies from a cache, sockets that break."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from domain.shared.errors import Unavailable
from gateways.polymarket.client import Polymarket
from gateways.polymarket.counts import RequestCounts
from gateways.polymarket.recording import Recorder
from gateways.polymarket.routes import ROUTES
from gateways.polymarket.transport import TRIES, Refused
from tests.venue_desk import NOW, Desk, desk

WALLET = "0x" + "12" * 20


@pytest_asyncio.fixture(loop_scope="session")
async def made() -> AsyncIterator[Desk]:
    async with desk() as desk_:
        yield desk_


async def ask(made: Desk) -> object:
    return await made.polymarket.data.activity(WALLET, NOW - 60, NOW)


def requests(made: Desk) -> int:
    return len(made.asked("data:/v2/activity"))


@pytest.mark.parametrize("fault", ["http_500", "http_503", "http_502_html", "plain_5xx", "html", "drop"])
async def test_what_passes_is_tried_again_with_growing_waits(made: Desk, fault: str) -> None:
    made.venue.fail("data:/v2/activity", fault, times=2)
    await ask(made)
    assert requests(made) == 3
    first, second = made.slept
    assert 0.125 <= first <= 1.25
    assert second > first


@pytest.mark.parametrize("fault", ["http_500", "html", "drop"])
async def test_three_tries_and_no_more(made: Desk, fault: str) -> None:
    made.venue.fail("data:/v2/activity", fault, times=None)
    with pytest.raises(Unavailable) as away:
        await ask(made)
    assert away.value.code == "venue_unavailable"
    assert away.value.retry_after_s >= 1
    assert requests(made) == TRIES == 3


async def test_a_server_that_does_not_answer_is_left_in_time(made: Desk) -> None:
    made.venue.fail("data:/v2/activity", "stall", times=None, seconds=30)
    made.polymarket._transport._timeout_s = 0.2
    with pytest.raises(Unavailable) as away:
        await ask(made)
    assert away.value.data["timeout"] is True
    assert requests(made) == 3


async def test_waits_are_spread(made: Desk) -> None:
    seen = set()
    for _ in range(8):
        made.venue.fail("data:/v2/activity", "http_500", times=1)
        await ask(made)
    seen = set(made.slept)
    assert len(seen) == 8, "jitter"


async def test_a_429_with_retry_after_closes_the_route_for_so_long(made: Desk) -> None:
    made.venue.fail("data:/v2/activity", "http_429", seconds=7)
    with pytest.raises(Unavailable) as limited:
        await ask(made)
    assert (limited.value.code, limited.value.retry_after_s) == ("venue_rate_limited", 7)
    assert requests(made) == 1, "not tried again at once"
    assert made.polymarket.open_circuits() == ["data_activity"]
    with pytest.raises(Unavailable) as still:
        await ask(made)
    assert still.value.data["circuit_open"] is True
    assert requests(made) == 1
    assert await made.polymarket.clob.time() > 0, "other routes go on"
    made.now += 7.1
    await ask(made)
    assert made.polymarket.open_circuits() == []


@pytest.mark.parametrize("fault", ["http_429_bare", "http_429_html"])
async def test_a_429_without_retry_after_backs_off_for_longer_each_time(made: Desk, fault: str) -> None:
    waits = []
    for _ in range(5):
        made.venue.fail("data:/v2/activity", fault)
        with pytest.raises(Unavailable) as limited:
            await ask(made)
        assert limited.value.code == "venue_rate_limited"
        waits.append(limited.value.retry_after_s)
        made.now += waits[-1] + 0.1
    assert waits == [10, 20, 40, 60, 60]
    await ask(made)
    made.venue.fail("data:/v2/activity", fault)
    with pytest.raises(Unavailable) as limited:
        await ask(made)
    assert limited.value.retry_after_s == 10, "a good answer in between starts the count again"


async def test_a_block_by_the_proxy_is_waited_out_and_not_hammered(made: Desk) -> None:
    made.venue.fail("data:/v2/activity", "http_403", times=None)
    with pytest.raises(Unavailable) as blocked:
        await ask(made)
    assert blocked.value.data["status"] == 403
    assert "1010" in blocked.value.detail
    assert requests(made) == 1
    assert made.polymarket.open_circuits() == ["data_activity"]


async def test_our_agent_is_not_refused_and_says_who_we_are(made: Desk) -> None:
    await ask(made)
    assert "holdfast/" in made.venue.requests[-1]["agent"]
    assert "httpx" not in made.venue.requests[-1]["agent"]


async def test_a_page_from_the_cache_is_asked_for_once_more(made: Desk) -> None:
    await ask(made)
    made.venue.fail("data:/v2/activity", "stale", times=1)
    await ask(made)
    assert requests(made) == 3
    assert made.polymarket.counts.totals["data_activity", "stale"] == 1


async def test_a_cache_that_goes_on_is_no_answer(made: Desk) -> None:
    await ask(made)
    made.venue.fail("data:/v2/activity", "stale", times=None)
    with pytest.raises(Unavailable) as old:
        await ask(made)
    assert old.value.data["stale"] is True
    assert requests(made) == 3


async def test_a_route_that_fails_five_times_is_left_alone(made: Desk) -> None:
    made.venue.fail("clob:/time", "http_500", times=None)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await made.polymarket.clob.time()
    assert made.polymarket.open_circuits() == ["clob_time"]
    assert made.venue.calls["clob:/time"] == 5
    made.now += 31
    made.venue.heal()
    assert await made.polymarket.clob.time() > 0


async def test_a_refusal_shows_that_the_route_is_up(made: Desk) -> None:
    made.venue.fail("clob:/book", "http_500", times=4)
    with pytest.raises(Unavailable):
        await made.polymarket.clob.book("1")
    assert await made.polymarket.clob.book("1") is None, "one more failure, then 404"
    made.venue.fail("clob:/book", "http_500", times=2)
    assert await made.polymarket.clob.book("1") is None, "the count began again"


async def test_what_is_refused_is_not_tried_again(made: Desk) -> None:
    with pytest.raises(Refused) as refused:
        await made.polymarket.clob.book("")
    assert refused.value.status == 400
    assert made.venue.calls["clob:/book"] == 1


async def test_requests_are_counted_by_route_and_minute() -> None:
    now, told = [60_000.0], []
    counts = RequestCounts(lambda value, labels: told.append((value, dict(labels))), clock=lambda: now[0])
    async with desk() as made:
        venue = made.venue
        client = Polymarket.connect(
            quarantine=made.keep, data_url=venue.data_url, clob_url=venue.clob_url, gamma_url=venue.gamma_url,
            counts=counts,
        )  # fmt: skip
        for _ in range(3):
            await client.clob.time()
        await client.clob.book("1")
        now[0] += 60
        assert counts.last_minute() == {"clob_time": 3, "clob_book": 1}
        await client.clob.time()
        await client.aclose()
    assert told[0] == (1, {"route": "clob_time", "outcome": "200"})
    assert (1, {"route": "clob_book", "outcome": "404"}) in told


async def test_a_burst_stays_under_the_venues_limits_and_the_limit_of_all_routes() -> None:
    """The venue counts over ten seconds and would answer 429; ours is 20 a second after a burst of 40."""
    async with desk(limits=1.0) as made:
        venue = made.venue
        client = Polymarket.connect(
            quarantine=made.keep, data_url=venue.data_url, clob_url=venue.clob_url, gamma_url=venue.gamma_url,
            timeout_s=30,
        )  # fmt: skip
        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(client.data.trades(WALLET, NOW - 60, NOW) for _ in range(30)),
                             *(client.data.activity(WALLET, NOW - 60, NOW) for _ in range(30)))  # fmt: skip
        took = asyncio.get_running_loop().time() - began
        await client.aclose()
        assert took >= (60 - 40) / 20 * 0.95
        assert {outcome for (_, outcome), _ in client.counts.totals.items()} == {"200"}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_no_bucket_lets_more_through_than_the_venue_takes(route: object) -> None:
    found = next(r for r in ROUTES if r is route)
    assert found.burst + 10 * found.per_s < found.venue_per_10s


async def test_every_raw_answer_can_be_kept(tmp_path: Path) -> None:
    with Recorder(tmp_path / "frames.jsonl") as recorder:
        async with desk(recorder=recorder) as made:
            await made.venue.trade("alice", "treaty-signed:0", "BUY", "5", price="0.4", at=NOW - 5)
            await made.polymarket.data.activity(made.venue.address("alice"), NOW - 60, NOW)
            await made.polymarket.clob.book("1")
            made.venue.fail("clob:/time", "http_500", times=1)
            await made.polymarket.clob.time()
    frames = [json.loads(line) for line in (tmp_path / "frames.jsonl").read_text().splitlines()]
    assert [(f["route"], f["status"]) for f in frames] == [
        ("data_activity", 200), ("clob_book", 404), ("clob_time", 500), ("clob_time", 200)
    ]  # fmt: skip
    assert recorder.frames == 4
    first = frames[0]
    assert first["url"].startswith("/data/v2/activity?user=0x")
    assert json.loads(first["body"])["data"][0]["price"] == 0.4
    assert first["headers"]["x-trace-id"]
    assert first["at"].endswith("+00:00")
