"""The feed through the real client against the local venue: canonical rows, shadow, groups (polymarket.md 6, B4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.feed_lab import FeedLab, now, open_feed_lab

RAIN = "rain-in-paris"


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[FeedLab]:
    async with open_feed_lab(database) as opened:
        await opened.venue.market(RAIN, category="weather")
        yield opened


async def same(lab: FeedLab, user: str, name: str) -> None:
    """The shadow is the venue's own truth, and the ledger's."""
    assert await lab.shadow(user) == lab.venue.positions(name)
    await lab.check_shadow()


async def test_a_fill_becomes_event_shadow_and_group(lab: FeedLab) -> None:
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        done = await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "20", price="0.52")
        await feed.look()
        [trade] = await lab.trades(user)
        assert (trade["tx_hash"], trade["share_micros"], trade["price_micros"]) == (done.tx_hash, 20_000_000, 520_000)
        assert trade["usdc_micros"] == trade["notional_micros"] + trade["fee_micros"]
        assert await lab.cash(user) == lab.venue.cash("alice")
        [group] = await lab.groups(user)
        assert (group["kind"], group["share_micros"], group["fills"]) == ("BUY", 20_000_000, 1)
        assert lab.started == [group["group_key"]]
        assert group["dispatched_at"] is not None
        await feed.look()
        assert len(await lab.trades(user)) == len(lab.started) == 1
    await same(lab, user, "alice")


async def test_two_identical_fills_of_one_transaction_are_two(lab: FeedLab) -> None:
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "5", price="0.5", copies=2)
        await feed.look()
        await feed.look()
    assert [row["occurrence"] for row in await lab.trades(user)] == [0, 1]
    [group] = await lab.groups(user)
    assert (group["fills"], group["share_micros"]) == (2, 10_000_000)
    await same(lab, user, "alice")


async def test_a_page_that_serves_every_row_twice_doubles_nothing(lab: FeedLab) -> None:
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "5", price="0.5")
        await lab.venue.trade("alice", f"{RAIN}:1", "BUY", "7", price="0.4", copies=2)
        lab.venue.fail("data:/v2/activity", "duplicated", times=1)
        await feed.look()
        await feed.look()
    assert len(await lab.trades(user)) == 3
    await same(lab, user, "alice")


@pytest.mark.parametrize("fault", ["reordered", "string_numbers", "unlabelled", "mixed_case"])
async def test_rows_of_another_shape_are_the_same_rows(lab: FeedLab, fault: str) -> None:
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        for price in ("0.5", "0.51", "0.52"):
            await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "5", price=price, copies=2)
        await lab.venue.split("alice", RAIN, "10")
        await feed.look()
        lab.venue.fail("data:/v2/activity", fault, times=None)
        await feed.look()
        lab.venue.heal()
        await feed.look()
    assert len(await lab.trades(user)) == 6
    assert len(await lab.activities(user)) == 1
    await same(lab, user, "alice")


async def test_two_hundred_trades_between_polls_are_all_stored_once(lab: FeedLab) -> None:
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        for _ in range(70):
            await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "5", price="0.5", copies=3)
        await feed.look()
    assert len(await lab.trades(user)) == 210
    await same(lab, user, "alice")


async def test_small_pages_cut_no_transaction(lab: FeedLab) -> None:
    user = await lab.follow("alice")
    lab.small_pages(page=2, pages=1)
    async with lab.feed() as feed:
        for number in range(12):
            await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "5", price="0.5", copies=3, ago_s=60 - number // 2)
        for _ in range(4):
            await feed.look()
    assert len(await lab.trades(user)) == 36
    await same(lab, user, "alice")


async def test_a_row_indexed_late_is_stored_though_younger_ones_came_first(lab: FeedLab) -> None:
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "5", price="0.5", late_s=60)
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "6", price="0.5")
        await feed.look()
        assert [row["share_micros"] for row in await lab.trades(user)] == [6_000_000]
        await lab.show_late_rows()
        await feed.look()
    assert sorted(row["share_micros"] for row in await lab.trades(user)) == [5_000_000, 6_000_000]
    await same(lab, user, "alice")


async def test_a_page_full_of_trades_hides_no_split(lab: FeedLab) -> None:
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        await lab.venue.split("alice", RAIN, "10")
        for _ in range(120):
            await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "5", price="0.5")
        await feed.look()
    [split] = await lab.activities(user)
    assert (split["kind"], split["state"]) == ("SPLIT", "applied")
    await same(lab, user, "alice")


async def test_combos_are_recorded_and_empty_merges_are_dropped(lab: FeedLab) -> None:
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        await lab.venue.combo("alice", "10", "0.3")
        await lab.venue.merge("alice", RAIN, "0")
        await lab.venue.credit("alice", "MAKER_REBATE", "1.25")
        await feed.look()
    found = {row["kind"]: row["state"] for row in await lab.activities(user)}
    assert found == {"COMBO": "ignored", "MAKER_REBATE": "ignored"}
    assert await lab.groups(user) == []
    assert await lab.cash(user) == 0


async def test_split_merge_and_sale_move_both_legs_and_cash(lab: FeedLab) -> None:
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        await lab.venue.split("alice", RAIN, "100")
        await lab.venue.trade("alice", f"{RAIN}:1", "SELL", "40", price="0.45")
        await lab.venue.merge("alice", RAIN, "60")
        await feed.look()
    assert [row["state"] for row in await lab.activities(user)] == ["applied", "applied"]
    assert {row["kind"] for row in await lab.groups(user)} == {"SPLIT", "SELL", "MERGE"}
    assert await lab.cash(user) == lab.venue.cash("alice")
    await same(lab, user, "alice")


async def test_a_split_of_a_market_the_venue_does_not_list_yet_waits_and_is_booked_later(lab: FeedLab) -> None:
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        await lab.venue.market("minted-just-now")
        await lab.venue.split("alice", "minted-just-now", "10")
        lab.venue.fail("gamma", "says", times=None, text="[]")
        await feed.look()
        [split] = await lab.activities(user)
        assert (split["state"], await lab.shadow(user), await lab.groups(user)) == ("waiting", {}, [])
        lab.venue.heal()
        await lab.facts().catch_up()
    assert [row["state"] for row in await lab.activities(user)] == ["applied"]
    assert [row["kind"] for row in await lab.groups(user)] == ["SPLIT"]
    await same(lab, user, "alice")


async def test_a_conversion_without_a_node_waits_and_is_never_guessed(lab: FeedLab) -> None:
    await lab.venue.market("red", event="race", neg_risk=True)
    await lab.venue.market("green", event="race", neg_risk=True)
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        await lab.venue.trade("alice", "red:1", "BUY", "10", price="0.6")
        await lab.venue.convert("alice", ["red"], "10")
        await feed.look()
        await lab.facts().catch_up()
    [conversion] = await lab.activities(user)
    assert (conversion["state"], conversion["detail"]) == ("waiting", "its receipt has not been read")
    assert set((await lab.shadow(user)).values()) == {10_000_000}


async def test_the_group_takes_rows_until_it_is_frozen_and_another_follows(lab: FeedLab) -> None:
    """A slice indexed after the window has ended forms a group of its own; nothing stored is changed."""
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        at = now() // 2 * 2
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "5", price="0.5", at=at)
        await feed.look()
        await asyncio.sleep(max(0.0, at + 2.1 - now()))
        await asyncio.sleep(1.0)
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "6", price="0.6", at=at)
        await feed.look()
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "7", price="0.6", at=at)
        await feed.look()
    keys = [(row["group_key"].rsplit("Z", 1)[1], row["fills"], row["number"]) for row in await lab.groups(user)]
    assert keys == [("", 1, 0), (":1", 1, 1), (":2", 1, 2)]


async def test_two_leaders_in_one_token_and_second_have_groups_of_their_own(lab: FeedLab) -> None:
    alice, bob = await lab.follow("alice"), await lab.follow("bob")
    async with lab.feed() as feed:
        at = now()
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "5", price="0.5", at=at)
        await lab.venue.trade("bob", f"{RAIN}:0", "BUY", "6", price="0.5", at=at)
        await feed.look()
    [first], [second] = await lab.groups(alice), await lab.groups(bob)
    assert first["detect_time"] == second["detect_time"]
    assert first["group_key"] != second["group_key"]


async def test_a_trade_names_its_market_before_anybody_has_read_it(lab: FeedLab) -> None:
    """B4 20: cap and exposure by market need the condition, which every row of a position and group has."""
    user = await lab.follow("alice")
    lab.venue.fail("gamma", "http_500", times=None)
    async with lab.feed() as feed:
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "5", price="0.5")
        await feed.look()
    condition = lab.venue.venue.market(RAIN).condition_id
    [group] = await lab.groups(user)
    held = await lab.rows("SELECT condition_id FROM copytrade.positions")
    assert (group["condition_id"], [row["condition_id"] for row in held]) == (condition, [condition])
    lab.venue.heal()
    await lab.facts().catch_up()
    market = await lab.row("SELECT slug, read_at FROM copytrade.markets WHERE condition_id = %s", condition)
    assert market["slug"] == RAIN
    assert market["read_at"] is not None
