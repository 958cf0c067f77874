"""Launches: what of the queue `launchpad` they need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activities.launchpad.launches import LaunchActivities
from activities.launchpad.minting import MintingActivities
from activities.launchpad.nonces import NonceActivities
from activities.launchpad.promo import PromoActivities
from activities.launchpad.promo_refunds import PromoRefundActivities
from composition.launch_policy import launch_policy
from composition.parts import Parts
from gateways.protocols import SolanaNodes
from gateways.solana.launching import LaunchWire
from settings import WorkerSettings
from storage.launchpad.launch_plans import LaunchPlans
from storage.launchpad.launches import LaunchStore
from storage.launchpad.nonces import NonceStore
from storage.launchpad.promo_refunds import PromoRefundStore


def launches(settings: WorkerSettings, opened: Parts, nodes: SolanaNodes) -> list[Callable[..., Any]]:
    """Nothing while platform or programs are not named."""
    policy = launch_policy(settings)
    if policy is None:
        return []
    wire, store, plans = LaunchWire(policy), LaunchStore(opened.books, policy), LaunchPlans(opened.books)
    books = LaunchActivities(store, plans, wire, signature_s=settings.launchpad_signature_s)
    minting = MintingActivities(nodes, wire, store, plans)
    nonces = NonceActivities(NonceStore(opened.books, policy.platform, most=settings.launchpad_nonces))
    promo = PromoActivities(nodes, store, policy)
    refunds = PromoRefundActivities(PromoRefundStore(opened.books, policy.platform))
    return [
        *(books.turn_launch, books.validate_launch, books.activate_launch),
        *(books.await_signature, books.signature_came, books.request_cancel, books.begin_undoing, books.end_undone),
        *(minting.probe_step, minting.plan_step, minting.compare_step, minting.nothing_signed),
        *(nonces.lend_nonce, nonces.return_nonce),
        *(promo.find_payment, promo.owe_payment),
        *(refunds.plan_promo_refund, refunds.record_promo_refund),
    ]
