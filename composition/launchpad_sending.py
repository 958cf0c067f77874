"""Of the queue `launchpad`: sending signed transactions to Solana."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activities.launchpad.sending import SolanaSendingActivities
from activities.launchpad.upkeep import SolanaUpkeepActivities
from composition.parts import Parts
from domain.launchpad.refusals import code_of
from gateways.protocols import SolanaNodes
from gateways.solana.sale_idl import interface
from settings import WorkerSettings
from storage.launchpad.day_limit import DayLimit
from storage.launchpad.promo_refunds import PromoRefundStore
from storage.launchpad.transactions import TransactionStore


def explain(err: Any) -> str:
    """Our code for a transaction's error: the sale program names its own."""
    return code_of(err, interface().errors)


def sending(settings: WorkerSettings, opened: Parts, nodes: SolanaNodes) -> list[Callable[..., Any]]:
    """Bytes to the nodes, verdicts to the books."""
    platform = settings.solana_platform_address
    store = TransactionStore(opened.books, platform)
    patience_s = float(settings.solana_patience_s)
    sender = SolanaSendingActivities(nodes, store, explain, platform=platform, patience_s=patience_s)
    upkeep = SolanaUpkeepActivities(
        nodes,
        store,
        sender,
        opened.jobs,
        PromoRefundStore(opened.books, platform),
        DayLimit(opened.books, settings.solana_day_lamports),
        platform=platform,
        float_lamports=settings.solana_float_lamports,
    )
    return [sender.send_solana, sender.record_landing, upkeep.look_after_solana]
