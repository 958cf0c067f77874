"""Small trades that wait for company, from the leader's deed to both decisions (CT-201, B4 12)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest_asyncio

from activities.copytrade.reading import read_wallet
from domain.copytrade.entries import Scope
from domain.copytrade.readings import Taken, sort_rows
from storage.copytrade.config_tests import ConfigTestStore
from storage.copytrade.fence import ingesting
from storage.copytrade.gap import report
from storage.copytrade.ingest import ingest
from storage.database import transaction
from storage.intents.copytrade_portfolios import open_config_test
from tests.api.lab import Api
from tests.feed_lab import SEED
from tests.scene_lab import Scenes, scenes

RAIN, SNOW = "rain-in-paris", "snow-in-rome"
SCOPES = ["EXEC_USER", "EXEC_GLOBAL"]
SOON = {"quiet_ms": 300, "longest_ms": 2_000}
LATE = {"quiet_ms": 30_000, "longest_ms": 60_000}
WAITING = (
    "SELECT *, source_type::text AS source FROM copytrade.event_groups WHERE buffered_count > 0 ORDER BY group_key"
)


@pytest_asyncio.fixture(loop_scope="session")
async def scene(database: str) -> AsyncIterator[Scenes]:
    """Small trades of alice's wait until they come to 0.50 USDC of ours, or for so long; 40 shares are 0.20."""
    async with scenes(database) as opened:
        await opened.market(RAIN)
        await opened.buy("alice", f"{RAIN}:0", "5000", ago_s=60)
        await opened.follow("alice")
        yield opened


async def wait(scene: Scenes, **rules: Any) -> None:
    await scene.rules(small_trades={"enabled": True, **SOON, **rules})


async def waiting(scene: Scenes) -> list[dict[str, Any]]:
    return await scene.rows(WAITING)


def told(attempts: list[dict[str, Any]]) -> list[tuple[str, str, str, int, list[str]]]:
    """Kind, scope, verdict, trades that waited, reasons."""
    return [(a["kind"], a["scope"], a["verdict"], a["buffered_count"], a["reason_codes"]) for a in attempts]


async def test_the_opposite_side_has_what_waits_executed_first(scene: Scenes) -> None:
    """B4 12: nothing is dropped in silence."""
    await wait(scene, **LATE)
    await scene.buy("alice", f"{RAIN}:0", "40", ago_s=9)
    await scene.feed.look()
    await scene.buy("alice", f"{RAIN}:0", "20", ago_s=6)
    await scene.feed.look()
    [group] = await waiting(scene)
    assert (group["buffered_count"], group["fills"], group["source"]) == (2, 2, "BUFFER")
    assert scene.lab.started == [], "its due time still moves"
    await scene.sell("alice", f"{RAIN}:0", "2000")
    done = await scene.copied()
    assert told(done) == [
        ("BUY", "EXEC_USER", "EXECUTE", 2, []),
        ("SELL", "EXEC_USER", "EXECUTE", 0, []),
        ("BUY", "EXEC_GLOBAL", "EXECUTE", 2, []),
        ("SELL", "EXEC_GLOBAL", "EXECUTE", 0, []),
    ]
    assert {a["source_type"] for a in done if a["kind"] == "BUY"} == {"BUFFER"}
    assert {a["target_notional_micros"] for a in done if a["kind"] == "BUY"} == {306_000}, "1 % of 60 shares at 0.51"
    assert [a["out_of_order"] for a in done] == [False] * 4
    assert sorted(scene.lab.started) == sorted({a["group_key"] for a in done})


async def test_what_stays_below_the_minimum_is_a_skip_with_its_user(scene: Scenes) -> None:
    """B4 12."""
    await wait(scene)
    await scene.buy("alice", f"{RAIN}:0", "10")
    done = await scene.copied()
    assert told(done) == [("BUY", scope, "SKIP", 1, ["BUFFER_FLUSH_BELOW_MIN_EXEC"]) for scope in SCOPES]
    assert {a["followed_user_id"] for a in done} == {scene.users[0]}


async def test_two_who_join_at_once_both_count(scene: Scenes) -> None:
    """B4 12: two transactions, one group, one book."""
    await wait(scene, **LATE)
    await scene.buy("alice", f"{RAIN}:0", "40", ago_s=12)
    for number in range(4):
        await scene.buy("alice", f"{RAIN}:0", "5", ago_s=9 - 2 * number)
    rows = await seen(scene)
    await write(scene, rows[:1])
    await asyncio.gather(*(write(scene, [row]) for row in rows[1:]))
    [group] = await waiting(scene)
    assert (group["fills"], group["buffered_count"], group["share_micros"]) == (5, 5, 60_000_000)


async def seen(scene: Scenes) -> list[Taken]:
    """What the venue tells of alice, not written yet."""
    readings, _ = await read_wallet(scene.lab.polymarket.data, scene.venue.address("alice"), 0)
    return sort_rows(scene.users[0], readings).taken


async def write(scene: Scenes, taken: list[Taken]) -> None:
    async with transaction(scene.lab.books.pool) as connection:
        await ingesting(connection)
        await ingest(connection, taken, SEED)


async def test_enough_together_is_one_decision_from_one_book(scene: Scenes) -> None:
    await wait(scene, **LATE)
    for ago_s in (12, 9, 6):
        await scene.buy("alice", f"{RAIN}:0", "40", ago_s=ago_s)
        await scene.feed.look()
    assert books_asked_for(scene) == 0
    done = await scene.copied()
    assert books_asked_for(scene) == 1
    assert told(done) == [("BUY", scope, "EXECUTE", 3, []) for scope in SCOPES]
    [group] = await waiting(scene)
    assert group["group_key"] == done[0]["group_key"]
    async with Api.open(scene.lab.dsn) as api:
        read = (await api.get(f"/api/copytrade/copy-attempts/{done[0]['id']}")).json()
    trades = await scene.lab.trades(scene.users[0])
    assert read["event_ids"] == sorted(trade["id"] for trade in trades)
    assert (read["source_type"], read["buffered_count"]) == ("BUFFER", 3)
    assert read["detect_lag_ms"] == (trades[0]["detect_time"] - trades[0]["event_time"]) // timedelta(milliseconds=1)


def books_asked_for(scene: Scenes) -> int:
    return sum(count for route, count in scene.venue.calls.items() if route.endswith("/book"))


async def test_a_large_trade_takes_what_waits_along(scene: Scenes) -> None:
    await wait(scene, **LATE)
    await scene.buy("alice", f"{RAIN}:0", "40", ago_s=9)
    await scene.feed.look()
    await scene.buy("alice", f"{RAIN}:0", "1960")
    done = await scene.copied()
    assert told(done) == [("BUY", scope, "EXECUTE", 1, []) for scope in SCOPES]
    assert {(a["source_type"], a["target_notional_micros"]) for a in done} == {("AGGREGATOR", 10_200_000)}


async def test_sides_are_netted_when_the_rules_say_so(scene: Scenes) -> None:
    await wait(scene, netting="net_buy_sell", **LATE)
    await scene.buy("alice", f"{RAIN}:0", "40", ago_s=9)
    await scene.feed.look()
    await scene.sell("alice", f"{RAIN}:0", "10", ago_s=6)
    await scene.feed.look()
    [group] = await waiting(scene)
    assert (group["share_micros"], group["notional_micros"], group["price_micros"]) == (30_000_000, 15_300_000, 510_000)
    await scene.buy("alice", f"{RAIN}:0", "1970")
    done = await scene.copied()
    assert told(done) == [("BUY", scope, "EXECUTE", 2, []) for scope in SCOPES]
    assert {a["target_notional_micros"] for a in done} == {10_200_000}


async def test_what_cancelled_out_says_so(scene: Scenes) -> None:
    await wait(scene, netting="net_buy_sell")
    await scene.buy("alice", f"{RAIN}:0", "40", ago_s=9)
    await scene.sell("alice", f"{RAIN}:0", "40", ago_s=6)
    done = await scene.copied()
    reasons = ["BUFFERED", "BUFFER_FLUSH_BELOW_MIN_EXEC"]
    assert told(done) == [("BUY", scope, "SKIP", 2, reasons) for scope in SCOPES]


async def test_nobody_waits_behind_what_waits(scene: Scenes) -> None:
    await scene.market(SNOW)
    await scene.follow("bob")
    await wait(scene, **LATE)
    await scene.buy("alice", f"{RAIN}:0", "40")
    await scene.feed.look()
    await scene.buy("bob", f"{SNOW}:0", "2000")
    await scene.buy("alice", f"{SNOW}:0", "2000")
    await scene.feed.look()
    [group] = await waiting(scene)
    ready = await scene.rows("SELECT group_key FROM copytrade.event_groups WHERE buffered_count = 0")
    done = await scene.decided([row["group_key"] for row in ready])
    assert told(done) == [("BUY", scope, "EXECUTE", 0, []) for scope in ("EXEC_USER", "EXEC_USER", *SCOPES[1:] * 2)]
    await scene.sell("alice", f"{RAIN}:0", "2000", ago_s=0)
    last = await scene.copied()
    assert last[0]["group_key"] == group["group_key"]
    assert not any(a["out_of_order"] for a in last)


async def test_pause_blacklist_and_a_reset_hold_for_what_waits(scene: Scenes) -> None:
    rain = await scene.market(SNOW)
    await wait(scene)
    async with Api.open(scene.lab.dsn) as api:
        await scene.buy("alice", f"{RAIN}:0", "40")
        await scene.feed.look()
        await api.post("/api/copytrade/control/pause", {"paused": True, "reason": "drill"})
        assert [a["reason_codes"] for a in await scene.copied()] == [["ENGINE_PAUSED"]] * 2
        await api.post("/api/copytrade/control/pause", {"paused": False, "reason": "over"})
        await scene.buy("alice", f"{SNOW}:0", "40")
        await scene.feed.look()
        await api.post(f"/api/copytrade/markets/{rain.condition_id}/blacklist", {"reason": "thin"})
        assert [a["reason_codes"] for a in await scene.copied()] == [["MARKET_BLACKLISTED"]] * 2
        await scene.buy("alice", f"{RAIN}:0", "40")
        await scene.feed.look()
        path, key = "/api/copytrade/portfolio/global/reset", {"Idempotency-Key": "anew"}
        reset = await api.post(path, {"bankroll_usdc": "500"}, **key)
        assert reset.status_code == 200, reset.text
    assert told(await scene.copied()) == [("BUY", scope, "EXECUTE", 1, []) for scope in SCOPES]
    [line] = await scene.rows(
        """SELECT e.epoch FROM copytrade.ledger_entries e JOIN copytrade.portfolios f ON f.id = e.portfolio_id
           WHERE f.portfolio_scope = 'EXEC_GLOBAL' AND e.entry_type = 'TRADE_FILL'"""
    )
    assert line["epoch"] == 1


async def test_rules_are_tried_on_what_waited_and_the_gap_adds_up(scene: Scenes) -> None:
    await wait(scene, netting="net_buy_sell")
    for ago_s in (12, 9):
        await scene.buy("alice", f"{RAIN}:0", "40", ago_s=ago_s)
    assert {a["verdict"] for a in await scene.copied()} == {"EXECUTE"}
    await scene.buy("alice", f"{RAIN}:0", "40", ago_s=6)
    await scene.sell("alice", f"{RAIN}:0", "40", ago_s=3)
    assert {a["verdict"] for a in await scene.copied()} == {"SKIP"}
    assert (await tried(scene, {}))["changed_total"] == 0
    strict = await tried(scene, {"guardrails": {"max_spread_micros": 0}})
    changed = [one["after"]["reason_codes"] for one in strict["changed"]]
    assert [codes for codes in changed if "BUFFERED" not in codes] == [["SPREAD_TOO_WIDE"]] * 2
    other_rate = await tried(scene, {"sizing": {"copy_pct_notional_bps": 200}})
    assert other_rate == {"evaluable": False, "not_evaluable": ["sizing.copy_pct_notional_bps"]}
    for scope, user in ((Scope.EXEC_USER, scene.users[0]), (Scope.EXEC_GLOBAL, None)):
        async with transaction(scene.lab.books.pool) as connection:
            found = await report(connection, scope, user)
        assert found is not None
        assert found["explained"]
        assert set(found["skipped_by_reason_micros"]) == {"BUFFERED"}


async def tried(scene: Scenes, proposed: dict[str, Any]) -> dict[str, Any]:
    now = datetime.now(UTC)
    async with scene.lab.books.begin() as book:
        opened = await open_config_test(
            book.connection, proposed=proposed, user_id=None, from_at=now - timedelta(hours=1), until_at=now,
            principal=scene.lab.operator,
        )  # fmt: skip
    return await ConfigTestStore(scene.lab.books).evaluate(opened.subject_id)
