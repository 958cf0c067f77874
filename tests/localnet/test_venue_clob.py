"""The venue's CLOB and Gamma at the wire: books, prices, markets, profiles."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.world.venue import RunningVenue, running_venue

BOOK_KEYS = ["market", "asset_id", "timestamp", "hash", "bids", "asks", "min_order_size", "tick_size", "neg_risk",
             "last_trade_price"]  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def venue() -> AsyncIterator[RunningVenue]:
    async with running_venue(seed=7) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def client(venue: RunningVenue) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=venue.url, headers={"User-Agent": "holdfast-test"}) as opened:
        yield opened


async def get(client: httpx.AsyncClient, path: str, **asked: Any) -> Any:
    answer = await client.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def token(venue: RunningVenue, key: str) -> str:
    return venue.venue.token(key)[1].id


async def test_a_book_is_worst_first_in_strings_and_its_hash_holds(
    venue: RunningVenue, client: httpx.AsyncClient
) -> None:
    await venue.trade("alice", "dallas-98-99:0", "BUY", "5", price="0.43")
    book = await get(client, "/clob/book", token_id=token(venue, "dallas-98-99:0"))
    assert list(book) == BOOK_KEYS
    prices = [[float(level["price"]) for level in book[side]] for side in ("bids", "asks")]
    assert prices == [sorted(prices[0]), sorted(prices[1], reverse=True)]
    assert prices[0][-1] < prices[1][-1], "the best are last"
    assert {type(level[key]) for side in ("bids", "asks") for level in book[side] for key in level} == {str}
    assert (book["min_order_size"], book["tick_size"], book["neg_risk"], book["last_trade_price"]) == (
        "5", "0.01", True, "0.430"
    )  # fmt: skip
    assert len(book["timestamp"]) == 13
    text = json.dumps({**book, "hash": ""}, separators=(",", ":"), ensure_ascii=False)
    assert book["hash"] == hashlib.sha1(text.encode()).hexdigest()


async def test_the_other_outcome_has_the_mirrored_book(venue: RunningVenue, client: httpx.AsyncClient) -> None:
    ids = [token(venue, f"bitcoin-up:{place}") for place in (0, 1)]
    up, down = (await client.post("/clob/books", json=[{"token_id": one} for one in ids])).json()
    assert [(round(1 - float(one["price"]), 6), one["size"]) for one in up["asks"]] == [
        (float(one["price"]), one["size"]) for one in down["bids"]
    ]


async def test_buy_is_the_best_bid_and_sell_the_best_ask(venue: RunningVenue, client: httpx.AsyncClient) -> None:
    key = "treaty-signed:0"
    one, other = token(venue, key), token(venue, "treaty-signed:1")
    await venue.book(key, [("0.42", "100"), ("0.4", "50")], [("0.43", "10"), ("0.5", "1")])
    assert await get(client, "/clob/price", token_id=one, side="BUY") == {"price": "0.42"}
    assert await get(client, "/clob/price", token_id=one, side="SELL") == {"price": "0.43"}
    assert await get(client, "/clob/midpoint", token_id=one) == {"mid": "0.425"}
    assert await get(client, "/clob/midpoint", token_id=other) == {"mid": "0.575"}
    assert await get(client, "/clob/spread", token_id=one) == {"spread": "0.01"}
    both = [{"token_id": one}, {"token_id": other}, {"token_id": "7"}]
    assert (await client.post("/clob/midpoints", json=both)).json() == {one: "0.425", other: "0.575"}
    assert (await client.post("/clob/spreads", json=both)).json() == {one: "0.01", other: "0.01"}
    sides = [{"token_id": one, "side": "BUY"}, {"token_id": one, "side": "SELL"}]
    assert (await client.post("/clob/prices", json=sides)).json() == {one: {"BUY": "0.42", "SELL": "0.43"}}


async def test_a_token_nobody_traded_says_a_half_and_no_side(venue: RunningVenue, client: httpx.AsyncClient) -> None:
    one, other = token(venue, "phone-folds:0"), token(venue, "phone-folds:1")
    assert await get(client, "/clob/last-trade-price", token_id=one) == {"price": "0.5", "side": ""}
    await venue.trade("alice", "phone-folds:0", "BUY", "5", price="0.56")
    assert await get(client, "/clob/last-trade-price", token_id=one) == {"price": "0.56", "side": "BUY"}
    told = (await client.post("/clob/last-trades-prices", json=[{"token_id": one}, {"token_id": other}])).json()
    assert told == [{"token_id": one, "price": "0.56", "side": "BUY"}]


async def test_there_is_no_book_of_unknown_closed_or_hidden_tokens(
    venue: RunningVenue, client: httpx.AsyncClient
) -> None:
    await venue.stage("border-open", "closed")
    await venue.perform("hide", token="cup-final-winner:0")
    for one in ("12345", token(venue, "border-open:0"), token(venue, "cup-final-winner:0")):
        answer = await client.get("/clob/book", params={"token_id": one})
        assert (answer.status_code, answer.json()) == (
            404, {"error": "No orderbook exists for the requested token id"}
        )  # fmt: skip
    missing = await client.get("/clob/book")
    assert (missing.status_code, missing.json()) == (400, {"error": "Invalid token id"})
    assert (await client.post("/clob/books", json=[{"token_id": token(venue, "border-open:0")}])).json() == []
    assert (await client.post("/clob/books", json={"token_id": "1"})).status_code == 400
    assert (await client.post("/clob/books", json=[{"token_id": "1"}] * 501)).status_code == 400
    one_sided = {"token": "phone-folds:0", "bids": [["0.4", "1"]], "asks": []}
    await venue.perform("book", **one_sided)
    answer = await client.get("/clob/midpoint", params={"token_id": token(venue, "phone-folds:0")})
    assert answer.status_code == 404


async def test_an_order_takes_from_the_book_and_the_mirror_shrinks(
    venue: RunningVenue, client: httpx.AsyncClient
) -> None:
    await venue.book("treaty-signed:0", [("0.42", "100")], [("0.43", "10"), ("0.5", "5")])
    deed = await venue.trade("taker", "treaty-signed:0", "BUY", "12")
    assert (deed.rows[0]["usdc_size"], deed.rows[0]["price"]) == (5.3, 5.3 / 12)
    book = await get(client, "/clob/book", token_id=token(venue, "treaty-signed:0"))
    assert book["asks"] == [{"price": "0.5", "size": "3"}]
    mirror = await get(client, "/clob/book", token_id=token(venue, "treaty-signed:1"))
    assert mirror["bids"] == [{"price": "0.5", "size": "3"}]
    with pytest.raises(ValueError, match="nothing to take"):
        await venue.trade("taker", "treaty-signed:0", "BUY", "1", price="0.49", take=True)


async def test_markets_of_the_clob(venue: RunningVenue, client: httpx.AsyncClient) -> None:
    market = venue.venue.market("dallas-98-99")
    said = await get(client, f"/clob/markets/{market.condition_id}")
    assert (said["minimum_order_size"], said["minimum_tick_size"], said["neg_risk"]) == (5, 0.01, True)
    assert (said["accepting_orders"], said["closed"], said["active"]) == (True, False, True)
    assert [one["outcome"] for one in said["tokens"]] == ["Yes", "No"]
    compact = await get(client, f"/clob/clob-markets/{market.condition_id}")
    assert [one["t"] for one in compact["t"]] == [one.id for one in market.tokens]
    assert (compact["mts"], compact["nr"], compact["fd"]) == (0.01, True, {"r": 0.05, "e": 1, "to": True})
    by_token = await get(client, f"/clob/markets-by-token/{market.tokens[1].id}")
    assert by_token["condition_id"] == market.condition_id
    assert await get(client, "/clob/tick-size", token_id=market.tokens[0].id) == {"minimum_tick_size": 0.01}
    await venue.resolve("dallas-98-99", payouts=["0.5", "0.5"])
    said = await get(client, f"/clob/markets/{market.condition_id}")
    assert (said["is_50_50_outcome"], said["closed"], [one["winner"] for one in said["tokens"]]) == (
        True, True, [False, False]
    )  # fmt: skip
    assert (await client.get("/clob/markets/0x12")).status_code == 404
    assert isinstance(await get(client, "/clob/time"), int)
    assert (await client.get("/clob/ok")).text == "OK"


async def test_a_market_of_gamma_has_its_lists_in_strings(venue: RunningVenue, client: httpx.AsyncClient) -> None:
    market = venue.venue.market("cup-final-winner")
    said = await get(client, "/gamma/markets/slug/cup-final-winner")
    assert (said["outcomes"], json.loads(said["clobTokenIds"])) == (
        '["Lions", "Hawks"]', [one.id for one in market.tokens]
    )  # fmt: skip
    assert sum(map(float, json.loads(said["outcomePrices"]))) == 1
    assert "positionIds" not in said
    assert said["feeSchedule"] == {"exponent": 1, "rate": 0.03, "takerOnly": True, "rebateRate": 0.25}
    assert (said["feeType"], said["secondsDelay"], said["version"]) == ("sports_fees_v2", 3, "v1")
    assert (said["active"], said["closed"], said["acceptingOrders"]) == (True, False, True)
    assert said["endDate"] < (await get(client, "/gamma/markets/slug/treaty-signed"))["endDate"]
    assert said["events"][0]["slug"] == "cup-final"
    assert (await get(client, f"/gamma/markets/{market.gamma_id}"))["slug"] == market.slug
    free = await get(client, "/gamma/markets/slug/treaty-signed")
    assert (free["feesEnabled"], "feeSchedule" in free) == (False, False)
    assert (await get(client, "/gamma/markets/slug/phone-folds"))["endDate"] is None


async def test_a_protocol_v2_market_has_position_ids_in_a_real_array(
    venue: RunningVenue, client: httpx.AsyncClient
) -> None:
    market = venue.venue.market("rates-cut-december")
    [said] = await get(client, "/gamma/markets", version="v2")
    assert (said["positionIds"], said["clobTokenIds"]) == ([one.id for one in market.tokens], "[]")
    assert (said["conditionId"], len(said["conditionId"])) == (market.short_id, 64)
    [found] = await get(client, "/gamma/markets", position_ids=market.tokens[1].id)
    assert found["slug"] == market.slug


async def test_resolved_markets_are_invisible_unless_closed_is_asked_for(
    venue: RunningVenue, client: httpx.AsyncClient
) -> None:
    market = venue.venue.market("treaty-signed")
    ask = {"condition_ids": market.condition_id}
    assert len(await get(client, "/gamma/markets", **ask)) == 1
    await venue.resolve("treaty-signed", 0)
    assert await get(client, "/gamma/markets", **ask) == []
    [said] = await get(client, "/gamma/markets", **ask, closed="true")
    assert (json.loads(said["outcomePrices"]), said["umaResolutionStatus"], said["active"]) == (
        ["1", "0"], "resolved", True
    )  # fmt: skip
    assert said["closedTime"].endswith("+00")
    assert " " in said["closedTime"]
    tokens = [one.id for one in market.tokens]
    [found] = await get(client, "/gamma/markets", clob_token_ids=tokens, closed="true")
    assert found["slug"] == market.slug


async def test_gamma_pages_and_clamps(venue: RunningVenue, client: httpx.AsyncClient) -> None:
    for number in range(110):
        await venue.market(f"filler-{number}", event="fillers")
    page = await get(client, "/gamma/markets/keyset", limit=500)
    assert len(page["markets"]) == 100
    rest = await get(client, "/gamma/markets/keyset", limit=500, after_cursor=page["next_cursor"])
    assert (len(rest["markets"]), "next_cursor" in rest) == (len(venue.venue.markets) - 100, False)
    assert len(await get(client, "/gamma/markets")) == 20
    assert len(await get(client, "/gamma/markets", limit=5, offset=3)) == 5
    refused = await client.get("/gamma/markets", params={"clob_token_ids": ["12", "not-a-token"]})
    assert refused.status_code == 422


async def test_events_hold_their_markets(venue: RunningVenue, client: httpx.AsyncClient) -> None:
    [event] = await get(client, "/gamma/events", slug="dallas-highest-temperature")
    assert (len(event["markets"]), event["negRisk"]) == (4, True)
    assert {one["negRiskMarketID"] for one in event["markets"]} == {event["negRiskMarketID"]}
    assert (await get(client, f"/gamma/events/{event['id']}"))["slug"] == event["slug"]
    assert (await get(client, f"/gamma/events/slug/{event['slug']}"))["id"] == event["id"]
    assert (await client.get("/gamma/events/slug/nowhere")).status_code == 404


async def test_people_are_found_by_address_and_name(venue: RunningVenue, client: httpx.AsyncClient) -> None:
    address = venue.address("steady-whale")
    said = await get(client, "/gamma/public-profile", address="0x" + address[2:].upper())
    assert (said["proxyWallet"], said["name"]) == (address, "steady-whale")
    found = await get(client, "/gamma/public-search", q="WHALE", search_profiles="true")
    assert [one["proxyWallet"] for one in found["profiles"]] == [address]
    assert "profiles" not in await get(client, "/gamma/public-search", q="whale")
    for address, status in (("0x12", 422), ("0x" + "9" * 40, 404)):
        assert (await client.get("/gamma/public-profile", params={"address": address})).status_code == status
