"""The venue's Data API at the wire: the shapes of the captures, pages, refusals, and the cache before it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.world.venue import RunningVenue, running_venue

ACTIVITY_KEYS = [
    "proxy_wallet", "timestamp", "condition_id", "type", "size", "usdc_size", "transaction_hash", "price", "token_id",
    "side", "outcome_index", "title", "slug", "icon", "event_slug", "outcome", "name", "pseudonym", "bio",
    "profile_image", "profile_image_optimized",
]  # fmt: skip
V1_TRADE_KEYS = {
    "proxyWallet", "side", "asset", "conditionId", "size", "price", "timestamp", "title", "slug", "icon", "eventSlug",
    "outcome", "outcomeIndex", "name", "pseudonym", "bio", "profileImage", "profileImageOptimized", "transactionHash",
}  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def venue() -> AsyncIterator[RunningVenue]:
    async with running_venue(seed=7) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def data(venue: RunningVenue) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=venue.data_url, headers={"User-Agent": "holdfast-test"}) as client:
        yield client


async def rows(data: httpx.AsyncClient, path: str = "/v2/activity", **asked: Any) -> list[dict[str, Any]]:
    answer = await data.get(path, params={name.rstrip("_"): value for name, value in asked.items()})
    assert answer.status_code == 200, answer.text
    value = json.loads(answer.text, parse_float=Decimal)
    found: list[dict[str, Any]] = value["data"] if isinstance(value, dict) else value
    return found


async def test_a_trade_row_is_written_as_the_capture_is(venue: RunningVenue, data: httpx.AsyncClient) -> None:
    await venue.trade("jaboobelite", "dallas-100-101:0", "BUY", "22.84", price="0.52", labelled=False)
    answer = await data.get("/v2/activity", params={"user": venue.address("jaboobelite"), "limit": 2})
    [row] = answer.json()["data"]
    assert list(row) == ACTIVITY_KEYS
    assert {key: row[key] for key in ("type", "size", "usdc_size", "price", "side", "outcome_index", "outcome")} == {
        "type": "TRADE", "size": 22.84, "usdc_size": 12.16184, "price": 0.52, "side": "BUY", "outcome_index": 999,
        "outcome": "Yes",
    }  # fmt: skip
    assert '"size": 22.84, "usdc_size": 12.16184' in answer.text, "numbers, not strings"
    assert isinstance(row["timestamp"], int)
    assert answer.json()["pagination"] == {"limit": 2, "offset": 0, "has_more": False, "next_cursor": None}


async def test_a_redeem_row_of_v1_is_written_as_the_capture_is(venue: RunningVenue, data: httpx.AsyncClient) -> None:
    await venue.trade("talkinandy", "border-open:0", "BUY", "20", price="0.15")
    await venue.resolve("border-open", 0)
    await venue.redeem("talkinandy", "border-open")
    redeemed, bought = await rows(data, "/activity", user=venue.address("talkinandy"))
    assert {key: bought[key] for key in ("type", "size", "usdcSize", "price", "side", "outcomeIndex")} == {
        "type": "TRADE", "size": 20, "usdcSize": 3, "price": Decimal("0.15"), "side": "BUY", "outcomeIndex": 0,
    }  # fmt: skip
    assert {key: redeemed[key] for key in ("type", "size", "usdcSize", "price", "asset", "side", "outcomeIndex")} == {
        "type": "REDEEM", "size": 20, "usdcSize": 20, "price": 0, "asset": "", "side": "", "outcomeIndex": 999,
    }  # fmt: skip
    assert redeemed["outcome"] == ""
    [trade] = await rows(data, "/trades", user=venue.address("talkinandy"))
    assert set(trade) == V1_TRADE_KEYS


async def test_pages_follow_the_cursor_and_lose_nothing(venue: RunningVenue, data: httpx.AsyncClient) -> None:
    """Equal seconds, several rows a transaction, a page that ends inside one."""
    for number in range(4):
        await venue.trade("walker", "treaty-signed:0", "BUY", str(number + 1), price="0.4", copies=3, at=1_795_000_000)
    for direction in ("DESC", "ASC"):
        asked: dict[str, Any] = {"user": venue.address("walker"), "limit": 5, "sort_direction": direction}
        found: list[dict[str, Any]] = []
        sizes = []
        while True:
            page = (await data.get("/v2/activity", params=asked)).json()
            found += page["data"]
            sizes.append(len(page["data"]))
            assert page["pagination"]["offset"] == sum(sizes[:-1])
            if not page["pagination"]["has_more"]:
                break
            asked = {**asked, "cursor": page["pagination"]["next_cursor"], "limit": 1}
        assert sizes == [5, 5, 2], "the size of the first page holds"
        expected = [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
        assert [row["size"] for row in found] == (expected if direction == "ASC" else expected[::-1])
    foreign = (await data.get("/v2/trades", params={**asked, "taker_only": "false"})).json()
    assert foreign["code"] == "invalid_request", "a cursor is of one kind of page"


async def test_a_cursor_that_was_changed_is_refused(venue: RunningVenue, data: httpx.AsyncClient) -> None:
    await venue.trade("walker", "treaty-signed:0", "BUY", "1", price="0.4", copies=2)
    page = (await data.get("/v2/activity", params={"user": venue.address("walker"), "limit": 1})).json()
    cursor = page["pagination"]["next_cursor"]
    for wrong in ("x", cursor[:-4], cursor.swapcase(), "e30"):
        answer = await data.get("/v2/activity", params={"user": venue.address("walker"), "cursor": wrong})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid cursor")


async def test_windows_types_sides_and_conditions_filter(venue: RunningVenue, data: httpx.AsyncClient) -> None:
    user = venue.address("mixed")
    for number, at in enumerate((1_795_000_000, 1_795_000_100, 1_795_000_200)):
        await venue.trade("mixed", "treaty-signed:0", "BUY", str(number + 1), price="0.4", at=at)
    await venue.trade("mixed", "treaty-signed:0", "SELL", "1", price="0.4", at=1_795_000_300)
    await venue.split("mixed", "phone-folds", "3", at=1_795_000_400)
    await venue.credit("mixed", "TIP", "1", side="IN", at=1_795_000_500)
    await venue.credit("mixed", "DEPOSIT", "1", at=1_795_000_600)
    sizes = [row["size"] for row in await rows(data, user=user, start=1_795_000_100, end=1_795_000_200)]
    assert sizes == [3, 2], "both ends belong to the window"
    kinds = [row["type"] for row in await rows(data, user=user)]
    assert kinds == ["SPLIT", "TRADE", "TRADE", "TRADE", "TRADE"], "no tips or deposits unless asked for"
    for type_, count in (("TIP", 1), ("DEPOSIT,SPLIT", 2), ("trade", 4)):
        assert len(await rows(data, user=user, type_=type_)) == count
    assert len(await rows(data, user=user, excludeDepositsWithdrawals="false")) == 6
    assert [row["side"] for row in await rows(data, user=user, side="sell")] == ["SELL"]
    condition = venue.venue.market("phone-folds").condition_id
    for name in ("condition", "condition_id", "conditionId"):
        assert [row["type"] for row in await rows(data, user=user, **{name: condition})] == ["SPLIT"]
    assert await rows(data, user=user, condition="0x" + "0" * 64) == []
    assert await rows(data, user="0x" + "ab" * 20) == []
    mixed_case = "0x" + user[2:].upper()
    assert len(await rows(data, user=mixed_case)) == 5


@pytest.mark.parametrize(
    ("path", "asked", "parameter"),
    [
        ("/v2/activity", {}, "user"),
        ("/v2/activity", {"user": "0x12"}, "user"),
        ("/v2/activity", {"user": "0x4D97DCd97eC945f40cF65F87097ACe5EA0476045"}, "user"),
        ("/v2/activity", {"user": "U", "limit": 1001}, "limit"),
        ("/v2/activity", {"user": "U", "limit": "many"}, "limit"),
        ("/v2/activity", {"user": "U", "offset": 5}, "offset"),
        ("/v2/activity", {"user": "U", "sort_by": "CASH"}, "sort_by"),
        ("/v2/activity", {"user": "U", "type": "TELEPORT"}, "type"),
        ("/v2/activity", {"user": "U", "side": "HOLD"}, "side"),
        ("/v2/activity", {"user": "U", "condition": "0x12"}, "condition"),
        ("/v2/activity", {"user": "U", "condition": ",".join(f"0x{n:064x}" for n in range(21))}, "condition"),
        ("/v2/trades", {"limit": 1001}, "limit"),
        ("/v2/trades", {"user": "U", "taker_only": "perhaps"}, "taker_only"),
        ("/v2/positions", {}, None),
        ("/v2/positions", {"user": "U", "status": "LOST"}, "status"),
        ("/v2/positions", {"user": "U", "sort_by": "NOPE"}, "sort_by"),
        ("/v2/resolutions", {}, None),
        ("/v2/resolutions", {"condition": "0x" + "0" * 64, "event_id": "1"}, None),
        ("/v2/nowhere", {}, None),
    ],
)
async def test_a_refusal_has_an_envelope(
    data: httpx.AsyncClient, path: str, asked: dict[str, Any], parameter: str | None
) -> None:
    asked = {name: "0x" + "cd" * 20 if value == "U" else value for name, value in asked.items()}
    answer = await data.get(path, params=asked)
    said = answer.json()
    assert answer.status_code == (404 if path == "/v2/nowhere" else 400)
    assert said["code"] == ("not_found" if path == "/v2/nowhere" else "invalid_request")
    assert (said["retryable"], said["trace_id"], said.get("parameter")) == (
        False, answer.headers["x-trace-id"], parameter
    )  # fmt: skip


async def test_trades_hide_what_a_wallet_made_unless_asked(venue: RunningVenue, data: httpx.AsyncClient) -> None:
    await venue.trade("both", "treaty-signed:0", "BUY", "1", price="0.4")
    await venue.trade("both", "treaty-signed:0", "BUY", "2", price="0.4", role="maker")
    await venue.trade("both", "treaty-signed:0", "BUY", "0.009", price="0.4")
    user = venue.address("both")
    assert [row["size"] for row in await rows(data, "/v2/trades", user=user)] == [1]
    assert [row["size"] for row in await rows(data, "/v2/trades", user=user, takerOnly="false")] == [2, 1]
    assert [row["size"] for row in await rows(data, "/trades", user=user, takerOnly="false")] == [2, 1]
    assert len(await rows(data, user=user)) == 3, "the activity hides nothing"
    assert await rows(data, "/v2/trades", user=f"{user},{venue.address('steady-whale')}") == []
    market = await rows(data, "/v2/trades", condition=venue.venue.market("treaty-signed").condition_id)
    assert len([row for row in market if row["proxy_wallet"] != user]) >= 1, "a maker's fill is the house's as taker"


async def test_positions_are_the_wallets_truth(venue: RunningVenue, data: httpx.AsyncClient) -> None:
    await venue.trade("owner", "treaty-signed:0", "BUY", "10.000001", price="0.4")
    await venue.trade("owner", "dallas-98-99:1", "BUY", "0.5", price="0.7")
    await venue.split("owner", "phone-folds", "3")
    user = venue.address("owner")
    found = {row["token_id"]: row for row in await rows(data, "/v2/positions", user=user)}
    assert {token: int(row["current_size"] * 10**6) for token, row in found.items()} == venue.positions("owner")
    treaty = found[venue.venue.token("treaty-signed:0")[1].id]
    assert (treaty["avg_price"], treaty["current_price"], treaty["status"]) == (
        Decimal("0.4"),
        Decimal("0.425"),
        "OPEN",
    )
    assert treaty["total_pnl"] == treaty["realized_pnl"] + treaty["unrealized_pnl"]
    mergeable = await rows(data, "/v2/positions", user=user, status="MERGEABLE")
    assert {row["slug"] for row in mergeable} == {"phone-folds"}
    await venue.resolve("phone-folds", 1)
    assert len(await rows(data, "/v2/positions", user=user, status="REDEEMABLE")) == 2
    [lost] = await rows(data, "/v2/positions", user=user, status="REDEEMABLE_LOST")
    assert (lost["outcome"], lost["current_value"]) == ("Yes", 0)
    await venue.redeem("owner", "phone-folds")
    assert {row["slug"] for row in await rows(data, "/v2/positions", user=user, status="CLOSED")} == {"phone-folds"}
    old = await rows(data, "/positions", user=user)
    assert [row["slug"] for row in old] == ["treaty-signed"], "v1 hides less than one share"
    assert len(await rows(data, "/positions", user=user, sizeThreshold="0")) == 2
    page = (await data.get("/v2/positions", params={"user": user, "limit": 1})).json()
    rest = {"user": user, "cursor": page["pagination"]["next_cursor"]}
    assert len((await data.get("/v2/positions", params=rest)).json()["data"]) == 1


async def test_value_is_the_sum_of_the_marks(venue: RunningVenue, data: httpx.AsyncClient) -> None:
    await venue.trade("rich", "treaty-signed:0", "BUY", "100", price="0.4")
    user = venue.address("rich")
    answer = (await data.get("/v2/value", params={"user": user})).json()
    assert answer == {"data": {"proxy_wallet": user, "value": 42.5}}
    assert (await data.get("/value", params={"user": user})).json() == [{"user": user, "value": 42.5}]


async def test_resolutions_pay_fractions_and_leave_out_what_is_not_known(
    venue: RunningVenue, data: httpx.AsyncClient
) -> None:
    market = venue.venue.market("cup-final-goals")
    ask = {"condition": market.condition_id}
    [row] = await rows(data, "/v2/resolutions", **ask)
    assert (row["status"], "payouts" in row, "market_type" in row) == ("initialized", False, False)
    await venue.stage("cup-final-goals", "proposed")
    [row] = await rows(data, "/v2/resolutions", **ask)
    assert (row["status"], row["settlement_time_basis"]) == ("proposed", "managed_proposal_expiration")
    await venue.stage("cup-final-goals", "disputed")
    await venue.resolve("cup-final-goals", None)
    [row] = await rows(data, "/v2/resolutions", **ask)
    assert (row["status"], row["payouts"], row["was_disputed"]) == ("resolved", [500_000, 500_000], True)
    assert row["resolved_at"].endswith("Z")
    both = ",".join([market.condition_id, venue.venue.market("treaty-signed").condition_id])
    assert len(await rows(data, "/v2/resolutions", condition=both)) == 2


async def test_late_rows_come_behind_younger_ones(venue: RunningVenue, data: httpx.AsyncClient) -> None:
    user = venue.address("tardy")
    await venue.trade("tardy", "treaty-signed:0", "BUY", "1", price="0.4", ago_s=30, late_s=60)
    await venue.trade("tardy", "treaty-signed:0", "BUY", "2", price="0.4", ago_s=10)
    assert [row["size"] for row in await rows(data, user=user)] == [2]
    venue.venue.now_ms = lambda clock=venue.venue.now_ms: clock() + 61_000  # type: ignore[misc]
    assert [row["size"] for row in await rows(data, user=user)] == [2, 1]


async def test_combos_rebates_and_empty_merges_are_there(venue: RunningVenue, data: httpx.AsyncClient) -> None:
    user = venue.address("odd")
    await venue.combo("odd", "10", "0.3")
    await venue.credit("odd", "MAKER_REBATE", "0.25")
    await venue.merge("odd", "treaty-signed", "0")
    merge, rebate, combo = await rows(data, user=user)
    assert (combo["is_combo"], len(combo["condition_id"]), combo["condition_id"][:4], combo["slug"]) == (
        True, 64, "0x03", ""
    )  # fmt: skip
    assert (rebate["condition_id"], rebate["size"], rebate["usdc_size"]) == ("", Decimal("0.25"), Decimal("0.25"))
    assert (merge["type"], merge["size"], "is_combo" in merge) == ("MERGE", 0, False)


async def test_the_status_says_how_far_behind_it_is(venue: RunningVenue, data: httpx.AsyncClient) -> None:
    await venue.perform("settings", index_delay_s=42)
    said = (await data.get("/v2/status")).json()["data"]
    assert (said["serving"]["lag_seconds"], said["serving"]["worst"]) == (43, "activity_feed")
