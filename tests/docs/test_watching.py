"""Alerts, metrics, dashboard: nothing unwatched, nothing invented."""

from __future__ import annotations

import json
import re
import shutil

import yaml

from tests.deployment import (
    ROOT,
    SERVICES,
    env,
    networks,
    run,
)

# The pages of runbooks/. A rule may point nowhere else.
RUNBOOKS = {
    "redeploy",
    "restore_from_backup",
    "backfill",
    "clear_stuck_jobs",
    "stuck_deposit",
    "deep_reorg",
    "stuck_withdrawal",
    "hot_wallet_low",
    "gas_wallet_low",
    "ledger_mismatch",
    "insolvent",
    "temporal_down",
    "nonce_drift",
    "webhook_failing",
    "quarantine",
    "backup_failed",
    "history_mismatch",
    "api_slow",
    "oracle_degraded",
    "engine_lagging",
    "feed_stuck",
    "copy_undecidable",
    "websocket_down",
    "venue_rate_limited",
    "chain_mismatch",
    "shadow_drift",
    "drawdown_latched",
}
OF_WORKERS = {"holdfast_polymarket_requests_total"}
"""Counted by the workers; all others of ours are read from the books."""
METRICS = {
    "holdfast_chain_head_lag_seconds",
    "holdfast_scanner_lag_blocks",
    "holdfast_deposits_pending",
    "holdfast_withdrawals_open",
    "holdfast_hot_wallet_usdc_micros",
    "holdfast_hot_wallet_wei",
    "holdfast_gas_wallet_wei",
    "holdfast_ledger_ok",
    "holdfast_solvency_ok",
    "holdfast_job_last_run_timestamp_seconds",
    "holdfast_oracle_degraded_assets",
    "holdfast_orders_oldest_seconds",
    "holdfast_engine_seen_seconds",
    "holdfast_copytrade_read_age_seconds",
    "holdfast_copytrade_undecided_seconds",
    "holdfast_polygon_socket_up",
    "holdfast_polygon_lag_seconds",
    "holdfast_polygon_mismatches",
    "holdfast_polymarket_requests_total",
    "holdfast_outbox_age_seconds",
    "holdfast_alerts_open",
    "holdfast_kill_switch_open",
    "holdfast_backup_age_seconds",
    "holdfast_quarantine_items",
    "temporal_workflow_task_execution_failed_total",
    "temporal_num_pollers",
    "temporal_workflow_task_schedule_to_start_latency_bucket",
    "temporal_activity_schedule_to_start_latency_bucket",
    "temporal_request_failure_total",
    "temporal_request_total",
}


ALERTS = yaml.safe_load((ROOT / "docs/reference/alerts.yml").read_text())
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]


def test_every_alert_has_a_runbook_severity_and_summary() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    reached: set[str] = set()
    for rule in RULES:
        assert rule["labels"]["severity"] in {"critical", "warning"}, rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]
        runbook = re.fullmatch(r"runbooks/(\w+|\{\{ \$labels\.code \}\})\.md", rule["annotations"]["runbook"])
        assert runbook, rule["alert"]
        if not runbook[1].startswith("{{"):
            assert runbook[1] in RUNBOOKS, rule["alert"]
            reached.add(runbook[1])
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert RUNBOOKS - reached == {"restore_from_backup"}, "reached from backup_failed"


def test_runbooks_of_alerts_exist() -> None:
    pages = {page.stem for page in (ROOT / "runbooks").glob("*.md")}
    assert pages
    assert pages >= RUNBOOKS


def metric_names(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:holdfast|temporal)_[a-z_]+", expression))


def test_alerts_watch_every_metric_and_invent_none() -> None:
    assert set().union(*(metric_names(rule["expr"]) for rule in RULES)) == METRICS


def test_every_metric_of_ours_is_exported_from_the_books() -> None:
    from storage.reads.gauges import HELP

    assert {name for name in METRICS - OF_WORKERS if name.startswith("holdfast_")} <= set(HELP)


def test_short_of_gas_leads_to_the_page_about_gas() -> None:
    pages = {rule["alert"]: rule["annotations"]["runbook"] for rule in RULES}
    assert pages["HotWalletGasLow"] == pages["GasWalletLow"] == "runbooks/gas_wallet_low.md"


def test_alert_expressions_are_well_formed() -> None:
    for rule in RULES:
        expression = rule["expr"]
        for pair in ("()", "{}", "[]"):
            assert expression.count(pair[0]) == expression.count(pair[1]), rule["alert"]
        assert expression.count('"') % 2 == 0, rule["alert"]
    if promtool := shutil.which("promtool"):
        checked = run([promtool, "check", "rules", str(ROOT / "docs/reference/alerts.yml")])
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_silence_of_a_check_is_told_by_the_age_of_its_last_run() -> None:
    """`absent` alone never fires: the last verdict is exported for ever."""
    silent = {rule["alert"]: rule["expr"] for rule in RULES if rule["alert"].endswith("CheckSilent")}
    for alert, job in (("LedgerCheckSilent", "ledger_check"), ("SolvencyCheckSilent", "solvency")):
        gauge = f'holdfast_job_last_run_timestamp_seconds{{name="{job}"}}'
        assert f"time() - max({gauge}) >" in silent[alert]
        assert f"absent({gauge})" in silent[alert]


def test_prometheus_scrapes_every_process() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    for name, port in (("api", 8000), ("worker", 9464), ("evm-signer", 9464)):
        assert jobs[name]["dns_sd_configs"][0]["names"] == [name]
        assert jobs[name]["dns_sd_configs"][0]["port"] == port
        assert str(port) in str(env(name).get("METRICS_PORT", env(name).get("API_PORT")))
        assert networks("prometheus") & networks(name), f"prometheus cannot reach {name}"
    assert jobs["temporal"]["static_configs"][0]["targets"] == ["temporal:8001"]
    assert env("temporal")["PROMETHEUS_ENDPOINT"] == "0.0.0.0:8001"
    used = set(re.findall(r'job(?:=|=~)"([^"]+)"', " ".join(rule["expr"] for rule in RULES)))
    assert {job for names in used for job in names.split("|")} <= set(jobs)
    assert any(
        volume.startswith("./docs/reference/alerts.yml:" + config["rule_files"][0])
        for volume in SERVICES["prometheus"]["volumes"]
    )


def test_dashboard_shows_known_metrics_and_fits_the_grid() -> None:
    board = json.loads((ROOT / "deploy/grafana/holdfast.json").read_text())
    source = yaml.safe_load((ROOT / "deploy/grafana/datasource.yml").read_text())["datasources"][0]
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        assert panel["datasource"]["uid"] == source["uid"]
        assert all(metric_names(target["expr"]) <= METRICS for target in panel["targets"]), panel["title"]
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24, f"{panel['title']} is too wide"
        assert not cells & taken, f"{panel['title']} overlaps"
        taken |= cells
    holdfast = {name for name in METRICS if name.startswith("holdfast_")}
    shown = set().union(*(metric_names(target["expr"]) for panel in board["panels"] for target in panel["targets"]))
    assert holdfast <= shown
