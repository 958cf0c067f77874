"""Following, rules, blacklist, pause: what operators decide about copying."""

from __future__ import annotations

import secrets
from typing import Any

import httpx
import pytest

from domain.copytrade.config import CopyConfig
from storage.database import transaction
from tests.api.lab import Api, problem

USERS = "/api/copytrade/users"
GENERAL = "/api/copytrade/config/global"


def _wallet() -> str:
    return "0x" + secrets.token_hex(20)


async def _follow(api: Api, idem: str | None = None, **fields: Any) -> httpx.Response:
    body = {"label": "a leader", **fields}
    return await api.post(USERS, body, Idempotency_Key=idem or secrets.token_hex(8))


async def test_following_begins_with_a_process(api: Api) -> None:
    wallet = _wallet()
    made = await _follow(api, wallet=wallet, bankroll_usdc="250.5", mode="reduce_only")
    assert made.status_code == 202, made.text
    leader = made.json()
    assert made.headers["location"] == f"{USERS}/{leader['id']}"
    assert (leader["wallet"], leader["status"], leader["mode"]) == (wallet, "starting", "reduce_only")
    assert (leader["bankroll_usdc"], leader["leg_policy"]) == ("250.5", "hold")
    operation = (await api.get(f"/api/operations/{leader['operation_id']}")).json()
    assert operation["kind"] == "follow"
    read = (await api.get(f"{USERS}/{leader['id']}")).json()
    assert (read["shadow"], read["executable"], read["wallet"]) == (None, None, wallet)


async def test_a_wallet_is_followed_once_however_it_is_written(api: Api) -> None:
    wallet = "0x379A410a36C101e3B8dFB6C90D1176EB0dEf4b1A".lower()
    first = await _follow(api, wallet=wallet)
    assert first.status_code == 202
    again = await _follow(api, wallet="0x" + wallet[2:].upper())
    problem(again, 409, "already_followed")
    assert first.json()["id"] in again.json()["detail"]


async def test_the_same_key_follows_once(api: Api) -> None:
    idem, wallet = secrets.token_hex(8), _wallet()
    first, second = [await _follow(api, idem, wallet=wallet) for _ in range(2)]
    assert first.json() == second.json()
    assert second.headers["idempotency-hit"] == "true"
    problem(await api.post(USERS, {"label": "x", "wallet": wallet}), 400, "idempotency_key_required")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "validation_failed"),
        ({"wallet": "0x" + "1" * 40, "profile": "somebody"}, "validation_failed"),
        ({"wallet": "0x12"}, "invalid_address"),
        ({"wallet": "0x379a410a36c101e3b8dfb6c90d1176eb0Def4b1a"}, "invalid_address"),
        ({"wallet": "0x" + "1" * 40, "mode": "sometimes"}, "validation_failed"),
        ({"wallet": "0x" + "1" * 40, "bankroll_usdc": "1.0000001"}, "amount_precision"),
        ({"wallet": "0x" + "1" * 40, "bankroll_usdc": 5}, "validation_failed"),
        ({"profile": ""}, "validation_failed"),
    ],
)
async def test_bad_leaders_are_refused(api: Api, fields: dict[str, Any], code: str) -> None:
    problem(await _follow(api, **fields), 400, code)


async def test_changing_and_unfollowing(api: Api) -> None:
    user = (await _follow(api, wallet=_wallet())).json()["id"]
    changed = await api.call("PATCH", f"{USERS}/{user}", json={"mode": "off", "enabled": False, "label": "renamed"})
    assert changed.status_code == 200, changed.text
    assert {k: changed.json()[k] for k in ("mode", "enabled", "label")} == {
        "mode": "off", "enabled": False, "label": "renamed",
    }  # fmt: skip
    gone = await api.call("DELETE", f"{USERS}/{user}")
    assert gone.json()["status"] == "unfollowed"
    listed = (await api.get(f"{USERS}?limit=200")).json()["items"]
    assert user not in {u["id"] for u in listed}
    kept = (await api.get(f"{USERS}?unfollowed=true&limit=200")).json()["items"]
    assert user in {u["id"] for u in kept}
    problem(await api.call("PATCH", f"{USERS}/{user}", json={"mode": "full"}), 404, "not_found")


async def test_the_general_rules_are_the_locked_defaults(fresh_api: Api) -> None:
    rules = (await fresh_api.get(GENERAL)).json()
    assert rules["config"] == CopyConfig().model_dump()
    assert rules["warnings"] == []


async def test_a_preset_makes_a_small_bankroll_trade(fresh_api: Api) -> None:
    """Keys that are given stand over it; what it does not name is inherited."""
    user = (await _follow(fresh_api, wallet=_wallet(), bankroll_usdc="20")).json()["id"]
    own = f"/api/copytrade/config/user/{user}"
    assert "max < min" in (await fresh_api.get(own)).json()["warnings"][0]
    chosen = {"preset": "small_bankroll", "small_trades": {"flush_minimum_micros": 2_000_000}}
    view = (await fresh_api.post(own, chosen)).json()
    assert view["warnings"] == []
    assert view["config"]["small_trades"] == CopyConfig().small_trades.model_dump() | {
        "enabled": True, "threshold_micros": 1_000_000, "flush_minimum_micros": 2_000_000,
        "execution_minimum_micros": 1_000_000,
    }  # fmt: skip
    assert view["config"]["sizing"]["max_trade_bankroll_bps"] == 500
    assert view["config"]["sizing"]["copy_pct_notional_bps"] == 100
    long = await fresh_api.post(own, chosen | {"small_trades": {"longest_ms": 60_000}})
    assert "max_copy_age_ms" in long.json()["warnings"][0]
    problem(await fresh_api.post(own, {"preset": "large_bankroll"}), 400, "validation_failed")


async def test_rules_are_merged_when_they_change(fresh_api: Api) -> None:
    api = fresh_api
    user = (await _follow(api, wallet=_wallet(), bankroll_usdc="200")).json()["id"]
    own = f"/api/copytrade/config/user/{user}"
    before = (await api.get(own)).json()
    assert "max < min" in before["warnings"][0]
    set_own = await api.post(own, {"sizing": {"copy_pct_notional_bps": 50, "min_trade_notional_micros": 100_000}})
    assert set_own.status_code == 200, set_own.text
    assert set_own.json()["override"] == {"sizing": {"copy_pct_notional_bps": 50, "min_trade_notional_micros": 100_000}}
    assert set_own.json()["warnings"] == []
    general = await api.post(
        GENERAL, {"guardrails": {"max_spread_micros": 30_000}, "sizing": {"copy_pct_notional_bps": 200}}
    )
    assert general.json()["config"]["guardrails"]["max_spread_micros"] == 30_000
    after = (await api.get(own)).json()
    assert after["version"] > set_own.json()["version"]
    assert after["config"]["guardrails"]["max_spread_micros"] == 30_000
    assert after["config"]["sizing"]["copy_pct_notional_bps"] == 50
    emptied = (await api.post(own, {})).json()
    assert emptied["config"]["sizing"]["copy_pct_notional_bps"] == 200
    log = (await api.get(f"/api/system/audit?subject={user}")).json()["items"]
    assert {entry["action"] for entry in log} >= {"leader_followed", "copy_rules_changed"}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"guardrails": {"max_spread": 1}}, "/guardrails/max_spread"),
        ({"guardrails": {"max_spread_micros": "20000"}}, "/guardrails/max_spread_micros"),
        ({"guardrails": {"max_spread_micros": -1}}, "/guardrails/max_spread_micros"),
        ({"guardrails": {"max_spread_micros": None}}, "/guardrails/max_spread_micros"),
        ({"guardrails": []}, "/guardrails"),
        ({"sizing": {"below_minimum": "raise"}}, "/sizing/below_minimum"),
        ({"sizing": {"copy_pct_notional_bps": 10_001}}, "/sizing/copy_pct_notional_bps"),
        ({"something": {}}, "/something"),
    ],
)
async def test_bad_rules_change_nothing(fresh_api: Api, body: dict[str, Any], pointer: str) -> None:
    before = (await fresh_api.get(GENERAL)).json()
    answer = await fresh_api.post(GENERAL, body)
    problem(answer, 400, "validation_failed")
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert (await fresh_api.get(GENERAL)).json() == before


async def test_pausing_is_the_kill_switch(fresh_api: Api) -> None:
    paused = await fresh_api.post("/api/copytrade/control/pause", {"paused": True, "reason": "drill"})
    assert paused.json() == {"paused": True, "reason": "drill"}
    controls = (await fresh_api.get("/api/system/controls")).json()["items"]
    assert next(c for c in controls if c["name"] == "copytrade.engine")["enabled"] is False
    problem(await fresh_api.post("/api/copytrade/control/pause", {"paused": "yes"}), 400, "validation_failed")


async def test_a_blacklisted_market_stays_so_when_rules_change(fresh_api: Api) -> None:
    market = "0x" + secrets.token_hex(32)
    async with transaction(fresh_api.deps.writes) as connection:
        await connection.execute(
            "INSERT INTO copytrade.markets (condition_id, question) VALUES (%s, 'Rain?')", [market]
        )
    path = f"/api/copytrade/markets/{market}"
    assert (await fresh_api.post(f"{path}/blacklist", {"reason": "thin"})).json()["blacklisted"] is True
    await fresh_api.post(GENERAL, {"guardrails": {"max_spread_micros": 10_000}})
    assert (await fresh_api.get(path)).json()["blacklisted"] is True
    assert (await fresh_api.post(f"{path}/blacklist", {"blacklisted": False})).json()["blacklisted"] is False
    listed = (await fresh_api.get("/api/copytrade/markets?blacklisted=false")).json()["items"]
    assert [m["id"] for m in listed] == [market]
    problem(await fresh_api.post(f"/api/copytrade/markets/0x{'9' * 64}/blacklist"), 404, "not_found")


async def test_lists_are_empty_before_anything_happened(fresh_api: Api) -> None:
    for path in ("trades", "copy-attempts", "markets"):
        answer = await fresh_api.get(f"/api/copytrade/{path}")
        assert answer.json() == {"items": [], "next_cursor": None}, answer.text
    problem(await fresh_api.get("/api/copytrade/portfolio/global"), 404, "not_found")
    problem(await fresh_api.get("/api/copytrade/copy-attempts?reason=BAD"), 400, "validation_failed")


async def test_traders_may_look_and_not_touch(fresh_api: Api) -> None:
    _, key = await fresh_api.account("trader")
    assert (await fresh_api.get(GENERAL, key)).status_code == 200
    problem(await fresh_api.post(GENERAL, {}, key), 403, "forbidden")
    problem(await fresh_api.get(GENERAL, None), 401, "unauthorized")


async def test_rules_are_tested_by_a_process(fresh_api: Api) -> None:
    path = "/api/copytrade/config/test"
    body = {"config": {"guardrails": {"max_spread_micros": 90_000}}, "since": "2026-11-20T00:00:00Z"}
    made = await fresh_api.post(path, body, Idempotency_Key=secrets.token_hex(8))
    assert made.status_code == 202, made.text
    found = (await fresh_api.get(f"{path}/{made.json()['id']}")).json()
    assert (found["status"], found["result"]) == ("running", None)
    assert found["config"] == body["config"]
    assert found["since"] == "2026-11-20T00:00:00.000000Z"
    listed = (await fresh_api.get(path)).json()["items"]
    assert [t["id"] for t in listed] == [found["id"]]
    bad = {"config": {"guardrails": {"max_spread_micros": "wide"}}}
    problem(await fresh_api.post(path, bad, Idempotency_Key=secrets.token_hex(8)), 400, "validation_failed")
    empty = {"since": "2026-11-20T00:00:00Z", "until": "2026-11-20T00:00:00Z"}
    problem(await fresh_api.post(path, empty, Idempotency_Key=secrets.token_hex(8)), 400, "validation_failed")
    problem(await fresh_api.post(path, {}), 400, "idempotency_key_required")


async def test_the_overview_says_not_measured_instead_of_zero(fresh_api: Api) -> None:
    found = (await fresh_api.get("/api/copytrade/overview")).json()
    assert (found["paused"], found["portfolio"], found["users"]) == (False, None, [])
    assert found["copying"]["attempts"] == 0
    for name in ("fill_rate_bps", "win_rate_bps", "attempt_rate_bps"):
        assert found["copying"][name] is None
    assert found["copying"]["detect_lag_ms"]["p95"] is None
    user = (await _follow(fresh_api, wallet=_wallet())).json()["id"]
    report = (await fresh_api.get(f"{USERS}/{user}/report")).json()
    assert report["tracking_gap"] is None
