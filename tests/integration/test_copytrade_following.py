"""Beginning to follow: whose wallet, what was held before, what is never copied (B4 15, 19, 26, 28)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.copytrade.feed_messages import FollowEnded
from domain.shared.errors import Rejected
from tests.feed_lab import FeedLab, open_feed_lab, quietly

RAIN = "rain-in-paris"


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[FeedLab]:
    async with open_feed_lab(database) as opened:
        await opened.venue.market(RAIN, category="weather")
        yield opened


async def deposits(lab: FeedLab, user: str, scope: str) -> list[dict[str, object]]:
    return await lab.rows(
        """SELECT l.*, f.cash_micros, f.contributed_micros FROM copytrade.ledger_entries l JOIN copytrade.portfolios f
             ON f.id = l.portfolio_id WHERE f.portfolio_scope = %s::copytrade.portfolio_scope
             AND f.followed_user_id IS NOT DISTINCT FROM %s ORDER BY l.token_id""",
        scope,
        user or None,
    )


async def test_positions_of_before_are_opening_entries_and_history_is_no_signal(lab: FeedLab) -> None:
    for number in range(3):
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "10", price="0.5", ago_s=600 - number)
    await lab.venue.split("alice", RAIN, "4", ago_s=30)
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        await feed.look()
    assert await lab.groups(user) == []
    assert await lab.trades(user) == []
    assert len(await lab.trades(user, baseline=True)) == 3
    assert await lab.shadow(user) == lab.venue.positions("alice")
    opening = await deposits(lab, user, "SHADOW_USER")
    assert {row["entry_type"] for row in opening} == {"DEPOSIT"}
    assert await lab.cash(user) == 0
    assert sum(row["cost_delta_micros"] for row in opening) == opening[0]["contributed_micros"]


async def test_executable_portfolios_begin_with_their_bankroll(lab: FeedLab) -> None:
    first, second = await lab.follow("alice"), await lab.follow("bob")
    for user in (first, second, ""):
        [entry] = await deposits(lab, user, "EXEC_USER" if user else "EXEC_GLOBAL")
        assert (entry["entry_type"], entry["cash_delta_micros"]) == ("DEPOSIT", 10_000_000_000)
        assert (entry["cash_micros"], entry["contributed_micros"]) == (10_000_000_000, 10_000_000_000)


async def test_trades_after_the_baseline_are_signals_and_meet_the_positions(lab: FeedLab) -> None:
    await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "10", price="0.5", ago_s=5)
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        await lab.venue.trade("alice", f"{RAIN}:0", "SELL", "4", price="0.6")
        await feed.look()
    assert [row["kind"] for row in await lab.groups(user)] == ["SELL"]
    assert await lab.shadow(user) == lab.venue.positions("alice")
    await lab.check_shadow()


async def test_a_leader_who_trades_while_his_positions_are_read_is_counted_once(lab: FeedLab) -> None:
    """Rows are indexed later than positions move: the looks go on until both tell of the same moment."""
    await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "10", price="0.5", ago_s=5)
    step = await lab.wish("alice")
    following = lab.following()
    following.settle_s = 0.2
    resolved = await following.resolve_leader(step)
    task = asyncio.create_task(quietly(following, step.model_copy(update={"wallet": resolved.wallet})))
    while lab.venue.calls["data:/v2/positions"] < 3 and not task.done():
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "3", price="0.5", late_s=0.3)
        await asyncio.sleep(0.15)
    taken = await task
    async with lab.feed() as feed:
        await feed.look()
    assert taken.looks > 2
    assert await lab.shadow(step.user_id) == lab.venue.positions("alice")


async def test_a_name_and_a_profile_url_lead_to_the_wallet(lab: FeedLab) -> None:
    wallet = lab.venue.address("quick-fox")
    step = await lab.wish("quick-fox", profile="quick-fox")
    assert (await lab.following().resolve_leader(step)).wallet == wallet
    assert [row["wallet"] for row in await lab.rows("SELECT wallet FROM copytrade.followed_wallets")] == [wallet]


async def test_nobody_of_that_name_is_said_so(lab: FeedLab) -> None:
    step = await lab.wish("nobody", profile="nobody-of-that-name")
    with pytest.raises(Rejected) as refused:
        await lab.following().resolve_leader(step)
    assert refused.value.code == "profile_not_found"


async def test_a_wallet_is_followed_once_however_it_is_written(lab: FeedLab) -> None:
    """B4 19: mixed case, a name, or a wallet of another leader's: the same user, no duplicate."""
    user = await lab.follow("alice")
    mixed = "0x" + lab.venue.address("alice")[2:].upper()
    step = await lab.wish("again", profile=mixed)
    with pytest.raises(Rejected) as refused:
        await lab.following().resolve_leader(step)
    assert (refused.value.code, user in refused.value.detail) == ("already_followed", True)
    ended = FollowEnded(user_id=step.user_id, operation_id=step.operation_id, code="already_followed", summary="twice")
    await lab.following().close_follow(ended)
    row = await lab.row(
        "SELECT unfollowed_at, profile_wallet FROM copytrade.followed_users WHERE id = %s", step.user_id
    )
    assert row["unfollowed_at"] is not None
    assert row["profile_wallet"] is None


async def test_a_taken_baseline_is_taken_once(lab: FeedLab) -> None:
    await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "10", price="0.5", ago_s=5)
    step = await lab.wish("alice")
    await lab.baseline(step)
    await lab.baseline(step)
    assert len(await deposits(lab, step.user_id, "SHADOW_USER")) == 1


async def test_history_of_the_first_exchange_is_only_known(lab: FeedLab) -> None:
    """A leader of the V1 era: what he did before the block of the change is part of his positions."""
    await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "10", price="0.5", at=1_777_000_000)
    await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "10", price="0.5", at=1_778_000_000)
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        await feed.look()
    assert await lab.trades(user) == []
    assert await lab.shadow(user) == lab.venue.positions("alice")


async def test_a_cold_start_stores_what_happened_meanwhile(lab: FeedLab) -> None:
    """Down for twenty minutes: the start reads from the newest stored row on, further than its fifteen minutes."""
    user = await lab.follow("alice")
    await lab.rows("UPDATE copytrade.followed_users SET followed_since = clock_timestamp() - interval '1 hour'")
    async with lab.feed() as feed:
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "10", price="0.5", ago_s=1_300)
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "10", price="0.5", ago_s=1_290)
        feed.settings = feed.settings._replace(cold_start_s=1_400)
        await feed.begin()
    await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "11", price="0.5", ago_s=1_200)
    async with lab.feed(cold_start_s=60) as feed:
        await feed.look()
    assert len(await lab.trades(user)) == 3
    assert await lab.shadow(user) == lab.venue.positions("alice")
