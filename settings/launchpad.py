"""Settings of the launchpad: Solana, the programs, the platform's wallet, where metadata is pinned."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode


class LaunchpadSettings(BaseSettings):
    """What the API and the workers read. Without SOLANA_RPC_URL there is no launchpad."""

    solana_rpc_url: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="JSON-RPC of Solana nodes, comma separated, best first; empty: no launchpad."
    )
    solana_ws_url: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Their WebSockets, comma separated: hints only; empty: polls alone."
    )
    solana_cluster: Literal["localnet", "devnet", "mainnet-beta"] = Field(
        "devnet", description="Which cluster the nodes belong to; mainnet-beta needs SANDBOX_MODE=false."
    )
    solana_platform_address: str = Field(
        "", description="The platform's wallet: pays fees, co-signs sales. Its key is SOLANA_PLATFORM_KEYPAIR."
    )
    launchpad_program_id: str = Field("", description="Address of the sale program (CG-060: no default).")
    launchpad_pool_program_id: str = Field("", description="Address of the pool program: Raydium CPMM or its stand-in.")
    launchpad_marketing_wallet: str = Field("", description="Receives its quarter of the tax; empty: the platform.")
    launchpad_treasury_wallet: str = Field("", description="Receives its quarter of the tax; empty: the platform.")
    launchpad_rewards_wallet: str = Field("", description="Holds the holders' quarter; empty: the platform.")
    launchpad_token_standard: Literal["token-2022", "spl"] = Field(
        "token-2022",
        description="Token program of launches; spl: the classic one with Metaplex metadata, no transfer fee.",
    )
    launchpad_tax_bps: int = Field(200, ge=0, le=500, description="Tax on every trade along a curve.")
    launchpad_referral_bps: int = Field(2_500, ge=0, le=10_000, description="Part of the tax for the uplines.")
    launchpad_creation_fee_lamports: int = Field(0, ge=0, description="What a launch costs beside the network's fees.")
    launchpad_listing_lamports: int = Field(5_000_000_000, ge=0, description="Price of the listing package.")
    launchpad_banner_s: int = Field(7 * 86_400, ge=1, description="How long a banner is shown (promo 5 and 50 SOL).")
    launchpad_top_s: int = Field(30 * 86_400, ge=1, description="How long a project is on top (promo 50 SOL).")
    launchpad_budget_lamports: int = Field(
        100_000_000, ge=0, description="What the platform spends on one launch at most, fees and rents."
    )
    launchpad_soft_cap_least_lamports: int = Field(
        1_000_000_000, ge=1, description="Smallest soft cap: less than a pool costs would be paid by the platform."
    )
    launchpad_open_launches: int = Field(
        20, ge=1, description="Launches of an account that the platform signs and whose sales have not ended, at most."
    )
    launchpad_sync_wallet_s: int = Field(1, ge=0, description="A client of /api/sync hears of a wallet once in this.")
    launchpad_sync_project_s: int = Field(5, ge=0, description="A client of /api/sync hears of a project once in this.")
    launchpad_sync_system_s: int = Field(10, ge=0, description="A client of /api/sync hears of the whole once in this.")
    solana_max_rps: int = Field(20, ge=1, description="Requests a second of a process to each Solana node.")
    solana_price_most_micro_lamports: int = Field(
        1_000_000, ge=0, description="Most that is offered per compute unit, in millionths of a lamport."
    )
    ipfs_gateway_url: str = Field("https://ipfs.io/ipfs", description="Where anybody reads what is pinned: …/{cid}.")
    arweave_gateway_url: str = Field(
        "https://arweave.net", description="Where anybody reads what is on Arweave: …/raw/{id}."
    )

    @field_validator("solana_rpc_url", "solana_ws_url", mode="before")
    @classmethod
    def _urls(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class LaunchpadWorkerSettings(BaseSettings):
    """What the workers alone read."""

    solana_float_lamports: int = Field(500_000_000, ge=0, description="Alert when the platform's wallet holds less.")
    solana_day_lamports: int = Field(
        20_000_000_000, ge=0, description="Most that the platform's wallet may lose in 24 hours; launches: four fifths."
    )
    ipfs_api: Literal["kubo", "pinata"] = Field("kubo", description="What IPFS_API_URL speaks.")
    ipfs_api_url: str = Field("", description="Pinning node: Kubo's RPC or Pinata's API.")
    ipfs_api_key: SecretStr = Field(SecretStr(""), description="Bearer token of the pinning node, if it wants one.")
    arweave_bundler_url: str = Field(
        "", description="Takes copies of live launches' files for Arweave, as Turbo's upload service; empty: no copies."
    )
    arweave_keypair: SecretStr = Field(
        SecretStr(""),
        description="Signs those copies: a Solana keypair of its own that has upload credit and nothing else.",
    )
    launchpad_mirror_s: int = Field(300, ge=1, description="How often files go to Arweave.")
    launchpad_reconcile_s: int = Field(300, ge=1, description="How often the database is compared with the chain.")
    launchpad_tax_cycle_s: int = Field(230, ge=1, description="How often collected tax is distributed.")
    launchpad_tax_least_lamports: int = Field(10_000_000, ge=1, description="Smallest collected tax worth paying out.")
    launchpad_vesting_slice_s: int = Field(
        2_592_000, ge=604_800, description="A team is paid when as much is due as vests in this time (a month)."
    )
    launchpad_asset_days: int = Field(7, ge=1, description="How long a picture is kept that no launch uses.")
    launchpad_signature_s: int = Field(
        900, ge=1, le=900, description="How long a creator's signature is awaited, then an operator is asked."
    )
    solana_patience_s: int = Field(
        300,
        ge=1,
        le=1_000,
        description="How long a transaction may be undecided before its nonce is used up, or somebody asked.",
    )
    launchpad_nonces: int = Field(
        20, ge=0, description="Durable nonces for what creators' wallets sign, at most; beyond, a minute's blockhash."
    )
    launchpad_deploy_at_once: int = Field(
        16, ge=1, le=64, description="Pieces of a program that are on their way to the chain at a time."
    )
