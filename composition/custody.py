"""Our own wallets as the settings name them, and the proof of solvency; all that the API shares with the workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from activities.exchange.solvency import SolvencyActivities
from domain.exchange.custody import Wallets
from settings import Settings
from storage.exchange.solvency import SolvencyStore
from storage.jobs import JobStore

if TYPE_CHECKING:
    from gateways.evm.protocols import EvmChain
    from storage.books import Books


def wallets(settings: Settings) -> Wallets:
    """Hot, gas and (may be empty) cold."""
    return Wallets(
        hot=settings.hot_wallet_address.lower(),
        gas=settings.gas_wallet_address.lower(),
        cold=settings.cold_wallet_address.lower(),
    )


def own_addresses(settings: Settings) -> frozenset[str]:
    """Our wallets and the token: no money is ever sent there by a withdrawal."""
    ours = wallets(settings)
    named = (settings.usdc_contract_address.lower(), ours.hot, ours.gas, ours.cold)
    return frozenset(address for address in named if address)


def make_solvency(settings: Settings, books: Books, chain: EvmChain) -> SolvencyActivities:
    """The proof of solvency. With books over a read-only pool only `solvency()` works, which reads."""
    return SolvencyActivities(
        chain,
        SolvencyStore(books, settings.arbitrum_chain_id),
        JobStore(books),
        token=settings.usdc_contract_address.lower(),
        wallets=wallets(settings),
    )
