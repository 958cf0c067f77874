"""One group from its row to its decisions: due time, one book, both portfolios, what an operator changes meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from localnet.running import RunningTemporal, running_temporal
from storage.copytrade.configs import change_general
from storage.database import make_pool, transaction
from tests.copying_lab import CopyingLab, copying_lab, soon
from tests.world.copytrade import rows
from tests.world.groups import USDC
from tests.world.groups import attempts as all_attempts

THIN = ([("0.50", "8")], [("0.51", "8")])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def temporal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningTemporal]:
    directory: Path = tmp_path_factory.mktemp("temporal")
    async with running_temporal(directory) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str, temporal: RunningTemporal) -> AsyncIterator[CopyingLab]:
    async with copying_lab(database, temporal.address) as running:
        yield running


async def switch(lab: CopyingLab, name: str, *, enabled: bool) -> None:
    await lab.rows(
        """INSERT INTO platform.controls AS c (name, enabled, reason, changed_by) VALUES (%s, %s, 'test', 'test')
           ON CONFLICT (name) DO UPDATE SET enabled = excluded.enabled""",
        name,
        enabled,
    )


async def test_a_group_is_executed_in_both_scopes_with_one_book(lab: CopyingLab) -> None:
    user, market = await lab.leader(), await lab.market("rain-in-paris")
    key = await lab.group(user, market)
    await lab.copy(key, key)
    own, everybody = await lab.decided(key), await lab.decided(key, "EXEC_GLOBAL")
    assert (own["decision"], own["reason_codes"], own["target_notional_micros"]) == ("EXECUTE", [], 10 * USDC)
    assert everybody["filled_notional_micros"] == own["filled_notional_micros"] > 9 * USDC
    kept = await lab.inputs(key)
    assert kept["requests"] == 1
    assert lab.requested_books() == 1
    assert 0 <= kept["lateness_us"] < 250_000
    entries = await lab.rows(
        """SELECT f.portfolio_scope::text AS scope, e.source_followed_user_id AS source FROM copytrade.ledger_entries e
           JOIN copytrade.portfolios f ON f.id = e.portfolio_id WHERE e.ref_id = %s AND e.entry_type = 'TRADE_FILL'
           ORDER BY 1""",
        key,
    )
    assert [(e["scope"], e["source"]) for e in entries] == [("EXEC_USER", None), ("EXEC_GLOBAL", user)] or [
        (e["scope"], e["source"]) for e in entries
    ] == [("EXEC_GLOBAL", user), ("EXEC_USER", None)]
    details = await lab.client.get_workflow_handle(f"copy:{key}").result()
    assert details["summary"].startswith("EXECUTE: ")


async def test_a_venue_that_fails_is_asked_again_until_two_seconds_after_due(lab: CopyingLab) -> None:
    user, market = await lab.leader(), await lab.market("rain-in-paris")
    lab.venue.fail("clob:/book", "http_500", times=2)
    key = await lab.group(user, market)
    await lab.copy(key)
    assert (await lab.decided(key))["decision"] == "EXECUTE"
    assert (await lab.inputs(key))["requests"] == 3


async def test_no_book_two_seconds_after_due_is_a_skip_in_both_scopes(lab: CopyingLab) -> None:
    user, market = await lab.leader(), await lab.market("rain-in-paris")
    lab.venue.fail("clob:/book", "stall", seconds=30)
    due = soon(300)
    key = await lab.group(user, market, due_at=due)
    await lab.copy(key)
    for scope in ("EXEC_USER", "EXEC_GLOBAL"):
        assert "BOOK_UNAVAILABLE" in (await lab.decided(key, scope))["reason_codes"]
    kept = await lab.inputs(key)
    assert kept["book"] is None
    assert timedelta(seconds=1.9) < kept["received_at"] - due < timedelta(seconds=15)


async def test_ties_of_detect_time_are_decided_by_group_key(lab: CopyingLab) -> None:
    """Ten groups at once, the cap of their market nearly full: in order, and never beyond it (B4 8)."""
    market, now = await lab.market("rain-in-paris"), datetime.now(UTC)
    users = [await lab.leader() for _ in range(10)]
    keys = [await lab.group(u, market, shares=40_000 * USDC, detect_time=now, due_at=soon(900)) for u in users]
    await lab.copy(*reversed(keys))
    for key in keys:
        await lab.decided(key, "EXEC_GLOBAL")
    found = [a for a in await all_attempts(lab.dsn) if a["portfolio_scope"] == "EXEC_GLOBAL"]
    assert [a["group_key"] for a in found] == sorted(keys)
    verdicts = [a["decision"] for a in found]
    executed = verdicts.count("EXECUTE")
    assert 0 < executed < 10
    assert verdicts == ["EXECUTE"] * executed + ["SKIP"] * (10 - executed)
    assert all("RISK_CAP_GLOBAL" in a["reason_codes"] for a in found[executed:])
    [position] = await lab.rows(
        """SELECT p.* FROM copytrade.positions p JOIN copytrade.portfolios f ON f.id = p.portfolio_id
           WHERE f.portfolio_scope = 'EXEC_GLOBAL'"""
    )
    assert position["share_micros"] * 505_000 // USDC <= 500 * USDC  # 5 % of 10,000 at the mid
    assert lab.requested_books() == 10


async def test_two_leaders_with_one_token_in_one_second_are_two_attempts(lab: CopyingLab) -> None:
    market, now = await lab.market("rain-in-paris"), datetime.now(UTC)
    users = [await lab.leader() for _ in range(2)]
    keys = [await lab.group(user, market, detect_time=now) for user in users]
    await lab.copy(*keys)
    for key in keys:
        assert (await lab.decided(key))["decision"] == "EXECUTE"
        assert (await lab.decided(key, "EXEC_GLOBAL"))["decision"] == "EXECUTE"
    slices = await lab.rows(
        """SELECT source_followed_user_id AS who, sum(share_delta_micros)::bigint AS shares
           FROM copytrade.ledger_entries WHERE source_followed_user_id IS NOT NULL GROUP BY 1"""
    )
    assert {s["who"] for s in slices} == set(users)
    assert len({s["shares"] for s in slices}) == 1


async def test_a_later_group_waits_for_an_earlier_one_without_a_result(lab: CopyingLab) -> None:
    user, market = await lab.leader(), await lab.market("rain-in-paris")
    now = datetime.now(UTC)
    first = await lab.group(user, market, detect_time=now, due_at=soon(2_500))
    second = await lab.group(user, market, "SELL", shares=USDC, detect_time=soon(1), due_at=soon(100))
    await lab.copy(first, second)
    told = await lab.client.get_workflow_handle(f"copy:{second}").result()
    assert told["decision"] == ""
    assert first in told["summary"]
    assert await all_attempts(lab.dsn) == []
    await lab.decided(second, "EXEC_GLOBAL")
    order = {scope: [a["group_key"] for a in await all_attempts(lab.dsn) if a["portfolio_scope"] == scope]
             for scope in ("EXEC_USER", "EXEC_GLOBAL")}  # fmt: skip
    assert order == {"EXEC_USER": [first, second], "EXEC_GLOBAL": [first, second]}
    assert not any(a["out_of_order"] for a in await all_attempts(lab.dsn))


async def test_a_group_persisted_after_a_greater_one_is_flagged(lab: CopyingLab) -> None:
    user, market = await lab.leader(), await lab.market("rain-in-paris")
    now = datetime.now(UTC)
    second = await lab.group(user, market, detect_time=now)
    await lab.copy(second)
    await lab.decided(second, "EXEC_GLOBAL")
    late = await lab.group(user, market, detect_time=now - timedelta(seconds=4), due_at=soon(0))
    await lab.copy(late)
    for scope in ("EXEC_USER", "EXEC_GLOBAL"):
        assert (await lab.decided(late, scope))["out_of_order"]
        assert not (await lab.decided(second, scope))["out_of_order"]


async def test_after_an_outage_openings_are_too_old_and_reductions_go_at_once(lab: CopyingLab) -> None:
    user, market = await lab.leader(), await lab.market("rain-in-paris")
    first = await lab.group(user, market, detect_time=datetime.now(UTC) - timedelta(seconds=4), due_at=soon(0))
    await lab.copy(first)
    assert (await lab.decided(first))["decision"] == "EXECUTE"
    past = datetime.now(UTC) - timedelta(minutes=2)
    opening = await lab.group(user, market, detect_time=past, due_at=past + timedelta(seconds=1))
    closing = await lab.group(user, market, "SELL", detect_time=past, due_at=past + timedelta(seconds=1))
    started = datetime.now(UTC)
    await lab.copy(opening, closing)
    assert "EVENT_TOO_OLD" in (await lab.decided(opening))["reason_codes"]
    assert (await lab.decided(closing))["decision"] == "EXECUTE"
    assert (await lab.inputs(closing))["lateness_us"] > 110_000_000
    assert datetime.now(UTC) - started < timedelta(seconds=60)


async def test_pause_blacklist_and_rules_act_on_the_next_group(lab: CopyingLab) -> None:
    user, market = await lab.leader(), await lab.market("rain-in-paris")

    async def next_group(price: int = 500_000) -> dict[str, Any]:
        key = await lab.group(user, market, due_at=soon(200), price=price)
        await lab.copy(key)
        return await lab.decided(key)

    await switch(lab, "copytrade.engine", enabled=False)
    assert (await next_group())["reason_codes"][0] == "ENGINE_PAUSED"
    await switch(lab, "copytrade.engine", enabled=True)
    await asyncio.sleep(2)  # another window
    assert (await next_group())["decision"] == "EXECUTE"
    await rows(lab.dsn, "UPDATE copytrade.markets SET blacklisted = true")
    await asyncio.sleep(2)
    assert "MARKET_BLACKLISTED" in (await next_group())["reason_codes"]
    await rows(lab.dsn, "UPDATE copytrade.markets SET blacklisted = false")
    async with make_pool(lab.dsn, size=1, name="test") as pool, transaction(pool) as connection:
        new = {"guardrails": {"max_spread_micros": 1_000}}
        await change_general(connection, new, actor="test", reason="narrow")
    await asyncio.sleep(2)
    narrow = await next_group()
    assert "SPREAD_TOO_WIDE" in narrow["reason_codes"]
    assert narrow["config_version"] > 2


async def test_a_thin_book_fills_in_part_or_not_at_all(lab: CopyingLab) -> None:
    user, market = await lab.leader(), await lab.market("thin", THIN)
    key = await lab.group(user, market)
    await lab.copy(key)
    assert "INSUFFICIENT_DEPTH" in (await lab.decided(key))["reason_codes"]


async def test_a_lost_attempt_is_started_again(lab: CopyingLab) -> None:
    """An operator terminated the process before it had its inputs."""
    user, market = await lab.leader(), await lab.market("rain-in-paris")
    past = datetime.now(UTC) - timedelta(seconds=20)
    key = await lab.group(user, market, detect_time=past)
    assert (await lab.decided(key, "EXEC_GLOBAL"))["decision"] == "EXECUTE"
    assert lab.requested_books() == 1


async def test_portfolios_per_leader_can_be_switched_off(database: str, temporal: RunningTemporal) -> None:
    async with copying_lab(database, temporal.address, exec_user=False) as lab:
        user, market = await lab.leader(), await lab.market("rain-in-paris")
        key = await lab.group(user, market)
        await lab.copy(key)
        await lab.decided(key, "EXEC_GLOBAL")
        await lab.client.get_workflow_handle(f"copy:{key}").result()
        assert [a["portfolio_scope"] for a in await all_attempts(lab.dsn)] == ["EXEC_GLOBAL"]
        [row] = await lab.rows("SELECT user_decided_at FROM copytrade.event_groups")
        assert row["user_decided_at"] is not None
