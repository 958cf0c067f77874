"""The chain trigger against a real node: what leaders do becomes rows, once each, through drops, silence and forks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest_asyncio

from localnet.polymarket.chain_calls import Order, match, merge, redeem, split
from tests.patience import PATIENCE_S
from tests.polygon_lab import DOWN, ONE, UP, PolygonLab, polygon_lab
from tests.world import copytrade as by_hand


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str, tmp_path: Path) -> AsyncIterator[PolygonLab]:
    async with polygon_lab(database, tmp_path) as opened:
        yield opened


async def test_a_leaders_fill_becomes_a_row_at_once_and_wakes_the_feed(lab: PolygonLab) -> None:
    leader = await lab.follow()
    async with await psycopg.AsyncConnection.connect(lab.dsn, autocommit=True) as feed, lab.listening():
        await feed.execute("LISTEN copytrade_trigger")
        done = await lab.trade(leader, 25 * ONE, 16 * ONE, fee=403_200)
        told: list[str] = []
        async with asyncio.timeout(PATIENCE_S):
            async for notice in feed.notifies():
                told.append(notice.payload)
                if leader in told:
                    break
        [row] = await lab.until_seen(1)
    assert (row["tx_hash"], row["block_hash"]) == (done.tx_hash, done.block_hash)
    assert (row["wallet"], row["role"], row["side"], row["token_id"]) == (leader, "TAKER", "BUY", UP)
    assert (row["share_micros"], row["usdc_micros"], row["fee_micros"]) == (25 * ONE, 16 * ONE, 403_200)
    assert row["block_time"].timestamp() == done.timestamp
    assert row["followed_user_id"]
    assert (row["arrived_at"] - row["created_at"]).total_seconds() < 10, "at once, not with a later round"


async def test_both_sides_of_a_match_are_followed_each_gets_its_own_trade_once(lab: PolygonLab) -> None:
    taker, maker = await lab.follow("taker"), await lab.follow("maker")
    async with lab.listening():
        bought = Order(taker, "BUY", UP, 25 * ONE, 16 * ONE, 403_200)
        await lab.chain.send(match(bought, [Order(maker, "BUY", DOWN, 25 * ONE, 9 * ONE)]))
        rows = await lab.until_seen(2)
        await lab.quiet()
        assert len(await lab.seen()) == 2
    found = {row["wallet"]: (row["role"], row["side"], row["token_id"], row["usdc_micros"]) for row in rows}
    assert found == {taker: ("TAKER", "BUY", UP, 16 * ONE), maker: ("MAKER", "BUY", DOWN, 9 * ONE)}


async def test_strangers_are_not_seen(lab: PolygonLab) -> None:
    leader = await lab.follow()
    async with lab.listening():
        await lab.trade(by_hand.wallet())
        await lab.chain.send(match(Order(by_hand.wallet(), "BUY", UP, ONE, ONE), [Order(leader, "SELL", UP, ONE, ONE)]))
        [row] = await lab.until_seen(1)
        await lab.quiet()
        assert len(await lab.seen()) == 1
    assert (row["role"], row["side"]) == ("MAKER", "SELL")


async def test_splits_merges_and_redemptions_are_seen_through_every_contract(lab: PolygonLab) -> None:
    leader, condition, short = await lab.follow(), by_hand.condition(), "0x01" + "ab" * 30
    async with lab.listening():
        await lab.chain.send(*split(leader, condition, 5 * ONE), *merge(leader, condition, 2 * ONE, neg_risk=True))
        await lab.chain.send(*split(leader, short, 3 * ONE, "v2"), *redeem(leader, condition, (ONE, 0), ONE))
        rows = await lab.until_seen(4)
    assert [(row["kind"], row["condition_id"], row["share_micros"], row["usdc_micros"]) for row in rows] == [
        ("split", condition, 5 * ONE, 5 * ONE),
        ("merge", condition, 2 * ONE, 2 * ONE),
        ("split", short, 3 * ONE, 3 * ONE),
        ("redeem", condition, 0, ONE),
    ]


async def test_a_newly_followed_wallet_is_subscribed_within_seconds_without_a_new_connection(lab: PolygonLab) -> None:
    first = await lab.follow()
    async with lab.listening():
        await lab.trade(first)
        await lab.until_seen(1)
        second = await lab.follow("second")

        async def subscribed() -> bool:
            return (await lab.socket()).get("wallets") == 2

        await lab.until(subscribed)
        await lab.trade(second)
        await lab.trade(first)
        rows = await lab.until_seen(3)
        await lab.quiet(0.5)
        assert len(await lab.seen()) == 3
        assert lab.sockets[0].connections == 1
    assert [row["wallet"] for row in rows] == [first, second, first]
    assert lab.proxy.calls["eth_unsubscribe"] == 3


async def test_an_unfollowed_wallet_is_not_listened_to_any_more(lab: PolygonLab) -> None:
    leader, other = await lab.follow(), await lab.follow("other")
    async with lab.listening():
        await lab.rows("UPDATE copytrade.followed_users SET enabled = false WHERE profile_wallet = %s", leader)

        async def alone() -> bool:
            return (await lab.socket()).get("wallets") == 1

        await lab.until(alone)
        await lab.trade(leader)
        await lab.trade(other)
        [row] = await lab.until_seen(1)
    assert row["wallet"] == other


async def test_removed_logs_mark_their_row_and_a_new_block_makes_a_new_one(lab: PolygonLab) -> None:
    leader = await lab.follow()
    async with lab.listening():
        done = await lab.trade(leader)
        await lab.until_seen(1)
        await lab.proxy.take_back(done.tx_hash)
        await lab.until_seen(1, removed=True)
        again = await lab.trade(leader)
        [row] = await lab.until_seen(1)
    assert row["tx_hash"] == again.tx_hash


async def test_a_reorganisation_is_found_by_its_heads_when_no_log_says_removed(lab: PolygonLab) -> None:
    leader = await lab.follow()
    async with lab.listening():
        kept = await lab.trade(leader)
        await lab.chain.mine(2)
        gone = await lab.trade(leader)
        await lab.chain.mine()
        await lab.until_seen(2)
        await lab.chain.reorganise(2)
        await lab.chain.mine(2)
        [removed] = await lab.until_seen(1, removed=True)
        [row] = await lab.seen()
    assert (removed["tx_hash"], row["tx_hash"]) == (gone.tx_hash, kept.tx_hash)


async def test_a_reorganisation_while_nobody_listened_is_found_at_the_next_connection(lab: PolygonLab) -> None:
    leader = await lab.follow()
    async with lab.listening():
        gone = await lab.trade(leader)
        await lab.chain.mine(7)

        async def saved() -> bool:
            return bool(await lab.rows("SELECT 1 FROM copytrade.checkpoints WHERE key = 'polygon:last_block'"))

        await lab.until(saved)
    await lab.chain.reorganise(8)
    async with lab.listening():
        await lab.chain.mine(1)
        [removed] = await lab.until_seen(1, removed=True)
    assert removed["tx_hash"] == gone.tx_hash


async def test_sums_that_agree_are_verified_and_others_listed(lab: PolygonLab) -> None:
    leader = await lab.follow()
    async with lab.listening():
        good = await lab.trade(leader, 25 * ONE, 16 * ONE, fee=403_200)
        bad = await lab.trade(leader, 10 * ONE, 6 * ONE)
        await lab.trade(leader, 11 * ONE, 6 * ONE)
        await lab.until_seen(3)
        await lab.told_by_api(leader, good, 25 * ONE, 16_403_200)
        await lab.told_by_api(leader, bad, 9 * ONE, 6 * ONE)

        async def listed() -> bool:
            return sum(row["mismatch"] is not None for row in await lab.seen()) == 2

        await lab.until(listed)
        rows = {row["tx_hash"]: row for row in await lab.seen()}
    assert rows[good.tx_hash]["verified_at"]
    assert rows[good.tx_hash]["mismatch"] is None
    assert rows[bad.tx_hash]["mismatch"] == "shares differ"
    assert sorted(row["mismatch"] or "" for row in rows.values()) == ["", "missing in the API", "shares differ"]
    assert not await lab.rows("SELECT 1 FROM platform.alerts WHERE code = 'chain_mismatch'")


async def test_several_differences_call_an_operator_and_agreement_ends_it(lab: PolygonLab) -> None:
    leader = await lab.follow()

    async def alerts() -> list[dict[str, object]]:
        return await lab.rows("SELECT * FROM platform.alerts WHERE code = 'chain_mismatch' AND resolved_at IS NULL")

    async def none() -> bool:
        return not await alerts()

    async with lab.listening():
        late = [await lab.trade(leader) for _ in range(3)]
        await lab.until(alerts)
        for done in late:
            await lab.told_by_api(leader, done, 10 * ONE, 6 * ONE)
        await lab.until(none)


async def test_the_trigger_writes_nothing_but_its_own_rows(lab: PolygonLab) -> None:
    leader = await lab.follow()
    async with lab.listening():
        await lab.trade(leader)
        await lab.until_seen(1)
    for table in ("trade_events", "event_groups", "ledger_entries", "activity_events"):
        counted = await lab.rows(f"SELECT count(*) AS n FROM copytrade.{table}")
        assert counted[0]["n"] == 0
