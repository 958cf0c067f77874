"""Settings of the exchange: custody, the market, its oracle."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from domain.exchange.assets import AssetDefaults, exactly
from domain.exchange.curve import K_DECIMALS
from domain.exchange.deposits import DepositPolicy, Tier
from domain.exchange.fees import FeePolicy
from domain.exchange.vesting import LpPolicy, parse_steps
from domain.exchange.withdrawals import WithdrawalPolicy
from domain.shared.money import USDC_DECIMALS

MAINNETS = frozenset({1, 137, 42161})


class ExchangeSettings(BaseSettings):
    """What the API and the workers read."""

    holdfast_profile: Literal["production", "local"] = Field(
        "production", description="`local` relaxes what the embedded stack needs: no new-address cool-down."
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


class ExchangeWorkerSettings(BaseSettings):
    """What the workers alone read."""

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

    def fee_policy(self) -> FeePolicy:
        return FeePolicy(max_fee_cap=self.max_fee_cap_wei, priority=self.priority_fee_wei)
