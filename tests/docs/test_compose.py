"""Compose: who holds keys, what is open, what stays up."""

from __future__ import annotations

from pathlib import Path

from tests.deployment import (
    COMPOSE,
    SERVICES,
    SIGNER_KEYS,
    WORKERS,
    env,
    networks,
    resolve,
)


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
    assert queues == {
        "worker": ["exchange", "copytrade", "launchpad", "operations"],
        "evm-signer": ["evm-signer", "solana-signer"],
    }


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
