"""What went wrong in a real copier, replayed from the leader's deed to both decisions (seed-systems.md B4).

The real client asks the local venue; tests/docs/test_copy_scenario_map.py says which scenario is replayed where.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from domain.copytrade.conversions import Conversion, Leg
from domain.copytrade.groups import GroupKind, group_key, window_of
from tests.api.lab import Api
from tests.scene_lab import LADDER, Scenes, scenes

USDC = 10**6
RAIN = "rain-in-paris"
SCOPES = ["EXEC_USER", "EXEC_GLOBAL"]


@pytest_asyncio.fixture(loop_scope="session")
async def scene(database: str) -> AsyncIterator[Scenes]:
    async with scenes(database) as opened:
        yield opened


def verdicts(attempts: list[dict[str, Any]]) -> set[str]:
    return {attempt["verdict"] for attempt in attempts}


def reasons(attempts: list[dict[str, Any]]) -> list[list[str]]:
    return [attempt["reason_codes"] for attempt in attempts]


async def test_who_presses_pause_stops_the_next_group(scene: Scenes) -> None:
    """B4 1: pressed over HTTP, seen by the next decision; the shadow goes on."""
    await scene.market(RAIN)
    user = await scene.follow("alice")
    async with Api.open(scene.lab.dsn) as api:
        await api.post("/api/copytrade/control/pause", {"paused": True, "reason": "drill"})
        await scene.buy("alice", f"{RAIN}:0", "2000")
        assert [found[0] for found in reasons(await scene.copied())] == ["ENGINE_PAUSED"] * 2
        await api.post("/api/copytrade/control/pause", {"paused": False, "reason": "over"})
        await scene.buy("alice", f"{RAIN}:0", "2000")
        assert verdicts(await scene.copied()) == {"EXECUTE"}
    assert await scene.lab.shadow(user) == scene.venue.positions("alice")


async def test_a_blacklisted_market_stays_out_when_rules_are_saved(scene: Scenes) -> None:
    """B4 2: it is no part of the rules, so saving them cannot strip it."""
    rain = await scene.market(RAIN)
    await scene.follow("alice")
    await scene.buy("alice", f"{RAIN}:0", "2000")
    assert verdicts(await scene.copied()) == {"EXECUTE"}
    async with Api.open(scene.lab.dsn) as api:
        path = f"/api/copytrade/markets/{rain.condition_id}/blacklist"
        assert (await api.post(path, {"reason": "thin"})).status_code == 200
        await scene.buy("alice", f"{RAIN}:0", "2000")
        assert reasons(await scene.copied()) == [["MARKET_BLACKLISTED"]] * 2
        rules = {"guardrails": {"max_spread_micros": 30_000}, "reason": "wider"}
        assert (await api.post("/api/copytrade/config/global", rules)).status_code == 200
    await scene.buy("alice", f"{RAIN}:0", "2000")
    assert reasons(await scene.copied()) == [["MARKET_BLACKLISTED"]] * 2


async def test_a_market_that_closes_in_twenty_minutes_is_left_and_not_entered(scene: Scenes) -> None:
    """B4 4: the close comes from the venue, and only openings mind it."""
    in_twenty_minutes = int(time.time()) + 1_200
    await scene.market("soon-over", ends_at=in_twenty_minutes)
    rain = await scene.market(RAIN)
    await scene.follow("alice")
    await scene.buy("alice", "soon-over:0", "2000")
    assert reasons(await scene.copied()) == [["MARKET_TOO_CLOSE_TO_CLOSE"]] * 2
    await scene.buy("alice", f"{RAIN}:0", "2000")
    assert verdicts(await scene.copied()) == {"EXECUTE"}
    await scene.rows(
        "UPDATE copytrade.markets SET closes_at = to_timestamp(%s) WHERE condition_id = %s",
        *(in_twenty_minutes, rain.condition_id),
    )
    await scene.sell("alice", f"{RAIN}:0", "1000")
    assert verdicts(await scene.copied()) == {"EXECUTE"}


async def test_what_is_not_held_is_not_sold_and_what_is_held_is_all_that_is_sold(scene: Scenes) -> None:
    """B4 5: no short position, no cash from nothing."""
    token = (await scene.market(RAIN)).tokens[0].id
    await scene.buy("alice", f"{RAIN}:0", "500", ago_s=60)
    await scene.follow("alice")
    await scene.sell("alice", f"{RAIN}:0", "500")
    assert reasons(await scene.copied()) == [["NOT_ENOUGH_POSITION_TO_SELL"]] * 2
    assert [await scene.held(scope, token) for scope in SCOPES] == [0, 0]
    await scene.buy("alice", f"{RAIN}:0", "2000")
    bought = await scene.copied()
    assert verdicts(bought) == {"EXECUTE"}
    # 2,000 shares are 20 of ours, of which fewer were bought
    await scene.sell("alice", f"{RAIN}:0", "2000")
    sold = await scene.copied()
    assert [a["filled_share_micros"] for a in sold] == [a["filled_share_micros"] for a in bought]
    assert [await scene.held(scope, token) for scope in SCOPES] == [0, 0]


async def test_what_cannot_be_paid_is_not_bought(scene: Scenes) -> None:
    """B4 6: cash never falls below zero."""
    await scene.market(RAIN)
    caps = ("max_total_exposure_bps", "max_exposure_per_market_bps", "max_exposure_per_user_bps")
    await scene.rules(
        guardrails=dict.fromkeys(caps, 10_000) | {"daily_loss_limit_bps": 10_000, "max_drawdown_limit_bps": 10_000},
        sizing={"copy_pct_notional_bps": 10_000, "max_trade_notional_micros": 10**12, "max_trade_bankroll_bps": 10_000},
    )
    await scene.follow("alice")
    await scene.buy("alice", f"{RAIN}:0", "30000")
    assert verdicts(await scene.copied()) == {"EXECUTE"}
    await scene.buy("alice", f"{RAIN}:0", "30000")
    for found in reasons(await scene.copied()):
        assert "INSUFFICIENT_CASH" in found
    left = await scene.rows(
        "SELECT min(cash_micros) AS least FROM copytrade.portfolios WHERE portfolio_scope <> 'SHADOW_USER'"
    )
    assert left[0]["least"] >= 0


async def test_a_portfolio_without_a_bankroll_says_so(scene: Scenes) -> None:
    """B4 7: nothing is divided by zero, and the others go on."""
    await scene.market(RAIN)
    await scene.follow("alice", bankroll=0)
    await scene.buy("alice", f"{RAIN}:0", "2000")
    found = {a["scope"]: a for a in await scene.copied()}
    assert (found["EXEC_USER"]["verdict"], found["EXEC_GLOBAL"]["verdict"]) == ("SKIP", "EXECUTE")
    assert {"INSUFFICIENT_CASH", "BELOW_MIN_NOTIONAL"} & set(found["EXEC_USER"]["reason_codes"])


async def test_a_group_has_the_key_of_its_event_time_whenever_it_is_read(scene: Scenes) -> None:
    """B4 10: the key depends on no clock of ours, so whoever tries again finds the same group."""
    token = (await scene.market(RAIN)).tokens[0].id
    user = await scene.follow("alice")
    at = int(time.time()) - 20
    await scene.venue.trade("alice", f"{RAIN}:0", "BUY", "2000", price="0.51", at=at)
    [own, everybody] = await scene.copied()
    start, _ = window_of(datetime.fromtimestamp(at, UTC), 2_000)
    assert own["group_key"] == everybody["group_key"] == group_key(user, [token], GroupKind.BUY, start)


async def test_exposure_by_market_holds_for_a_market_read_later(scene: Scenes) -> None:
    """B4 20: while nobody can read the market, its cap holds all the same: 5 % of 10,000 in one market."""
    await scene.market(RAIN)
    await scene.rules(sizing={"copy_pct_notional_bps": 10_000, "max_trade_bankroll_bps": 400})
    await scene.follow("alice")
    scene.venue.fail("gamma", "http_500", times=None)
    await scene.buy("alice", f"{RAIN}:0", "5000")
    await scene.feed.look()
    first = await scene.copied()
    assert verdicts(first) == {"EXECUTE"}
    assert all(250 * USDC >= a["filled_notional_micros"] > 200 * USDC for a in first)
    for _ in range(3):
        await scene.buy("alice", f"{RAIN}:0", "5000")
        last = await scene.copied()
    assert reasons(last) == [["RISK_CAP_USER"], ["RISK_CAP_GLOBAL"]]


async def test_books_as_they_really_are(scene: Scenes) -> None:
    """B4 21, 22 and 26: each flaw has its own code and leaves an attempt, and no mid is ever made up."""
    books: dict[str, tuple[Any, str]] = {
        "shuffled": (LADDER, ""),
        "no-bids": (([], LADDER[1]), "ONE_SIDED_BOOK"),
        "no-asks": ((LADDER[0], []), "ONE_SIDED_BOOK"),
        "locked": (([("0.51", "100000")], [("0.51", "100000")]), "CROSSED_BOOK"),
        "placeholder": (([("0.01", "100000")], [("0.99", "100000")]), "SPREAD_TOO_WIDE"),
        "none": (LADDER, "BOOK_UNAVAILABLE"),
    }
    await scene.follow("alice")
    conditions: dict[str, str] = {}
    for slug, (ladder, _) in books.items():
        made = await scene.market(slug, None)
        await scene.venue.book(made.tokens[0].id, *ladder, shown="shuffled", mirror=False)
        conditions[made.condition_id] = slug
        await scene.buy("alice", f"{slug}:0", "2000")
    await scene.venue.perform("hide", token=scene.venue.venue.market("none").tokens[0].id)
    for attempt in await scene.copied():
        slug = conditions[attempt["condition_id"]]
        wanted = books[slug][1]
        assert (attempt["verdict"] == "EXECUTE") == (not wanted), (slug, attempt["reason_codes"])
        assert not wanted or wanted in attempt["reason_codes"], (slug, attempt["reason_codes"])
        if slug in ("no-bids", "no-asks", "none"):
            assert attempt["mid_price_micros_at_decision"] is None
    await scene.venue.perform("hide", token=scene.venue.venue.market("none").tokens[0].id, hidden=False)
    await scene.buy("alice", "none:0", "2000", ago_s=0)
    assert verdicts(await scene.copied()) == {"EXECUTE"}, "one 404 brands no token"


async def test_the_rules_an_operator_reads_are_those_that_decide(scene: Scenes) -> None:
    """B4 24 and 25: the merged rules of this leader, from the next group on; the attempt names their version."""
    await scene.market(RAIN)
    user = await scene.follow("alice")
    await scene.buy("alice", f"{RAIN}:0", "2000")
    before = await scene.copied()
    path = f"/api/copytrade/config/user/{user}"
    async with Api.open(scene.lab.dsn) as api:
        await api.post(path, {"sizing": {"copy_pct_notional_bps": 200}})
        read = (await api.get(path)).json()
    version = read["version"]
    assert read["config"]["sizing"]["copy_pct_notional_bps"] == 200
    assert read["config"]["guardrails"]["jitter_ms_max"] == 0, "inherited"
    await scene.buy("alice", f"{RAIN}:0", "2000")
    for earlier, later in zip(before, await scene.copied(), strict=True):
        assert later["config_version"] == version > earlier["config_version"]
        assert later["target_notional_micros"] == 2 * earlier["target_notional_micros"]


async def test_whatever_a_leader_does_leaves_an_attempt(scene: Scenes) -> None:
    """B4 26: pairs, redemptions and conversions too; a skip says why."""
    await scene.market(RAIN)
    for slug in ("red", "green", "blue"):
        await scene.market(slug, event="race", neg_risk=True)
    await scene.follow("alice")
    await scene.venue.split("alice", RAIN, "900", ago_s=9)
    await scene.venue.merge("alice", RAIN, "100", ago_s=7)
    await scene.sell("alice", f"{RAIN}:0", "100")
    await scene.buy("alice", "red:1", "50", price="0.49")
    venue = scene.venue.venue.wallet("alice")
    before, cash = dict(venue.positions()), venue.cash
    done = await scene.venue.convert("alice", ["red"], "50", ago_s=3)
    after = venue.positions()
    moved = {t: after.get(t, 0) - before.get(t, 0) for t in {*before, *after}}
    scene.feed.facts.receipts = Receipts(done.tx_hash, moved, venue.cash - cash)
    await scene.venue.resolve(RAIN, 0)
    await scene.venue.redeem("alice", RAIN)
    found = await scene.copied()
    kinds = {a["kind"] for a in found}
    assert kinds == {"SPLIT", "MERGE", "SELL", "BUY", "CONVERSION", "REDEEM"}
    for kind in kinds:
        assert sorted(a["scope"] for a in found if a["kind"] == kind) == sorted(SCOPES), kind
    assert all(a["reason_codes"] for a in found if a["verdict"] == "SKIP")
    assert {tuple(a["reason_codes"]) for a in found if a["kind"] == "CONVERSION"} == {("MERGE_SPLIT_NOT_APPLICABLE",)}


class Receipts:
    """What the chain would say of one conversion."""

    def __init__(self, tx_hash: str, moved: dict[str, int], cash: int) -> None:
        legs = tuple(Leg(token, shares) for token, shares in sorted(moved.items()) if shares)
        self.known = {tx_hash: Conversion(legs, cash, ())}

    async def conversion(self, tx_hash: str, wallet: str) -> Conversion:
        return self.known[tx_hash]


@pytest.mark.parametrize(("policy", "verdict"), [("hold", "SKIP"), ("skip", "SKIP"), ("sell_held", "EXECUTE")])
async def test_a_merge_while_we_hold_one_leg(scene: Scenes, policy: str, verdict: str) -> None:
    """He had the other leg before we followed him: sold or kept, as the policy says."""
    token = (await scene.market(RAIN)).tokens[0].id
    await scene.buy("alice", f"{RAIN}:1", "2000", price="0.50", ago_s=60)
    await scene.follow("alice", leg_policy=policy)
    await scene.buy("alice", f"{RAIN}:0", "2000", ago_s=8)
    assert verdicts(await scene.copied()) == {"EXECUTE"}
    bought = await scene.held("EXEC_GLOBAL", token)
    await scene.venue.merge("alice", RAIN, "2000", ago_s=3)
    merged = await scene.copied()
    assert verdicts(merged) == {verdict}
    assert all(a["kind"] == "MERGE" for a in merged)
    assert (await scene.held("EXEC_GLOBAL", token) < bought) == (verdict == "EXECUTE")


async def test_a_leaders_exposure_counts_what_he_held_before(scene: Scenes) -> None:
    """B4 28: else the budget would be spread over too little, and the rate too large."""
    await scene.market(RAIN)
    await scene.buy("alice", f"{RAIN}:0", "100000", price="0.50", ago_s=60)
    await scene.follow("alice")
    budget = {"sizing_mode": "budgeted_dynamic", "budgeted_dynamic_enabled": True, "budget_micros": 500 * USDC}
    await scene.rules(sizing=budget | {"budget_rate_max_ppm": 1_000_000, "min_trade_notional_micros": USDC})
    await scene.buy("alice", f"{RAIN}:0", "2000")
    for attempt in await scene.copied():
        assert attempt["sizing"]["leader_exposure"] > 49_000 * USDC
        assert 5 * USDC < attempt["target_notional_micros"] < 11 * USDC, "500 of some 51,000, of 1,020"


async def test_a_fill_never_spends_more_than_its_target(scene: Scenes) -> None:
    """B4 29: shares are counted at our price, which is worse than his."""
    await scene.market(RAIN, ([("0.50", "1000")], [("0.515", "1000"), ("0.519", "1000")]), tick="0.001")
    await scene.follow("alice")
    await scene.buy("alice", f"{RAIN}:0", "3000", price="0.51")
    for attempt in await scene.copied():
        assert attempt["verdict"] == "EXECUTE"
        spent = attempt["filled_notional_micros"]
        assert attempt["target_notional_micros"] - 10 < spent <= attempt["target_notional_micros"]
        assert attempt["slippage_micros"] > 0
