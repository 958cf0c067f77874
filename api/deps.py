"""What the routes are given by the composition root: values, pools, and the doors to other parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from domain.exchange.assets import AssetDefaults
from domain.exchange.custody import Solvency
from domain.exchange.vesting import LpPolicy
from domain.exchange.withdrawals import WithdrawalPolicy
from domain.launchpad.launching import LaunchPolicy
from domain.launchpad.preview import LaunchPrices
from domain.launchpad.reconcile import Reconciled
from domain.launchpad.sale import ReferralState
from gateways.evm.protocols import EvmAddresses
from gateways.protocols import SolanaReads
from storage.database import Pool
from workflows.client import Processes


class SolvencyCheck(Protocol):
    """Custody against liabilities at one block. Raises Unavailable when the chain does not answer."""

    async def __call__(self) -> Solvency: ...


class ReferralAccount(Protocol):
    """A wallet's referral account on Solana; None when it has none. Raises Unavailable when no node answers."""

    async def __call__(self, wallet: str) -> ReferralState | None: ...


class LaunchpadCheck(Protocol):
    """Every sale of the books against Solana, now. Raises Unavailable when no node answers."""

    async def __call__(self) -> Reconciled: ...


class PayloadCodec(Protocol):
    """Encrypts and decrypts payloads in Temporal's JSON form. Raises Rejected malformed_request."""

    async def encode(self, body: bytes) -> bytes: ...

    async def decode(self, body: bytes) -> bytes: ...


@dataclass(frozen=True)
class ApiConfig:
    """Values from the settings that routes need. Addresses are lower case."""

    version: str
    commit: str
    profile: str
    public_url: str
    session_secret: bytes
    chain_id: int
    usdc_address: str
    own_addresses: frozenset[str]
    """Where withdrawals may not go: token, hot, gas and cold wallet."""
    withdrawal_policy: WithdrawalPolicy
    temporal_ui_url: str
    temporal_namespace: str
    bankroll_micros: int
    """Paper cash of a new executable portfolio."""
    asset_defaults: AssetDefaults = field(default_factory=AssetDefaults)
    lp_policy: LpPolicy = field(default_factory=LpPolicy)
    halt_s: int = 300
    """How long an operator's halt lasts that does not say."""
    session_hours: int = 12
    rate_limit_per_s: int = 1_000
    login_limit_per_minute: int = 10
    max_body_bytes: int = 262_144
    trusted_proxies: frozenset[str] = field(default_factory=frozenset)
    event_stream_s: float = 600.0
    heartbeat_s: float = 15.0
    solana_cluster: str = "devnet"
    launchpad_program_id: str = ""
    launchpad_pool_program_id: str = ""
    launch_prices: LaunchPrices = field(default_factory=LaunchPrices)
    price_most_micro_lamports: int = 1_000_000
    """What is offered per compute unit at most, in millionths of a lamport."""
    ipfs_gateway_url: str = "https://ipfs.io/ipfs"
    """Where anybody reads what is pinned."""
    arweave_gateway_url: str = "https://arweave.net"
    """Where anybody reads the copies."""
    launch_policy: LaunchPolicy | None = None
    """None: no launchpad here."""
    sync_wallet_s: float = 1.0
    sync_project_s: float = 5.0
    sync_system_s: float = 10.0
    """How often a client of /api/sync is told of a wallet, a project, the whole at most."""

    @property
    def secure(self) -> bool:
        """Do users reach us by https? Then cookies are Secure and HSTS is sent."""
        return self.public_url.startswith("https://")


@dataclass(frozen=True)
class Deps:
    """Pools are closed when handed in; the app opens them at start and closes them at its end."""

    config: ApiConfig
    reads: Pool
    writes: Pool
    database_url: str
    """For the one LISTEN connection."""
    processes: Processes
    addresses: EvmAddresses
    solvency: SolvencyCheck
    codec: PayloadCodec | None = None
    """Over PAYLOAD_KEYS; None: payloads are in clear."""
    referral_account: ReferralAccount | None = None
    launchpad: LaunchpadCheck | None = None
    """None, both: no launchpad here."""
    solana: SolanaReads | None = None
    """Reads and drafts of messages; None: no launchpad here."""
