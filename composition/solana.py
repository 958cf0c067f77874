"""What every process opens of Solana. Imported by the API too, so it names nothing of the workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.shared.errors import Broken
from gateways.solana.failover import Quarantine
from gateways.solana.nodes import RpcNodes
from settings import Settings

if TYPE_CHECKING:
    from gateways.solana.drafting import Drafting


def refuse_real_money(settings: Settings) -> None:
    """Raises: Broken wrong_chain while SANDBOX_MODE is on and a configured chain carries real money."""
    if settings.sandbox_mode and settings.mainnet:
        raise Broken("wrong_chain", f"SANDBOX_MODE is on but chain {settings.arbitrum_chain_id} carries real money")
    if settings.sandbox_mode and settings.solana_rpc_url and settings.solana_cluster == "mainnet-beta":
        raise Broken("wrong_chain", "SANDBOX_MODE is on but SOLANA_CLUSTER is mainnet-beta, which carries real money")


def make_solana(settings: Settings, quarantine: Quarantine) -> RpcNodes | None:
    """Every node of SOLANA_RPC_URL; None without any."""
    urls = settings.solana_rpc_url
    return RpcNodes.connect(urls, calls_per_s=settings.solana_max_rps, quarantine=quarantine) if urls else None


def make_drafting(settings: Settings, nodes: RpcNodes) -> Drafting:
    """Messages of plans, for the platform's wallet."""
    from gateways.solana.drafting import Drafting  # loads Solana's library only where there is a launchpad

    platform, most = settings.solana_platform_address, settings.solana_price_most_micro_lamports
    return Drafting(nodes, platform=platform, price_most=most)
