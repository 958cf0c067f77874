"""Settlement, drift and backfill against the local venue (B4 13, 14, 22; polymarket.md 6)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities.copytrade.backfill import BackfillActivities
from activities.copytrade.reading import OddRows
from domain.copytrade.feed_messages import BackfillLeader, DriftFound
from storage.copytrade.backfill import BackfillStore
from tests.feed_lab import SEED, FeedLab, open_feed_lab

RAIN = "rain-in-paris"


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[FeedLab]:
    async with open_feed_lab(database) as opened:
        await opened.venue.market(RAIN, category="weather")
        yield opened


async def settle(lab: FeedLab) -> int:
    return await lab.settle()


async def drift(lab: FeedLab, user: str) -> DriftFound:
    return await lab.compared(user)


async def payouts(lab: FeedLab, scope: str = "SHADOW_USER") -> list[tuple[int, int]]:
    rows = await lab.rows(
        """SELECT l.share_delta_micros, l.cash_delta_micros FROM copytrade.ledger_entries l
           JOIN copytrade.portfolios f ON f.id = l.portfolio_id WHERE l.entry_type = 'SETTLEMENT'
             AND f.portfolio_scope = %s::copytrade.portfolio_scope ORDER BY l.id""",
        scope,
    )
    return [(row["share_delta_micros"], row["cash_delta_micros"]) for row in rows]


async def holds(lab: FeedLab, user: str, scope: str, token: str, shares: int) -> None:
    """Give an executable portfolio shares, as a decision would have."""
    await lab.rows(
        """INSERT INTO copytrade.positions (portfolio_id, token_id, condition_id, share_micros, cost_micros)
           SELECT f.id, %s, a.condition_id, %s, %s FROM copytrade.portfolios f, copytrade.outcome_assets a
           WHERE f.portfolio_scope = %s::copytrade.portfolio_scope AND f.followed_user_id IS NOT DISTINCT FROM %s
             AND a.token_id = %s""",
        *(token, shares, shares // 2, scope, user or None, token),
    )


async def held(lab: FeedLab, side: int = 0) -> str:
    return lab.venue.venue.market(RAIN).tokens[side].id


@pytest.mark.parametrize(("winner", "paid"), [(0, 10_000_000), (1, 0), (None, 5_000_000)])
async def test_every_scope_is_paid_at_the_payout_without_a_redemption(
    lab: FeedLab, winner: int | None, paid: int
) -> None:
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "10", price="0.5", role="maker")
        await feed.look()
        await feed.facts.catch_up()
    token = await held(lab)
    await holds(lab, user, "EXEC_USER", token, 4_000_000)
    await holds(lab, "", "EXEC_GLOBAL", token, 2_000_000)
    assert await settle(lab) == 0
    await lab.venue.resolve(RAIN, winner)
    assert await settle(lab) == 3
    assert await settle(lab) == 0
    assert await payouts(lab) == [(-10_000_000, paid)]
    assert await payouts(lab, "EXEC_USER") == [(-4_000_000, paid * 4 // 10)]
    assert await payouts(lab, "EXEC_GLOBAL") == [(-2_000_000, paid * 2 // 10)]
    assert await lab.cash(user) == paid - 5_000_000


async def test_a_market_that_is_closed_and_not_resolved_is_not_settled(lab: FeedLab) -> None:
    await lab.follow("alice")
    async with lab.feed() as feed:
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "10", price="0.5")
        await feed.look()
        await feed.facts.catch_up()
    for stage in ("closed", "proposed", "disputed"):
        await lab.venue.stage(RAIN, stage)
        assert await settle(lab) == 0
    status = await lab.row("SELECT resolution_status, payouts FROM copytrade.markets WHERE slug = %s", RAIN)
    assert status == {"resolution_status": "disputed", "payouts": None}


async def test_one_missing_answer_brands_no_token_as_resolved(lab: FeedLab) -> None:
    """B4 22: a 404 or an empty page says nothing."""
    await lab.follow("alice")
    async with lab.feed() as feed:
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "10", price="0.5")
        await feed.look()
        await feed.facts.catch_up()
    lab.venue.fail("data:/v2/resolutions", "empty_page", times=1)
    assert await settle(lab) == 0
    await lab.venue.resolve(RAIN, 0)
    assert await settle(lab) == 1


@pytest.mark.parametrize("with_token", [False, True])
async def test_a_redemption_after_the_settlement_is_not_paid_again(lab: FeedLab, with_token: bool) -> None:
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "10", price="0.5", role="maker")
        await lab.venue.trade("alice", f"{RAIN}:1", "BUY", "3", price="0.5", role="maker")
        await feed.look()
        await feed.facts.catch_up()
        await lab.venue.resolve(RAIN, 0)
        assert await settle(lab) == 2
        assert (await drift(lab, user)).tokens == 0
        await lab.venue.redeem("alice", RAIN, with_token=with_token)
        await feed.look()
    assert {row["state"] for row in await lab.activities(user) if row["kind"] == "REDEEM"} == {"applied"}
    assert await lab.shadow(user) == {} == lab.venue.positions("alice")
    assert await lab.cash(user) == lab.venue.cash("alice")
    assert (await drift(lab, user)).tokens == 0
    await lab.check_shadow()


@pytest.mark.parametrize("with_token", [False, True])
async def test_a_settlement_after_the_redemption_finds_nothing(lab: FeedLab, with_token: bool) -> None:
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        await lab.venue.split("alice", RAIN, "7")
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "10", price="0.5", role="maker")
        await feed.look()
        await lab.venue.resolve(RAIN, None)
        await lab.venue.redeem("alice", RAIN, with_token=with_token)
        await feed.look()
    assert await settle(lab) == 0
    assert await lab.shadow(user) == {}
    assert await lab.cash(user) == lab.venue.cash("alice")
    await lab.check_shadow()


async def test_what_is_entered_again_is_settled_again(lab: FeedLab) -> None:
    """B4 13: a trade that was indexed after the settlement brings shares back; they are paid too."""
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "10", price="0.5", role="maker")
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "6", price="0.5", role="maker", late_s=60)
        await feed.look()
        await feed.facts.catch_up()
        await lab.venue.resolve(RAIN, 0)
        assert await settle(lab) == 1
        await lab.show_late_rows()
        await lab.until(lambda: polled(lab, feed, user), lambda count: count == 2)
        assert await settle(lab) == 1
        assert await payouts(lab) == [(-10_000_000, 10_000_000), (-6_000_000, 6_000_000)]
        await lab.venue.redeem("alice", RAIN)
        await feed.look()
    assert await lab.shadow(user) == {}
    assert await lab.cash(user) == lab.venue.cash("alice")


async def polled(lab: FeedLab, feed: object, user: str) -> int:
    await feed.look()  # type: ignore[attr-defined]
    return len(await lab.trades(user))


async def test_a_settlement_that_fails_half_way_leaves_nothing(lab: FeedLab) -> None:
    """B4 13: shares and cash go in one transaction, or neither does."""
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "10", price="0.5", role="maker")
        await feed.look()
        await feed.facts.catch_up()
    await lab.venue.resolve(RAIN, 0)
    before = await lab.cash(user)
    await lab.rows("ALTER TABLE copytrade.portfolios ADD CONSTRAINT no CHECK (cash_micros < 0 OR cash_micros > 10^9)")
    with pytest.raises(Exception, match="no"):
        await settle(lab)
    assert (await lab.cash(user), len(await lab.shadow(user))) == (before, 1)
    await lab.rows("ALTER TABLE copytrade.portfolios DROP CONSTRAINT no")
    assert await settle(lab) == 1
    assert await lab.cash(user) == before + 10_000_000


async def test_a_drift_is_told_after_three_looks_and_never_corrected(lab: FeedLab) -> None:
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "10", price="0.5")
        await feed.look()
        assert (await drift(lab, user)).tokens == 0
        await lab.venue.trade("alice", f"{RAIN}:1", "BUY", "2", price="0.5", late_s=60)
        looks = [await drift(lab, user) for _ in range(3)]
        assert [(one.tokens, one.alerted) for one in looks] == [(1, 0), (1, 0), (1, 1)]
        [row] = await lab.rows("SELECT token_id, shadow_micros, venue_micros, seen FROM copytrade.shadow_drifts")
        assert (row["token_id"], row["shadow_micros"], row["venue_micros"]) == (await held(lab, 1), 0, 2_000_000)
        opened = "SELECT resolved_at FROM platform.alerts WHERE code = 'shadow_drift'"
        assert [one["resolved_at"] for one in await lab.rows(opened)] == [None]
        assert set((await lab.shadow(user)).values()) == {10_000_000}
        lab.venue.venue.index_delay_ms = 0
        await lab.show_late_rows()
        await feed.look()
    assert (await drift(lab, user)).tokens == 0
    assert await lab.rows("SELECT 1 FROM copytrade.shadow_drifts") == []
    assert all(one["resolved_at"] for one in await lab.rows(opened))


async def test_a_shadow_that_is_only_behind_is_no_drift(lab: FeedLab) -> None:
    """A leader who never stops trading is always a few seconds ahead."""
    user = await lab.follow("alice")
    async with lab.feed() as feed:
        for shares in ("10", "15", "22", "30"):
            await lab.venue.trade("alice", f"{RAIN}:0", "BUY", shares, price="0.5")
            assert (await drift(lab, user)).alerted == 0
            await feed.look()
    assert await lab.rows("SELECT 1 FROM platform.alerts WHERE code = 'shadow_drift'") == []


async def test_a_fill_the_trades_feed_knows_and_we_do_not_is_read_again(lab: FeedLab) -> None:
    user = await lab.follow("alice")
    await lab.rows("UPDATE copytrade.followed_users SET followed_since = clock_timestamp() - interval '1 hour'")
    async with lab.feed(cold_start_s=0) as feed:
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "9", price="0.5")
        await feed.look()
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "10", price="0.5", ago_s=1_000)
        await feed.look()
        assert len(await lab.trades(user)) == 1
        assert (await drift(lab, user)).missing == 1
        await feed.look()
        assert len(await lab.trades(user)) == 2
        assert (await drift(lab, user)).missing == 0


async def test_a_backfill_feeds_the_shadow_and_is_never_copied(lab: FeedLab) -> None:
    user = await lab.follow("alice")
    await lab.rows("UPDATE copytrade.followed_users SET followed_since = clock_timestamp() - interval '5 hours'")
    await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "10", price="0.5", ago_s=7_200)
    await lab.venue.split("alice", RAIN, "5", ago_s=7_000)
    await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "1", price="0.5", ago_s=18_100)
    data, odd = lab.polymarket.data, OddRows(lab.jobs.quarantine)
    made = BackfillActivities(BackfillStore(lab.books.pool, SEED), data, lab.facts(), odd)
    read = await ActivityEnvironment().run(made.backfill_leader, BackfillLeader(user_id=user, hours=4))
    again = await ActivityEnvironment().run(made.backfill_leader, BackfillLeader(user_id=user, hours=6))
    assert ((read.rows, read.new), (again.rows, again.new)) == ((2, 2), (3, 1))
    assert await lab.groups(user) == []
    assert set((await lab.shadow(user)).values()) == {15_000_000, 5_000_000}
    assert len(await lab.trades(user, baseline=True)) == 1
