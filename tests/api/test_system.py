"""State, invariants, kill switches, alerts, quarantine, audit, metrics."""

from __future__ import annotations

import secrets
import time
from uuid import uuid4

import pytest

from domain.exchange.custody import Solvency
from storage.database import transaction
from storage.events import new_id, raise_alert
from storage.operations import open_operation, set_operation
from storage.operator import move_cursor_back
from storage.reads.invariants import RULES
from tests.api.lab import Api, problem
from tests.world.assets import funded_asset


async def covered() -> Solvency:
    return Solvency(block_number=7, custody=5_000_000, in_flight=1_000_000, liabilities=6_000_000)


async def short() -> Solvency:
    return Solvency(block_number=7, custody=5_000_000, in_flight=0, liabilities=6_000_000)


async def test_state_of_the_whole(api: Api) -> None:
    await api.get("/api/health")
    body = (await api.get("/api/system/status")).json()
    assert body["temporal"] is None
    assert body["database_bytes"] > 1_000_000
    assert body["http"]["requests"] > 0
    assert 0 <= body["http"]["error_rate_bps"] <= 10_000
    for name in ("operations", "undispatched", "dead_letters", "open_alerts", "chains", "jobs", "last_event_at"):
        assert name in body


async def test_the_last_backfill_is_shown(fresh_api: Api) -> None:
    assert (await fresh_api.get("/api/system/status")).json()["last_backfill_at"] is None
    await fresh_api.rows(
        """INSERT INTO exchange.chain_cursors (chain_id, next_block, head_block, safe_block, finalized_block)
           VALUES (421614, 9, 9, 0, 0)"""
    )
    await move_cursor_back(fresh_api.deps.writes, "cli:ada", 421614, 5, "backfill of 1 h")
    assert (await fresh_api.get("/api/system/status")).json()["last_backfill_at"].endswith("Z")


async def test_invariants_without_a_chain_are_unknown(api: Api) -> None:
    answer = await api.get("/api/system/invariants")
    problem(answer, 503, "chain_unavailable")


async def test_invariants_hold_and_break(database: str) -> None:
    async with Api.open(database, solvency=covered) as api:
        account_id, _ = await api.account()
        await api.fund(account_id, 6_000_000)
        body = (await api.get("/api/system/invariants")).json()
        assert body["ok"], body
        by_name = {check["name"]: check for check in body["checks"]}
        assert by_name["custody_covers_liabilities"]["expected"] == "6"
        assert by_name["custody_covers_liabilities"]["actual"] == "6"
        assert len(by_name) == len(RULES) + 1, "every rule of the books, and custody"
        made = (await api.withdraw(account_id, "1")).json()
        await api.rows("UPDATE exchange.withdrawals SET status = 'settled' WHERE id = %s", made["id"])
        body = (await api.get("/api/system/invariants")).json()
        assert not body["ok"]
        assert [c["name"] for c in body["checks"] if not c["ok"]] == ["settled_withdrawals_match_ledger"]


async def test_insolvency_is_told(database: str) -> None:
    async with Api.open(database, solvency=short) as api:
        body = (await api.get("/api/system/invariants")).json()
        assert not body["ok"]
        assert [c["name"] for c in body["checks"] if not c["ok"]] == ["custody_covers_liabilities"]


async def test_kill_switches(fresh_api: Api) -> None:
    before = (await fresh_api.get("/api/system/controls")).json()["items"]
    assert [c["name"] for c in before] == [
        "exchange.trading", "exchange.withdrawals", "copytrade.engine", "launchpad.launches",
    ]  # fmt: skip
    assert all(c["enabled"] for c in before)
    body = {"name": "copytrade.engine", "enabled": False, "reason": "drill"}
    after = (await fresh_api.post("/api/system/controls", body)).json()["items"]
    changed = next(c for c in after if c["name"] == "copytrade.engine")
    assert changed["enabled"] is False
    assert changed["reason"] == "drill"
    assert changed["changed_by"] == fresh_api.admin_id
    log = (await fresh_api.get("/api/system/audit?subject=copytrade.engine")).json()["items"]
    assert [(e["action"], e["principal"]) for e in log] == [("control_off", fresh_api.admin_id)]
    assert 'holdfast_kill_switch_open{area="copytrade.engine"} 1.0' in (await fresh_api.get("/metrics", None)).text
    problem(await fresh_api.post("/api/system/controls", body | {"name": "all"}), 400, "validation_failed")
    problem(await fresh_api.post("/api/system/controls", body | {"enabled": "yes please"}), 400, "validation_failed")
    problem(await fresh_api.post("/api/system/controls", body | {"enabled": 1}), 400, "validation_failed")
    _, trader = await fresh_api.account()
    problem(await fresh_api.post("/api/system/controls", body, trader), 403, "forbidden")
    problem(await fresh_api.get("/api/system/controls", trader), 403, "forbidden")


async def test_alerts_are_listed_and_resolved(api: Api) -> None:
    code = f"test_{secrets.token_hex(4)}"
    async with transaction(api.deps.writes) as connection:
        await raise_alert(connection, code, "s", "something", critical=True, height=5)
        await raise_alert(connection, code, "s", "something", critical=True, height=6)
    found = (await api.get(f"/api/system/alerts?open=true&code={code}")).json()["items"]
    assert [(a["times"], a["severity"], a["data"]) for a in found] == [(2, "critical", {"height": 6})]
    assert f'holdfast_alerts_open{{code="{code}"}} 1.0' in (await api.get("/metrics", None)).text
    path = f"/api/system/alerts/{found[0]['id']}/resolve"
    done = (await api.post(path, {"note": "fixed"})).json()
    assert done["resolved_by"] == api.admin_id
    assert (await api.post(path)).json() == done
    assert (await api.get(f"/api/system/alerts?open=true&code={code}")).json()["items"] == []
    problem(await api.post(f"/api/system/alerts/{uuid4()}/resolve"), 404, "not_found")
    problem(await api.get("/api/system/alerts?open=maybe"), 400, "validation_failed")


async def _held(api: Api, kind: str = "receipt", payload: str = '{"a": [1, null]}') -> str:
    item_id = new_id()
    await api.rows(
        """INSERT INTO platform.quarantine (id, source, kind, fingerprint, reason, payload)
           VALUES (%s, 'node', %s, %s, 'no status', %s)""",
        item_id,
        kind,
        secrets.token_hex(8),
        payload,
    )
    return item_id


async def test_only_passed_over_transfers_wait_for_the_scanner(api: Api) -> None:
    """What the step itself asks for again is dealt with by the mark; the scanner's work is not done by marking it."""
    item = await _held(api, "transfer_log", '{"first_block": 3, "last_block": 4}')
    marked = (await api.post(f"/api/system/quarantine/{item}/replay")).json()
    assert (marked["state"], marked["taken_up_at"]) == ("replayed", None)
    other = (await api.post(f"/api/system/quarantine/{await _held(api)}/replay")).json()
    assert other["state"] == "replayed"
    assert other["taken_up_at"] is not None
    dropped = (await api.post(f"/api/system/quarantine/{await _held(api)}/discard")).json()
    assert dropped["taken_up_at"] is None


async def test_quarantine_is_decided_once(api: Api) -> None:
    first, second = await _held(api), await _held(api)
    held = (await api.get("/api/system/quarantine?state=held")).json()["items"]
    assert {first, second} <= {item["id"] for item in held}
    replayed = (await api.post(f"/api/system/quarantine/{first}/replay", {"note": "decoder fixed"})).json()
    assert replayed["state"] == "replayed"
    assert replayed["payload"] == {"a": [1, None]}
    assert replayed["decided_by"] == api.admin_id
    assert (await api.post(f"/api/system/quarantine/{second}/discard")).json()["state"] == "discarded"
    problem(await api.post(f"/api/system/quarantine/{second}/replay"), 409, "conflict")
    problem(await api.post(f"/api/system/quarantine/{uuid4()}/replay"), 404, "not_found")
    assert len((await api.get(f"/api/system/audit?subject={first}")).json()["items"]) == 1


async def test_the_audit_log_as_csv(api: Api) -> None:
    answer = await api.get("/api/system/audit?limit=3", Accept="text/csv")
    assert answer.text.splitlines()[0] == "id,principal,action,subject,detail,created_at"


async def test_metrics_are_prometheus_text(api: Api) -> None:
    answer = await api.get("/metrics", None)
    assert answer.headers["content-type"].startswith("text/plain")
    for name in ("holdfast_http_requests_total", "holdfast_deposits_pending", "holdfast_outbox_age_seconds",
                 'holdfast_withdrawals_open{status="requested"}', "holdfast_quarantine_items"):  # fmt: skip
        assert name in answer.text, name
    assert "01936e6c" not in answer.text


async def test_wallet_levels_of_the_last_upkeep_become_gauges(fresh_api: Api) -> None:
    assert "holdfast_hot_wallet" not in (await fresh_api.get("/metrics", None)).text, "nothing is known yet"
    for usdc in ("7000000", "12500000"):
        levels = f'{{"hot_wei": "2000000000000000", "gas_wei": "3", "hot_usdc_micros": "{usdc}"}}'
        await fresh_api.rows(
            "INSERT INTO platform.job_runs (id, job, ok, detail) VALUES (%s, 'wallet_levels', true, %s)",
            new_id(),
            levels,
        )
    text = (await fresh_api.get("/metrics", None)).text
    values = dict(line.split() for line in text.splitlines() if line.startswith(("holdfast_hot", "holdfast_gas")))
    assert {name: float(value) for name, value in values.items()} == {
        "holdfast_hot_wallet_usdc_micros": 12_500_000,
        "holdfast_hot_wallet_wei": 2e15,
        "holdfast_gas_wallet_wei": 3,
    }


async def test_the_age_of_checks_and_degraded_assets_become_gauges(fresh_api: Api) -> None:
    """LedgerCheckSilent and SolvencyCheckSilent stand on this: the verdict of the last run never goes away."""
    gauge = "holdfast_job_last_run_timestamp_seconds"
    assert f"{gauge}{{" not in (await fresh_api.get("/metrics", None)).text
    for job, hours in (("ledger_check", 5), ("ledger_check", 2), ("solvency", 3)):
        await fresh_api.rows(
            """INSERT INTO platform.job_runs (id, job, ok, created_at)
               VALUES (%s, %s, true, clock_timestamp() - make_interval(hours => %s))""",
            new_id(), job, hours,
        )  # fmt: skip
    for status, minutes in (("active", 30), ("active", -30), ("halted", 30)):
        asset = await funded_asset(fresh_api.deps.database_url, status=status)
        await fresh_api.rows(
            """INSERT INTO exchange.asset_prices AS p (asset_id, fundamental_pico, display_micros, market_micros,
                 weight_bps, degraded_until)
               VALUES (%s, 1, 1, 1, 9500, clock_timestamp() + make_interval(mins => %s))
               ON CONFLICT (asset_id) DO UPDATE SET degraded_until = excluded.degraded_until""",
            asset, minutes,
        )  # fmt: skip
    text = (await fresh_api.get("/metrics", None)).text
    values = dict(line.split() for line in text.splitlines() if line.startswith(gauge))
    ages = {name: time.time() - float(value) for name, value in values.items()}
    assert {name: round(age / 3_600) for name, age in ages.items()} == {
        f'{gauge}{{name="ledger_check"}}': 2,
        f'{gauge}{{name="solvency"}}': 3,
    }
    assert "holdfast_oracle_degraded_assets 1.0" in text


async def test_job_results_become_gauges(fresh_api: Api) -> None:
    for job, ok in (("ledger_check", True), ("solvency", False), ("backup", True)):
        await fresh_api.rows("INSERT INTO platform.job_runs (id, job, ok) VALUES (%s, %s, %s)", new_id(), job, ok)
    text = (await fresh_api.get("/metrics", None)).text
    assert "holdfast_ledger_ok 1.0" in text
    assert "holdfast_solvency_ok 0.0" in text
    assert "holdfast_backup_age_seconds 0." in text


async def _operation(api: Api, kind: str, status: str) -> str:
    subject = new_id()
    async with transaction(api.deps.writes) as connection:
        operation_id = await open_operation(
            connection, kind=kind, subject_id=subject, workflow_id=f"{kind}:{subject}", steps=("one",), summary="s"
        )
        await set_operation(connection, operation_id, status, "s")
    return operation_id


async def test_operations_are_filtered(api: Api) -> None:
    sweep = await _operation(api, "sweep", "needs_operator")
    listed = (await api.get("/api/operations?kind=sweep&status=needs_operator")).json()["items"]
    assert sweep in [o["id"] for o in listed]
    assert (await api.get("/api/operations?kind=unknown")).json() == {"items": [], "next_cursor": None}
    problem(await api.get("/api/operations?status=unknown"), 400, "validation_failed")
    _, trader = await api.account()
    assert (await api.get("/api/operations", trader)).json()["items"] == []
    problem(await api.get(f"/api/operations/{sweep}", trader), 404, "not_found")
    problem(await api.get(f"/api/operations/{uuid4()}"), 404, "not_found")


@pytest.mark.parametrize("status", ["running", "completed", "cancelled", "waiting"])
async def test_only_stopped_operations_are_retried(api: Api, status: str) -> None:
    operation = await _operation(api, "sweep", status)
    problem(await api.post(f"/api/operations/{operation}/retry"), 409, "not_retryable")


async def test_retry_needs_temporal_and_staff(api: Api) -> None:
    operation = await _operation(api, "sweep", "needs_operator")
    problem(await api.post(f"/api/operations/{operation}/retry"), 503, "temporal_unavailable")
    problem(await api.post(f"/api/operations/{operation}/cancel"), 409, "not_cancellable")
    _, trader = await api.account()
    problem(await api.post(f"/api/operations/{operation}/retry", None, trader), 403, "forbidden")
    problem(await api.post(f"/api/operations/{operation}/cancel", None, trader), 404, "not_found")
