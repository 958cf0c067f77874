"""Compose and .env.example against the settings of each process."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import settings
from settings.launchpad import LaunchpadWorkerSettings
from tests.deployment import (
    COMPOSE_TEXT,
    ROOT,
    SERVICES,
    env,
    example,
)

ROLES: dict[str, type[settings.Settings]] = {
    "api": settings.ApiSettings,
    "worker": settings.WorkerSettings,
    "evm-signer": settings.SignerSettings,
    "migrate": settings.Settings,
}
PATHS = {"TEMPORAL_DB_FILE", "POLYMARKET_CONTRACTS_FILE"}  # settings by these names; every other …_FILE holds a value
# Polymarket is the worker's: the signer is told nothing of it.
COPYTRADE = {
    field.upper()
    for field in settings.WorkerSettings.model_fields
    if field.startswith(("polymarket_", "polygon_", "copytrade_", "alchemy_"))
}
PINNING = {field.upper() for field in LaunchpadWorkerSettings.model_fields if not field.startswith("solana_")}
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
        "SERPER_API_KEY",
        "SERPER_BASE_URL",
        "OPENAI_BASE_URL",
        "OPENAI_API_KEY",
        "OPENAI_MODEL",
        "HUGGINGFACE_API_URL",
        "HUGGINGFACE_API_KEY",
        "ORACLE_MIN_HOSTS",
        "ORACLE_AT_ONCE",
        *COPYTRADE,
        *PINNING,
    },
}


@pytest.mark.parametrize("name", ROLES)
def test_each_process_can_be_told_all_its_settings_and_no_others(name: str) -> None:
    given = {key if key in PATHS else key.removesuffix("_FILE") for key in env(name)}
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
    for name, shown in re.findall(r"^# ([A-Z][A-Z0-9_]*)=(.*)$", lines, re.MULTILINE):
        default = fields[name].default
        plain = default.get_secret_value() if hasattr(default, "get_secret_value") else default
        expected = str(plain).lower() if isinstance(plain, bool) else "" if plain in (None, ()) else str(plain)
        if name != "WITHDRAWAL_NEW_ADDRESS_COOLDOWN_S":  # its default depends on the profile
            assert shown == expected, name
    assert not re.search(r"\b(0x)?[0-9a-fA-F]{64}\b|xprv|hf_[A-Za-z0-9]{8}", lines)


def test_only_files_of_settings_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A host's SSL_CERT_FILE is a path; its content in the environment would keep pg_dump from starting."""
    file = tmp_path / "value"
    file.write_text("from a file\n")
    named = {"BACKUP_KEY_FILE": str(file), "SSL_CERT_FILE": str(file), "POLYMARKET_CONTRACTS_FILE": str(file)}
    monkeypatch.setattr("os.environ", found := dict(named))
    settings.load_file_secrets()
    assert found == named | {"BACKUP_KEY": "from a file"}
