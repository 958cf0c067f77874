"""Every environment variable, typed and documented. Read only by worker.py, server.py and cli/.

What an area needs stands in its module; here is what all processes read, and what each role is given.

Names are upper case in the environment; each also has a `…_FILE` form whose content is the value. Secrets have no
default. Process roles differ in what they may hold: only `SignerSettings` knows private keys.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from settings.copytrade import CopytradeSettings, CopytradeWorkerSettings
from settings.exchange import ExchangeSettings, ExchangeWorkerSettings
from settings.launchpad import LaunchpadSettings, LaunchpadWorkerSettings


def load_file_secrets() -> None:
    """Read NAME_FILE of every setting into NAME (docker and systemd secrets). NAME wins when both are set.

    Of settings alone: a host's SSL_CERT_FILE is a path, and its content makes an environment no program can start in.
    """
    for name in {field.upper() for role in (ApiSettings, SignerSettings) for field in role.model_fields}:
        path = Path(os.environ.get(f"{name}_FILE", ""))
        if name not in os.environ and path.is_file():
            os.environ[name] = path.read_text().strip()


class Settings(LaunchpadSettings, CopytradeSettings, ExchangeSettings):
    """What every process reads."""

    model_config = SettingsConfigDict(env_file=None, extra="ignore", frozen=True)

    sandbox_mode: bool = Field(True, description="Refuse chains that carry real money. Set false to go live.")
    public_url: str = Field("http://127.0.0.1:8000", description="Where users reach the API; used in links.")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    log_format: Literal["json", "console"] = Field("json", description="One JSON object a line, or for people.")
    otlp_endpoint: str = Field("", description="OpenTelemetry collector (OTLP over HTTP); empty: tracing off.")

    database_url: SecretStr = Field(description="postgresql://user:password@host:port/name")
    database_pool_size: int = Field(10, ge=1, le=200, description="Connections a process may open.")

    temporal_address: str = Field("127.0.0.1:7233", description="host:port of the Temporal frontend.")
    temporal_namespace: str = Field("default", description="Temporal namespace.")
    temporal_tls: bool = Field(False, description="TLS to Temporal (Temporal Cloud needs it).")
    temporal_api_key: SecretStr | None = Field(None, description="API key for Temporal Cloud.")
    temporal_ui_url: str = Field(
        "http://127.0.0.1:8233", description="Temporal UI, for links; its pages may call the codec routes."
    )
    payload_keys: SecretStr = Field(
        SecretStr(""), description="id:base64 AES-256 keys, comma separated, newest first; empty: payloads in clear."
    )


class ApiSettings(Settings):
    """The API process: no keys, nothing that signs."""

    api_host: str = Field("127.0.0.1", description="Address to listen on.")
    api_port: int = Field(8000, description="Port to listen on.")
    session_secret: SecretStr = Field(description="Signs cursors and sessions; 32 random bytes or more.")
    session_hours: int = Field(12, ge=1, description="How long a login lasts.")
    rate_limit_per_s: int = Field(1_000, ge=1, description="Requests a second per API key.")
    login_limit_per_minute: int = Field(10, ge=1, description="Login attempts a minute per address.")
    max_body_bytes: int = Field(262_144, description="Largest request body.")
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Addresses whose X-Forwarded-For is believed, comma separated."
    )
    github_client_id: str = Field("", description="OAuth sign-in by GitHub; empty: off.")
    github_client_secret: SecretStr = Field(SecretStr(""), description="Secret of the GitHub OAuth app.")
    login_allow_list: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="E-mail addresses that may sign in by OAuth, comma separated."
    )

    @field_validator("trusted_proxies", "login_allow_list", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    def model_post_init(self, _context: Any) -> None:
        if len(self.session_secret.get_secret_value()) < 16:
            raise ValueError("SESSION_SECRET is too short: give 32 random bytes")


class WorkerSettings(LaunchpadWorkerSettings, CopytradeWorkerSettings, ExchangeWorkerSettings, Settings):
    """Worker processes. Signing keys are not here."""

    metrics_host: str = Field("127.0.0.1", description="Address of /health and /metrics.")
    metrics_port: int = Field(0, description="Port of /health and /metrics; 0: none.")
    graceful_shutdown_s: int = Field(30, ge=0, description="Time for running activities to end on SIGTERM.")
    max_concurrent: int = Field(100, ge=1, description="Tasks in flight per queue and kind; pollers follow.")

    backup_key: SecretStr = Field(SecretStr(""), description="base64 of 32 bytes; backups are encrypted with it.")
    data_dir: str = Field(
        "", description="Where the databases keep their files, if on this host: no place for backups."
    )
    backup_dir: str = Field("", description="Where backups go; must not be inside the data directory. Empty: off.")
    backup_keep: int = Field(7, ge=1, description="Backups kept.")
    backup_hour_utc: int = Field(3, ge=0, le=23, description="When the nightly backup starts.")
    pg_bin_dir: str = Field("", description="Directory of pg_dump and pg_restore; empty: from PATH.")
    temporal_db_file: str = Field("", description="SQLite file of the embedded Temporal server.")
    temporal_db_dsn: SecretStr = Field(SecretStr(""), description="Postgres DSN of Temporal's own database.")


class SignerSettings(WorkerSettings):
    """The signer alone: the only class with keys to money."""

    hot_wallet_private_key: SecretStr = Field(description="Key of HOT_WALLET_ADDRESS.")
    gas_wallet_private_key: SecretStr = Field(description="Key of GAS_WALLET_ADDRESS.")
    deposit_account_xprv: SecretStr = Field(description="xprv of m/44'/60'/0': signs sweeps of deposit addresses.")
    solana_platform_keypair: SecretStr = Field(
        SecretStr(""),
        description="Key of SOLANA_PLATFORM_ADDRESS: base58 or JSON of 64 bytes; empty: no launchpad.",
    )
    solana_most_lamports: int = Field(
        5_000_000_000,
        ge=0,
        description="Most that one transaction may cost the platform's wallet, whatever its plan.",
    )
