"""The oracle's processes on a server that skips the waiting, against the local upstreams (EX-070 … EX-075)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from domain.exchange.oracle_messages import RefreshAssets
from domain.shared import ids
from domain.shared.processes import EXCHANGE
from storage.events import new_id
from tests.oracle_lab import OracleLab, open_oracle_lab, refresh, start
from tests.world.skipping import skipping_temporal
from workflows.exchange.oracle import OracleRoundWorkflow


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env() -> AsyncIterator[WorkflowEnvironment]:
    async with skipping_temporal() as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[OracleLab]:
    async with open_oracle_lab(database) as opened:
        yield opened


async def timers_of(handle: WorkflowHandle[Any, Any]) -> list[int]:
    """Seconds of every timer the process started, in order."""
    events = json.loads((await handle.fetch_history()).to_json())["events"]
    started = [e["timerStartedEventAttributes"] for e in events if "timerStartedEventAttributes" in e]
    return [int(float(str(timer["startToFireTimeout"]).rstrip("s"))) for timer in started]


async def test_a_signal_carries_everything_that_led_to_it(env: WorkflowEnvironment, lab: OracleLab) -> None:
    lab.web.feel("bullish", "HFC", delta_percent="2.345", confidence="0.8199")
    asset = await lab.asset()
    ended = await refresh(env, lab, asset)
    assert (ended.status, ended.attempts) == ("accepted", 1)
    row = await lab.signal(asset)
    assert (row["status"], row["delta_bps"], row["applied_bps"], row["confidence_bps"]) == ("accepted", 234, 234, 8199)
    assert len(row["source_urls"]) == 3
    known = row["provenance"]
    assert known["workflow_id"].startswith(f"oracle:{asset}:")
    assert len(known["queries"]) == 3
    assert len(known["sources"]) == 12
    (attempt,) = known["attempts"]
    assert attempt["model"] == "local-analyst"
    assert len(attempt["prompt_sha256"]) == 64
    assert json.loads(attempt["answer"])["summary"] == row["summary"]
    (event,) = await lab.events()
    assert event["type"] == "oracle"
    assert event["payload"]["delta_percent"] == "2.34"
    assert event["payload"]["source_urls"] == row["source_urls"]
    assert lab.web.requests[0]["agent"].startswith("holdfast/")


async def test_ex073_three_attempts_wait_two_then_four_seconds(env: WorkflowEnvironment, lab: OracleLab) -> None:
    lab.web.fail("llm", "http_500", None)
    asset = await lab.asset()
    async with lab.worker(env.client):
        handle = await start(env, asset)
        ended = await handle.result()
    assert (ended.status, ended.attempts) == ("failed", 3)
    assert await timers_of(handle) == [2, 4]
    assert (lab.web.calls["search"], lab.web.calls["llm"]) == (3, 3), "what was found is not searched again"


async def test_cg008_an_invalid_answer_counts_as_a_failed_attempt(env: WorkflowEnvironment, lab: OracleLab) -> None:
    """The seed's loop never ended when the model answered and validation failed."""
    for fault in ("prose", "invalid_schema", "out_of_bounds"):
        lab.web.fail("llm", fault)
    asset = await lab.asset()
    ended = await refresh(env, lab, asset)
    assert (ended.status, lab.web.calls["llm"]) == ("failed", 3)
    row = await lab.signal(asset)
    assert row["status"] == "failed"
    reasons = [attempt["reason"] for attempt in row["provenance"]["attempts"]]
    assert reasons == ["not_json", "wrong_shape", "out_of_bounds"]
    assert row["provenance"]["attempts"][0]["answer"].startswith("I think")


async def test_the_third_attempt_may_still_give_a_signal(env: WorkflowEnvironment, lab: OracleLab) -> None:
    lab.web.fail("search", "http_429")
    lab.web.fail("llm", "low_confidence")
    asset = await lab.asset()
    ended = await refresh(env, lab, asset)
    assert (ended.status, ended.attempts) == ("accepted", 3)
    attempts = (await lab.signal(asset))["provenance"]["attempts"]
    assert [(a["stage"], a["reason"]) for a in attempts] == [
        ("search", "search_unavailable"), ("validation", "low_confidence"), ("", ""),
    ]  # fmt: skip


async def test_ex074_exhaustion_degrades_the_asset_for_an_hour_with_a_warning(
    env: WorkflowEnvironment, lab: OracleLab
) -> None:
    lab.web.fail("search", "http_500", None)
    asset = await lab.asset()
    before = datetime.now(UTC)
    await refresh(env, lab, asset)
    until = await lab.degraded_until(asset)
    assert timedelta(minutes=59) < until - before < timedelta(minutes=62)
    (alert,) = await lab.alerts(asset)
    assert (alert["severity"], alert["times"]) == ("warning", 1)
    assert "search_unavailable" in alert["detail"]
    assert await lab.events() == [], "no signal, no event"
    assert lab.web.calls["llm"] == 0


async def test_cg009_a_valid_signal_ends_degradation_and_alert(env: WorkflowEnvironment, lab: OracleLab) -> None:
    asset = await lab.asset()
    lab.web.fail("llm", "cut_off", 3)
    await refresh(env, lab, asset)
    assert await lab.degraded_until(asset) is not None
    assert (await refresh(env, lab, asset)).status == "accepted"
    assert await lab.degraded_until(asset) is None
    assert await lab.alerts(asset) == []


async def test_ex075_one_assets_oracle_down_leaves_the_others_alone(env: WorkflowEnvironment, lab: OracleLab) -> None:
    lab.web.fail("llm", "http_500", None, match="DOWN")
    down, well, halted = await lab.asset("DOWN"), await lab.asset("WELL"), await lab.asset("HALT", status="halted")
    async with lab.worker(env.client):
        done = await env.client.execute_workflow(
            OracleRoundWorkflow.run, RefreshAssets(spread_s=30), id=f"round-{new_id()}", task_queue=EXCHANGE
        )
    assert done.started == 2
    assert (await lab.signal(down))["status"] == "failed"
    assert (await lab.signal(well))["status"] == "accepted"
    assert await lab.signals(halted) == []
    assert await lab.degraded_until(well) is None


async def test_a_round_that_runs_twice_refreshes_once(env: WorkflowEnvironment, lab: OracleLab) -> None:
    asset = await lab.asset()
    async with lab.worker(env.client):
        for _ in range(2):
            await env.client.execute_workflow(
                OracleRoundWorkflow.run, RefreshAssets(slot="20261121T070000Z"), id=f"round-{new_id()}",
                task_queue=EXCHANGE,
            )  # fmt: skip
    assert len(await lab.signals(asset)) == 1


async def test_a_round_of_several_pages_reaches_every_asset(
    env: WorkflowEnvironment, lab: OracleLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.exchange.oracle.PAGE", 2)
    assets = [await lab.asset(f"P{number}") for number in range(5)]
    async with lab.worker(env.client):
        done = await env.client.execute_workflow(
            OracleRoundWorkflow.run, RefreshAssets(at_once=2), id=f"round-{new_id()}", task_queue=EXCHANGE
        )
    assert done.started == 5
    workflows = {(await lab.signal(asset))["provenance"]["workflow_id"].rsplit(":", 1)[1] for asset in assets}
    assert len(workflows) == 1, "one slot for all pages"


@pytest.mark.parametrize("target", ["search", "llm"])
async def test_a_refused_key_is_not_tried_again(env: WorkflowEnvironment, lab: OracleLab, target: str) -> None:
    lab.web.fail(target, "unauthorized", None)
    asset = await lab.asset()
    ended = await refresh(env, lab, asset)
    assert (ended.attempts, lab.web.calls[target]) == (1, 1)
    assert (await lab.signal(asset))["reason"] == "upstream_refused"


async def test_an_exhausted_budget_makes_no_call_and_one_alert_a_day(env: WorkflowEnvironment, lab: OracleLab) -> None:
    lab.budgets["searches"] = 4
    first, second, third = [await lab.asset(symbol) for symbol in ("AAA", "BBB", "CCC")]
    statuses = [(await refresh(env, lab, asset)).status for asset in (first, second, third)]
    assert statuses == ["accepted", "failed", "failed"]
    assert lab.web.calls["search"] == 3
    for asset in (second, third):
        assert (await lab.signal(asset))["reason"] == "budget_exhausted"
        assert await lab.degraded_until(asset) is not None
        assert await lab.alerts(asset) == []
    (alert,) = await lab.alerts("budget:searches")
    assert alert["times"] == 1


async def test_the_models_budget_is_counted_per_call(env: WorkflowEnvironment, lab: OracleLab) -> None:
    lab.budgets["analyses"] = 2
    lab.web.fail("llm", "prose", None)
    asset = await lab.asset()
    ended = await refresh(env, lab, asset)
    assert (ended.attempts, lab.web.calls["llm"]) == (2, 2)
    assert (await lab.signal(asset))["reason"] == "budget_exhausted"


async def test_a_budget_that_the_books_refuse_is_a_failed_attempt(env: WorkflowEnvironment, lab: OracleLab) -> None:
    """A local step's failure comes without an ActivityError around it: it must not end the process unrecorded."""
    await lab.rows(
        """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             RAISE EXCEPTION 'no' USING ERRCODE = 'check_violation', CONSTRAINT = 'transfer_balanced'; END $$"""
    )
    await lab.rows("CREATE TRIGGER refuse BEFORE INSERT ON platform.budgets EXECUTE FUNCTION refuse()")
    asset = await lab.asset()
    ended = await refresh(env, lab, asset)
    assert (ended.status, ended.attempts) == ("failed", 3)
    assert (await lab.signal(asset))["reason"] == "ledger_mismatch"
    assert await lab.degraded_until(asset) is not None


async def test_without_configuration_nothing_is_asked_and_one_alert_says_so(
    env: WorkflowEnvironment, lab: OracleLab
) -> None:
    lab.search = None
    assets = [await lab.asset(symbol) for symbol in ("AAA", "BBB")]
    for asset in assets:
        assert (await refresh(env, lab, asset)).status == "failed"
        assert await lab.degraded_until(asset) is not None
    assert sum(lab.web.calls.values()) == 0
    assert len(await lab.alerts("oracle")) == 1


async def test_the_price_engine_is_told_when_it_runs(env: WorkflowEnvironment, lab: OracleLab) -> None:
    asset = await lab.asset()
    engine = await env.client.start_workflow("SomeEngine", id=ids.price_engine(asset), task_queue="nobody-serves-this")
    await refresh(env, lab, asset)
    events = json.loads((await engine.fetch_history()).to_json())["events"]
    (told,) = [e["workflowExecutionSignaledEventAttributes"] for e in events if "SIGNALED" in e["eventType"]]
    assert told["signalName"] == "oracle"
    await engine.terminate()


async def test_an_asset_that_is_not_active_is_skipped(env: WorkflowEnvironment, lab: OracleLab) -> None:
    asset = await lab.asset(status="cancelled")
    ended = await refresh(env, lab, asset)
    assert (ended.status, ended.summary) == ("skipped", "the asset is cancelled")
    assert sum(lab.web.calls.values()) == 0
