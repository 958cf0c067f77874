"""How the local venue goes wrong: caches, limits, refused clients, and every fault by its name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from localnet.polymarket.faults import FAULTS
from tests.patience import PATIENCE_S
from tests.world.venue import RunningVenue, running_venue

AGENT = {"User-Agent": "holdfast-test"}
ROUTE = "data:/v2/activity"


@pytest_asyncio.fixture(loop_scope="session")
async def venue() -> AsyncIterator[RunningVenue]:
    async with running_venue(seed=7) as running:
        for number in range(1, 5):
            await running.trade("alice", "treaty-signed:0", "BUY", str(number), price="0.4", at=1_795_000_000 + number)
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def client(venue: RunningVenue) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=venue.url, headers=AGENT, timeout=PATIENCE_S) as opened:
        yield opened


async def activity(venue: RunningVenue, client: httpx.AsyncClient, **more: Any) -> httpx.Response:
    return await client.get("/data/v2/activity", params={"user": venue.address("alice"), **more})


def sizes(answer: httpx.Response) -> list[float]:
    return [row["size"] for row in answer.json()["data"]]


async def test_the_cdn_answers_the_same_url_until_it_is_old(venue: RunningVenue, client: httpx.AsyncClient) -> None:
    await venue.perform("settings", cache=True)
    first = await activity(venue, client)
    assert (first.headers["cache-control"], first.headers["x-cache"]) == ("public, max-age=15", "Miss from cloudfront")
    await venue.trade("alice", "treaty-signed:0", "BUY", "9", price="0.4")
    again = await client.get(str(first.url), headers={"Cache-Control": "no-cache", "Pragma": "no-cache"})
    assert (again.headers["x-trace-id"], again.headers["x-cache"]) == (
        first.headers["x-trace-id"], "Hit from cloudfront"
    )  # fmt: skip
    assert (sizes(again), "age" in again.headers) == (sizes(first), True)
    busted = await activity(venue, client, _="1")
    assert (sizes(busted)[0], busted.headers["x-trace-id"] != first.headers["x-trace-id"]) == (9, True)
    await venue.cache(advance_s=14)
    assert sizes(await activity(venue, client)) == sizes(first)
    await venue.cache(advance_s=2)
    assert sizes(await activity(venue, client))[0] == 9


@pytest.mark.parametrize(("path", "age"), [("/v2/trades", 300), ("/v2/positions", 5), ("/v2/value", None)])
async def test_each_route_has_its_own_age(
    venue: RunningVenue, client: httpx.AsyncClient, path: str, age: int | None
) -> None:
    answer = await client.get(f"/data{path}", params={"user": venue.address("alice")})
    assert answer.headers.get("cache-control") == (f"public, max-age={age}" if age else None)


async def test_a_client_without_a_name_of_its_own_is_refused(venue: RunningVenue) -> None:
    for agent in ("Python-urllib/3.11", "python-requests/2.32", "Python/3.11 aiohttp/3.14", ""):
        async with httpx.AsyncClient(base_url=venue.url, headers={"User-Agent": agent}) as client:
            answer = await client.get("/clob/time")
            assert (answer.status_code, answer.text) == (403, "error code: 1010"), agent
    async with httpx.AsyncClient(base_url=venue.url) as client:
        assert (await client.get("/clob/time")).status_code == 200, "the official SDK comes as httpx"


async def test_limits_hold_per_route_and_scale(venue: RunningVenue, client: httpx.AsyncClient) -> None:
    await venue.perform("settings", limits=0.02)
    codes = [(await activity(venue, client, _=number)).status_code for number in range(9)]
    assert codes == [200] * 8 + [429], "a fiftieth of 400"
    refused = await activity(venue, client)
    said = refused.json()
    assert (said["code"], said["retryable"], said["trace_id"]) == (
        "rate_limited", True, refused.headers["x-trace-id"]
    )  # fmt: skip
    assert 1 <= int(refused.headers["retry-after"]) <= 11
    old = [await client.get("/data/positions", params={"user": venue.address("alice")}) for _ in range(4)]
    assert (old[-1].status_code, old[-1].text, "retry-after" in old[-1].headers) == (429, "error code: 1015", False)
    assert (await client.get("/clob/time")).status_code == 200
    await venue.cache(clear=True)
    assert (await activity(venue, client)).status_code == 200


@pytest.mark.parametrize(
    ("fault", "status", "content"),
    [
        ("http_429", 429, "application/json"),
        ("http_429_bare", 429, "text/plain"),
        ("http_429_html", 429, "text/html"),
        ("http_403", 403, "text/plain"),
        ("http_500", 500, "application/json"),
        ("http_503", 503, "application/json"),
        ("http_502_html", 502, "text/html"),
        ("plain_5xx", 503, "text/plain"),
        ("html", 200, "text/html"),
        ("half_json", 200, "application/json"),
        ("empty", 200, "application/json"),
        ("says", 200, "application/json"),
    ],
)
async def test_an_answer_of_somebody_else(
    venue: RunningVenue, client: httpx.AsyncClient, fault: str, status: int, content: str
) -> None:
    venue.fail(ROUTE, fault, seconds=3, text="{}")
    answer = await activity(venue, client)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (status, content)
    assert answer.headers.get("retry-after") == {"http_429": "3", "http_503": "1"}.get(fault)
    assert (await activity(venue, client)).status_code == 200, "once"


@pytest.mark.parametrize(
    ("fault", "found"),
    [("half_page", [4, 3]), ("empty_page", []), ("duplicated", [4, 4, 3, 3, 2, 2, 1, 1]), ("reordered", None)],
)
async def test_a_page_with_other_rows(
    venue: RunningVenue, client: httpx.AsyncClient, fault: str, found: list[int] | None
) -> None:
    venue.fail(ROUTE, fault)
    got = sizes(await activity(venue, client))
    assert got == found or (found is None and sorted(got) == [1, 2, 3, 4] and got != [4, 3, 2, 1])
    assert sizes(await activity(venue, client)) == [4, 3, 2, 1]


async def test_rows_of_another_shape(venue: RunningVenue, client: httpx.AsyncClient) -> None:
    told: dict[str, dict[str, Any]] = {
        "without": {"field": "size"}, "as": {"field": "type", "value": "SPLICE"}, "string_numbers": {},
        "unlabelled": {}, "unknown_type": {}, "mixed_case": {},
    }  # fmt: skip
    for fault, more in told.items():
        venue.fail(ROUTE, fault, **more)
        row = (await activity(venue, client)).json()["data"][0]
        seen = {
            "without": "size" not in row, "as": row["type"] == "SPLICE", "string_numbers": row.get("size") == "4",
            "unlabelled": row["outcome_index"] == 999, "unknown_type": row["type"] == "TELEPORT",
            "mixed_case": row["proxy_wallet"] == "0x" + venue.address("alice")[2:].upper(),
        }  # fmt: skip
        assert seen[fault], fault
    for fault, body in (("odd_shape", {"result": "somewhere else"}), ("bare_list", list), ("null_rows", None)):
        venue.fail(ROUTE, fault)
        said = (await activity(venue, client)).json()
        assert said == body or isinstance(said, list) or said["data"] is None
    venue.fail(ROUTE, "no_cursor")
    assert "pagination" not in (await activity(venue, client)).json()


async def test_a_stale_page_has_its_old_trace_id(venue: RunningVenue, client: httpx.AsyncClient) -> None:
    before = await activity(venue, client, _=1)
    await venue.trade("alice", "treaty-signed:0", "BUY", "9", price="0.4")
    venue.fail(ROUTE, "stale")
    stale = await activity(venue, client, _=2)
    assert (sizes(stale), stale.headers["x-trace-id"]) == ([4, 3, 2, 1], before.headers["x-trace-id"])
    assert sizes(await activity(venue, client, _=3)) == [9, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("no_asks", lambda book, good: book["asks"] == [] != book["bids"]),
        ("no_bids", lambda book, good: book["bids"] == [] != book["asks"]),
        ("empty_book", lambda book, good: book["bids"] == book["asks"] == []),
        ("crossed", lambda book, good: book["bids"][0]["price"] > book["asks"][0]["price"]),
        ("placeholder", lambda book, good: (book["bids"][0]["price"], book["asks"][0]["price"]) == ("0.01", "0.99")),
        ("best_first", lambda book, good: book["bids"] == good["bids"][::-1] and book["asks"] == good["asks"][::-1]),
        ("unsorted", lambda book, good: book["bids"] not in (good["bids"], good["bids"][::-1])),
        ("wrong_hash", lambda book, good: book["hash"] != good["hash"]),
        ("odd_level", lambda book, good: book["asks"][0]["price"] == "cheap"),
    ],
)
async def test_a_book_that_is_none(venue: RunningVenue, client: httpx.AsyncClient, fault: str, seen: Any) -> None:
    ask = {"token_id": venue.venue.token("treaty-signed:0")[1].id}
    good = (await client.get("/clob/book", params=ask)).json()
    venue.fail("clob:/book", fault)
    assert seen((await client.get("/clob/book", params=ask)).json(), good)
    venue.fail("clob:/books", fault)
    assert seen((await client.post("/clob/books", json=[ask])).json()[0], good)
    venue.fail("clob", "no_book")
    assert (await client.get("/clob/book", params=ask)).status_code == 404


async def test_the_connection_breaks_or_waits(venue: RunningVenue, client: httpx.AsyncClient) -> None:
    venue.fail(ROUTE, "drop")
    with pytest.raises(httpx.RemoteProtocolError):
        await activity(venue, client)
    venue.fail(ROUTE, "stall", seconds=0.2)
    with pytest.raises(httpx.RemoteProtocolError):
        await activity(venue, client)
    venue.fail(ROUTE, "delay", seconds=0.3)
    began = time.monotonic()
    assert sizes(await activity(venue, client)) == [4, 3, 2, 1]
    assert time.monotonic() - began >= 0.3


async def test_faults_meet_what_they_are_aimed_at(venue: RunningVenue, client: httpx.AsyncClient) -> None:
    venue.fail("data", "http_500", times=2, skip=1, match="activity")
    codes = [(await activity(venue, client)).status_code for _ in range(4)]
    assert codes == [200, 500, 500, 200]
    venue.fail("*", "http_500", times=None)
    assert (await client.get("/gamma/markets")).status_code == 500
    venue.heal()
    assert (await client.get("/gamma/markets")).status_code == 200
    for target, fault in (("moon", "drop"), ("clob:/book", "hiccup")):
        with pytest.raises(ValueError, match="targets are"):
            venue.fail(target, fault)


async def test_the_same_is_told_over_http(venue: RunningVenue, client: httpx.AsyncClient) -> None:
    told = await client.post("/control/fault", json={"target": ROUTE, "fault": "http_429", "times": 2, "seconds": 7})
    assert told.status_code == 204
    assert (await activity(venue, client)).headers["retry-after"] == "7"
    assert (await client.delete("/control/fault")).status_code == 204
    assert (await activity(venue, client)).status_code == 200
    bought = {"wallet": "bob", "token": "treaty-signed:0", "side": "BUY", "shares": "3", "price": "0.4"}
    done = (await client.post("/control/trade", json=bought)).json()
    assert (done["rows"][0]["size"], venue.positions("bob")) == (3, {done["rows"][0]["token_id"]: 3_000_000})
    wrong: list[tuple[str, Any]] = [
        ("trade", {**bought, "shares": "-1"}), ("trade", {**bought, "side": "HOLD"}), ("trade", {"wallet": "bob"}),
        ("trade", {**bought, "price": 0.5}), ("dance", {}), ("fault", {"target": "moon", "fault": "drop"}),
        ("fault", {}), ("resolve", {"market": "treaty-signed", "winner": 7}), ("settings", {"sell_usdc": "both"}),
        ("sockets", {"mood": "sulking"}), ("book", {"token": "treaty-signed:0", "bids": [["1.5", "1"]]}),
        ("stage", {"market": "treaty-signed", "stage": "resolved"}), ("tick", {"market": "x", "tick": "0.01"}),
    ]  # fmt: skip
    for verb, body in wrong:
        answer = await client.post(f"/control/{verb}", json=body)
        assert (answer.status_code, list(answer.json())) == (400, ["error"]), verb
    shown = (await client.get("/control")).json()
    assert (set(FAULTS), shown["calls"][ROUTE]) == (set(shown["faults"]), 2)
    assert {"trade", "resolve"} <= set(shown["verbs"])
    assert venue.requests[-1]["agent"] == "holdfast-test"


async def test_requests_run_side_by_side(venue: RunningVenue, client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(activity(venue, client, _=number) for number in range(50)))
    assert len({answer.headers["x-trace-id"] for answer in answers}) == 50
