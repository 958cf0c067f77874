"""The queue `solana-signer`: the only wiring that touches the platform's Solana key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activities.launchpad.promo_refunds import CameIn
from activities.launchpad.signing import SolanaSigningActivities
from composition.launchpad_sending import explain
from composition.parts import Parts
from composition.solana import make_drafting
from domain.shared.errors import Broken
from gateways.solana.signer import LocalSolanaSigner
from settings import SignerSettings, WorkerSettings
from storage.launchpad.promo_refunds import PromoRefundStore
from storage.launchpad.transactions import TransactionStore


def solana_signer(settings: WorkerSettings, opened: Parts) -> list[Callable[..., Any]]:
    """The one activity of this queue; none without a key or without Solana.

    Raises: Broken wrong_chain when the key is not that of SOLANA_PLATFORM_ADDRESS.
    """
    if not isinstance(settings, SignerSettings):
        raise TypeError("the signer's queue needs the signer's settings")
    if opened.solana is None or not settings.solana_platform_keypair.get_secret_value():
        return []
    signer = LocalSolanaSigner(settings.solana_platform_keypair)
    platform = settings.solana_platform_address
    if signer.address != platform:
        raise Broken("wrong_chain", f"the key belongs to {signer.address}, SOLANA_PLATFORM_ADDRESS is {platform}")
    own = frozenset({settings.launchpad_program_id, settings.launchpad_pool_program_id} - {""})
    store = TransactionStore(opened.books, platform, day_lamports=settings.solana_day_lamports)
    signing = SolanaSigningActivities(
        make_drafting(settings, opened.solana),
        store,
        signer,
        explain,
        own=own,
        treasury=settings.launchpad_treasury_wallet or platform,
        cluster=settings.solana_cluster,
        most_lamports=settings.solana_most_lamports,
        came_in=CameIn(opened.solana, PromoRefundStore(opened.books, platform)),
    )
    return [signing.sign_solana]
