"""Every environment variable, typed and documented. Read only by worker.py, server.py and cli/.

Names are upper case in the environment; each also has a `…_FILE` form whose content is the value. Secrets have no
default. Process roles differ in what they may hold: only `SignerSettings` knows private keys.
"""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from domain.exchange.assets import AssetDefaults, exactly
from domain.exchange.curve import K_DECIMALS
from domain.exchange.deposits import DepositPolicy, Tier
from domain.exchange.fees import FeePolicy
from domain.exchange.vesting import LpPolicy, parse_steps
from domain.exchange.withdrawals import WithdrawalPolicy
from domain.shared.money import USDC_DECIMALS

MAINNETS = frozenset({1, 137, 42161})


def load_file_secrets() -> None:
    """Read NAME_FILE of every setting into NAME (docker and systemd secrets). NAME wins when both are set.

    Of settings alone: a host's SSL_CERT_FILE is a path, and its content makes an environment no program can start in.
    """
    for name in {field.upper() for role in (ApiSettings, SignerSettings) for field in role.model_fields}:
        path = Path(os.environ.get(f"{name}_FILE", ""))
        if name not in os.environ and path.is_file():
            os.environ[name] = path.read_text().strip()


class Settings(BaseSettings):
    """What every process reads."""

    model_config = SettingsConfigDict(env_file=None, extra="ignore", frozen=True)

    holdfast_profile: Literal["production", "local"] = Field(
        "production", description="`local` relaxes what the embedded stack needs: no new-address cool-down."
    )
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

    arbitrum_rpc_url: str = Field(description="HTTP JSON-RPC of the chain.")
    arbitrum_rpc_fallback_url: str = Field("", description="Second node; asked when the first fails or to compare.")
    arbitrum_ws_url: str = Field("", description="WebSocket JSON-RPC; only a wake-up for the scanner. Empty: polling.")
    explorer_url: str = Field("", description="Block explorer, for links: …/tx/{hash} is appended. Empty: none.")
    arbitrum_chain_id: int = Field(421614, description="EIP-155 number the node must answer.")
    usdc_contract_address: str = Field(description="The one token that is credited.")
    deposit_xpub: str = Field(description="Account xpub m/44'/60'/0'; deposit addresses are /0/i below it.")
    hot_wallet_address: str = Field(description="Pays withdrawals (m/44'/60'/1'/0/0).")
    gas_wallet_address: str = Field(description="Pays gas for sweeps.")
    cold_wallet_address: str = Field("", description="Where surplus is kept by hand; counted as custody.")

    confirmations_required: int = Field(12, ge=1, description="Blocks on top of a deposit before it is credited.")
    deposit_minimum_micros: int = Field(1_000_000, ge=1, description="Smaller deposits wait until they add up.")
    deposit_safe_from_micros: int = Field(1_000_000_000, description="From here on the `safe` tag is required too.")
    deposit_finalized_from_micros: int = Field(0, description="From here on `finalized` is required; 0: never.")

    withdrawal_minimum_micros: int = Field(1_000_000, ge=1, description="Smallest withdrawal.")
    withdrawal_fee_micros: int = Field(0, ge=0, description="Flat fee on top of the amount.")
    withdrawal_account_daily_micros: int = Field(5_000_000_000, description="Per account in a rolling 24 hours.")
    withdrawal_platform_daily_micros: int = Field(250_000_000_000, description="All accounts in a rolling 24 hours.")
    withdrawal_review_from_micros: int = Field(1_000_000_000, description="From here on another operator approves.")
    withdrawal_new_address_cooldown_s: int | None = Field(
        None, description="How long a new destination waits. Default 86,400 in production, 0 in profile local."
    )

    default_swap_fee: Decimal = Field(Decimal("0.005"), ge=0, description="Fee of a new asset, as a fraction.")
    platform_fee_percent: int = Field(10, ge=0, le=100, description="The platform's part of a fee; LPs get the rest.")
    soft_cap_default: Decimal = Field(Decimal(2500), gt=0, description="Soft cap of a new asset, USDC.")
    hard_cap_default: Decimal = Field(Decimal(25000), gt=0, description="Hard cap of a new asset, USDC.")
    default_p0: Decimal = Field(Decimal(1), gt=0, description="Start price of a new asset, USDC.")
    default_k: Decimal = Field(Decimal("0.01"), ge=0, description="Slope of a new asset, USDC per share squared.")
    funding_days_default: int = Field(7, ge=1, le=90, description="Days until the deadline of a funding round.")
    market_engines: int = Field(2, ge=1, le=64, description="Engines the assets are spread over.")
    lp_vesting: str = Field(
        "7:2500,30:5000,90:7500,180:10000", description="LP vesting: days since the contribution, basis points."
    )
    lp_pool_daily_bps: int = Field(1_000, ge=1, le=10_000, description="Part of a pool that may leave in 24 hours.")
    lp_instant_bps: int = Field(2_500, ge=0, le=10_000, description="Part of what has vested that is paid at once.")
    lp_queue_s: int = Field(86_400, ge=0, description="How long a queued LP withdrawal waits at least.")
    halt_s: int = Field(300, ge=1, description="How long the circuit breaker halts an asset.")
    default_ema_beta: Decimal = Field(Decimal("0.2"), gt=0, le=1, description="How far one signal moves F.")
    default_v0: Decimal = Field(Decimal(1000), gt=0, description="USDC in 5 minutes that halve the doubt in M.")
    fundamental_decay_bps: int = Field(0, ge=0, le=10_000, description="How far F moves to M an hour; 0: never.")
    tick_heartbeat_s: int = Field(60, ge=1, description="A tick is written when the last one is older.")
    oracle_interval_s: int = Field(600, ge=1, description="How often an asset's signal is refreshed.")
    oracle_degraded_s: int = Field(3_600, ge=1, description="How long the market weighs 0.95 without a signal.")
    oracle_delta_cap_bps: int = Field(500, ge=1, le=3_000, description="Largest move one signal may ask for.")
    oracle_confidence_bps: int = Field(6_000, ge=0, le=10_000, description="Signals less certain are refused.")
    oracle_daily_searches: int = Field(2_000, ge=0, description="Search calls a day, all assets.")
    oracle_daily_analyses: int = Field(2_000, ge=0, description="Model calls a day, all assets.")

    starting_bankroll_micros: int = Field(10_000_000_000, ge=0, description="Paper cash of a new portfolio, micros.")

    @property
    def mainnet(self) -> bool:
        return self.arbitrum_chain_id in MAINNETS

    def deposit_policy(self) -> DepositPolicy:
        tiers = [Tier(from_micros=0, confirmations=self.confirmations_required)]
        steps: list[tuple[int, Literal["safe", "finalized"]]] = [
            (self.deposit_safe_from_micros, "safe"),
            (self.deposit_finalized_from_micros, "finalized"),
        ]
        for start, tag in steps:
            if start > 0:
                tiers.append(Tier(from_micros=start, confirmations=self.confirmations_required, tag=tag))
        return DepositPolicy(
            token=self.usdc_contract_address.lower(),
            minimum_micros=self.deposit_minimum_micros,
            tiers=tuple(sorted(tiers, key=lambda tier: tier.from_micros)),
        )

    @field_validator("lp_vesting")
    @classmethod
    def _vesting_table(cls, value: str) -> str:
        parse_steps(value)
        return value

    def lp_policy(self) -> LpPolicy:
        return LpPolicy(
            steps=parse_steps(self.lp_vesting),
            instant_bps=self.lp_instant_bps,
            pool_daily_bps=self.lp_pool_daily_bps,
            queue_s=self.lp_queue_s,
        )

    def asset_defaults(self) -> AssetDefaults:
        return AssetDefaults(
            p0_micros=exactly(self.default_p0, USDC_DECIMALS),
            k_atto=exactly(self.default_k, K_DECIMALS),
            soft_cap_micros=exactly(self.soft_cap_default, USDC_DECIMALS),
            hard_cap_micros=exactly(self.hard_cap_default, USDC_DECIMALS),
            fee_bps=exactly(self.default_swap_fee, 4),
            lp_part_bps=(100 - self.platform_fee_percent) * 100,
            funding_days=self.funding_days_default,
        )

    def withdrawal_policy(self) -> WithdrawalPolicy:
        cooldown = self.withdrawal_new_address_cooldown_s
        if cooldown is None:
            cooldown = 0 if self.holdfast_profile == "local" else 86_400
        return WithdrawalPolicy(
            minimum_micros=self.withdrawal_minimum_micros,
            fee_micros=self.withdrawal_fee_micros,
            account_daily_micros=self.withdrawal_account_daily_micros,
            platform_daily_micros=self.withdrawal_platform_daily_micros,
            review_from_micros=self.withdrawal_review_from_micros,
            new_address_cooldown_s=cooldown,
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


class WorkerSettings(Settings):
    """Worker processes. Signing keys are not here."""

    metrics_host: str = Field("127.0.0.1", description="Address of /health and /metrics.")
    metrics_port: int = Field(0, description="Port of /health and /metrics; 0: none.")
    graceful_shutdown_s: int = Field(30, ge=0, description="Time for running activities to end on SIGTERM.")
    max_concurrent: int = Field(100, ge=1, description="Tasks in flight per queue and kind; pollers follow.")

    scanner_span_blocks: int = Field(500, ge=1, description="Largest block range per log query at the start.")
    scanner_poll_ms: int = Field(250, ge=50, description="Poll interval when no WebSocket wakes the scanner.")
    scanner_start_block: int | None = Field(None, description="First block to scan on an empty database; default head.")

    hot_wallet_min_wei: int = Field(10**15, description="Gas floor: below it nothing is sent (0.001 ETH).")
    gas_wallet_min_wei: int = Field(10**16, description="Below it the gas wallet raises an alert.")
    hot_wallet_floor_micros: int = Field(0, description="Alert when the hot wallet holds less USDC.")
    hot_wallet_ceiling_micros: int = Field(50_000_000_000, description="Alert when it holds more: move it to cold.")
    sweep_minimum_micros: int = Field(10_000_000, description="Smallest balance worth a periodic sweep.")
    custody_interval_s: int = Field(600, ge=1, description="How often custody upkeep runs.")
    deposit_overdue_s: int = Field(
        900,
        ge=1,
        description="A deposit deep enough and not credited for so long raises an alert; one hour more "
        "where a tag is required too.",
    )
    tick_days: int = Field(400, ge=2, description="How long price ticks are kept.")
    check_interval_s: int = Field(60, ge=1, description="How often solvency and the ledger are checked.")
    funds_retry_s: int = Field(5, ge=1, description="How often a withdrawal short of funds looks again.")
    replace_after_s: int = Field(25, ge=1, description="A transaction not mined by then is replaced.")
    max_fee_cap_wei: int = Field(10 * 10**9, description="No attempt offers more per unit of gas.")
    priority_fee_wei: int = Field(0, ge=0, description="Tip per unit of gas; Arbitrum needs none.")

    serper_api_key: SecretStr = Field(SecretStr(""), description="Key of the web search; empty: no oracle.")
    serper_base_url: str = Field("https://google.serper.dev", description="Web search: …/search is appended.")
    openai_base_url: str = Field(
        "", description="Any OpenAI-compatible endpoint, as https://host/v1; empty: Hugging Face is asked."
    )
    openai_api_key: SecretStr = Field(SecretStr(""), description="Its key, if it wants one.")
    openai_model: str = Field("gpt-4o-mini", description="Its model; one that gives structured output.")
    huggingface_api_url: str = Field(
        "https://api-inference.huggingface.co/models/google/flan-t5-base",
        description="Hugging Face inference of one model.",
    )
    huggingface_api_key: SecretStr = Field(
        SecretStr(""), description="Its key; without it and without OPENAI_BASE_URL there is no oracle."
    )
    oracle_min_hosts: int = Field(2, ge=1, le=10, description="Different sites that must stand behind a signal.")
    oracle_at_once: int = Field(4, ge=1, le=100, description="Assets that one round refreshes at the same time.")

    polymarket_data_api_base_url: str = Field(
        "https://data-api.polymarket.com", description="Polymarket's Data API: leaders' activity and positions."
    )
    polymarket_clob_base_url: str = Field("https://clob.polymarket.com", description="Polymarket's books and prices.")
    polymarket_gamma_base_url: str = Field("https://gamma-api.polymarket.com", description="Its markets and profiles.")
    polymarket_data_api_version: Literal["v2", "v1"] = Field("v2", description="v1 only while v2 is down for long.")
    polymarket_max_rps: int = Field(20, ge=1, description="Requests a second to Polymarket, all routes.")
    polymarket_burst: int = Field(40, ge=1, description="Requests at once.")
    polygon_chain_id: int = Field(137, description="Where Polymarket settles.")
    polymarket_market_ws_url: str = Field("", description="The CLOB's market socket; only `holdfast record` reads it.")
    alchemy_ws_url: str = Field("", description="WebSocket of a Polygon node: hastens polls; empty: no chain trigger.")
    polygon_rpc_url: str = Field("", description="HTTP of a Polygon node: receipts, gaps; empty: none.")
    polygon_fallback_max_rps: int = Field(5, ge=1, description="Requests a second to POLYGON_RPC_URL.")
    polymarket_contracts_file: str = Field("", description="JSON that replaces the built-in contract addresses.")
    copytrade_jitter_seed: str = Field("holdfast", description="Part of the hash that draws a decision's jitter.")
    copytrade_poll_s: int = Field(30, ge=1, description="How often each leader's activity is read.")
    copytrade_reconcile_s: int = Field(60, ge=1, description="How often the last two minutes are read again.")
    copytrade_cold_start_s: int = Field(900, ge=0, description="How far back the first read after a start looks.")
    copytrade_marks_s: int = Field(30, ge=5, description="How often held tokens are marked.")
    copytrade_snapshots_s: int = Field(60, ge=5, description="How often portfolios are snapshotted.")
    copytrade_settlement_s: int = Field(120, ge=1, description="How often resolutions are looked for.")
    copytrade_drift_s: int = Field(600, ge=1, description="How often shadows are compared with the venue's positions.")
    copytrade_markets_s: int = Field(3_600, ge=1, description="How often market facts are read again.")
    copytrade_exec_user: bool = Field(True, description="Simulate a portfolio per leader beside the global one.")

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

    def fee_policy(self) -> FeePolicy:
        return FeePolicy(max_fee_cap=self.max_fee_cap_wei, priority=self.priority_fee_wei)


class SignerSettings(WorkerSettings):
    """The signer alone: the only class with private keys."""

    hot_wallet_private_key: SecretStr = Field(description="Key of HOT_WALLET_ADDRESS.")
    gas_wallet_private_key: SecretStr = Field(description="Key of GAS_WALLET_ADDRESS.")
    deposit_account_xprv: SecretStr = Field(description="xprv of m/44'/60'/0': signs sweeps of deposit addresses.")
