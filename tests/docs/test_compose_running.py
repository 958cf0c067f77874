"""Compose: everything restarts, is watched, bounded and pinned."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deployment import (
    APP,
    COMPOSE,
    ONE_SHOTS,
    ROOT,
    SERVICES,
    WORKERS,
    env,
    resolve,
    seconds,
)


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
