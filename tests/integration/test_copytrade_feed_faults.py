"""The feed when venue, hints of the chain or database misbehave: nothing lost, nothing guessed, somebody told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from activities.beating import ended
from domain.shared.errors import Broken
from domain.shared.ids import COPYTRADE_FEED
from storage.copytrade.configs import change_general
from storage.database import transaction
from storage.intents.system import decide_quarantine
from tests.feed_lab import FeedLab, open_feed_lab
from tests.patience import PATIENCE_S, until

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


@pytest.mark.parametrize("fault", ["http_429", "http_429_bare", "http_429_html", "http_500", "http_502_html", "drop"])
async def test_a_venue_that_refuses_loses_no_row(lab: FeedLab, fault: str) -> None:
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "5", price="0.5")
        lab.venue.fail("data:/v2/activity", fault, times=3)
        await feed.look()
        if fault.startswith("http_429"):
            assert feed.pace.slow > 1
        lab.venue.heal()
        lab.forget_limits()
        await lab.until(lambda: looked(lab, feed, user), lambda rows: len(rows) == 1, every=0.2)
    await same(lab, user, "alice")


async def looked(lab: FeedLab, feed: object, user: str) -> list[dict[str, object]]:
    await feed.look()  # type: ignore[attr-defined]
    return await lab.trades(user)


async def test_an_unknown_kind_goes_to_quarantine_and_the_rest_is_booked(lab: FeedLab) -> None:
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "5", price="0.5")
        lab.venue.fail("data:/v2/activity", "unknown_type", times=1)
        await feed.look()
        held = await lab.rows("SELECT source, kind, reason FROM platform.quarantine")
        assert "TELEPORT" in held[0]["reason"]
        await feed.look()
    assert len(await lab.trades(user)) == 1


async def test_a_replayed_row_is_read_again(lab: FeedLab) -> None:
    """It was odd once, is understood now, and lies further back than any poll would look."""
    user = await lab.follow("alice")
    await lab.rows("UPDATE copytrade.followed_users SET followed_since = clock_timestamp() - interval '1 hour'")
    async with lab.feed() as feed:
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "6", price="0.5")
        await feed.look()
    await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "5", price="0.5", ago_s=600)
    lab.venue.fail("data:/v2/activity", "unknown_type", times=1)
    async with lab.feed() as feed:
        await feed.look()
        assert [row["share_micros"] for row in await lab.trades(user)] == [6_000_000]
        held = await lab.rows("SELECT id FROM platform.quarantine WHERE (payload->>'size')::numeric = 5")
        async with transaction(lab.books.pool) as connection:
            await decide_quarantine(connection, item_id=held[0]["id"], state="replayed", principal="op", note="")
        await feed.look()
    assert [row["share_micros"] for row in await lab.trades(user)] == [5_000_000, 6_000_000]


async def test_cash_that_no_fee_explains_is_booked_and_shown(lab: FeedLab) -> None:
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "10", price="0.5")
        lab.venue.fail("data:/v2/activity", "as", times=1, field="usdc_size", value=9.5)
        await feed.look()
    [trade] = await lab.trades(user)
    assert (trade["usdc_micros"], trade["fee_micros"]) == (9_500_000, 0)
    [held] = await lab.rows("SELECT kind, reason FROM platform.quarantine")
    assert held["kind"] == "activity_cash"
    assert await lab.shadow(user) == lab.venue.positions("alice")


async def test_a_log_of_the_chain_before_or_after_the_row_makes_one_fill(lab: FeedLab) -> None:
    """B4 16: logs hasten polls and are never canonical, so their order cannot matter."""
    user = await lab.follow("alice")
    async with lab.feed(poll_s=600) as feed:
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "5", price="0.5", tx_hash="0x" + "1" * 64)
        await feed.look()
        await lab.chain_log(user, "0x" + "1" * 64)
        await feed.look()
        await lab.chain_log(user, "0x" + "2" * 64)
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "6", price="0.5", tx_hash="0x" + "2" * 64)
        await lab.until(lambda: looked(lab, feed, user), lambda rows: len(rows) == 2, every=0.1)
        await feed.look()
    assert len(await lab.trades(user)) == 2
    await same(lab, user, "alice")


async def test_a_hint_of_the_chain_is_followed_within_two_seconds(lab: FeedLab) -> None:
    user = await lab.follow("alice")
    async with lab.feed(poll_s=600) as feed:
        await feed.look()
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "5", price="0.5", tx_hash="0x" + "3" * 64)
        await feed.look()
        assert await lab.trades(user) == []
        await lab.chain_log(user, "0x" + "3" * 64)
        await lab.until(lambda: looked(lab, feed, user), lambda rows: len(rows) == 1, every=0.1)


async def test_a_leader_who_cannot_be_read_is_told_of_and_told_over(lab: FeedLab) -> None:
    alice = await lab.follow("alice")
    opened = "SELECT subject, resolved_at FROM platform.alerts WHERE code = 'feed_stuck'"
    async with lab.feed() as feed:
        lab.venue.fail("data:/v2/activity", "http_500", times=None)
        feed.settings = feed.settings._replace(poll_s=-1)
        feed._started -= 200
        feed.pace._leaders.clear()
        await feed.look()
        assert [row["subject"] for row in await lab.rows(opened)] == [alice]
        lab.venue.heal()
        lab.forget_limits()
        await asyncio.sleep(1)
        await feed.look()
        await feed.look()
    assert all(row["resolved_at"] is not None for row in await lab.rows(opened))


async def test_a_poisonous_row_does_not_stop_the_others(lab: FeedLab) -> None:
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "5", price="0.5")
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "999", price="0.5")
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "6", price="0.5")
        await lab.rows("ALTER TABLE copytrade.trade_events ADD CONSTRAINT no CHECK (share_micros <> 999000000)")
        await feed.look()
    assert [row["share_micros"] for row in await lab.trades(user)] == [5_000_000, 6_000_000]
    [held] = await lab.rows("SELECT kind, reason FROM platform.quarantine")
    assert held["kind"] == "activity_row"


async def test_the_feeds_own_alert_closes_when_rows_can_be_written_again(lab: FeedLab) -> None:
    user = await lab.follow("alice")
    opened = "SELECT subject, resolved_at FROM platform.alerts WHERE code = 'feed_stuck'"
    async with lab.feed() as feed:
        for shares in range(5):
            await lab.venue.trade("alice", f"{RAIN}:0", "BUY", str(900 + shares), price="0.5")
        await lab.rows("ALTER TABLE copytrade.trade_events ADD CONSTRAINT no CHECK (share_micros < 900000000)")
        with pytest.raises(Broken) as stuck:
            await feed.look()
        # what the worker does with whatever is Broken
        await lab.jobs.alert_broken(stuck.value.code, COPYTRADE_FEED, stuck.value.detail)
        with pytest.raises(Broken):
            await feed.look()
    assert [(row["subject"], row["resolved_at"]) for row in await lab.rows(opened)] == [(COPYTRADE_FEED, None)]
    await lab.rows("ALTER TABLE copytrade.trade_events DROP CONSTRAINT no")
    async with lab.feed() as feed:
        await feed.look()
    assert all(row["resolved_at"] is not None for row in await lab.rows(opened))
    assert len(await lab.trades(user)) == 5


async def test_what_closes_while_the_venue_is_slow_is_started_meanwhile(lab: FeedLab) -> None:
    user = await lab.follow("alice")
    async with transaction(lab.books.pool) as connection:
        rules = {"enabled": True, "quiet_ms": 200, "longest_ms": 200}
        await change_general(connection, {"small_trades": rules}, actor="test", reason="slow")

    async def _started() -> list[str]:
        return lab.started

    async with lab.feed() as feed:
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "4", price="0.5", ago_s=5)
        await feed.look()
        [group] = await lab.groups(user)
        assert lab.started == []
        lab.venue.fail("data:/v2/activity", "delay", seconds=PATIENCE_S)
        looking = asyncio.create_task(feed.look())
        await until(_started)
        assert lab.started == [group["group_key"]]
        assert not looking.done()
        await ended(looking)
