"""The files that run production, read once, for the tests that look at them without a container engine."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOTS = {"migrate", "temporal-schema", "temporal-namespace"}
APP = {"migrate", "api", "worker", "evm-signer"}
WORKERS = {"worker", "evm-signer"}
SIGNER_KEYS = {
    "HOT_WALLET_PRIVATE_KEY",
    "GAS_WALLET_PRIVATE_KEY",
    "DEPOSIT_ACCOUNT_XPRV",
    "SOLANA_PLATFORM_KEYPAIR",
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
    found = re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert len(found) == len(dict(found)), "a variable stands twice"
    return dict(found)


def run(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60, check=False
    )
