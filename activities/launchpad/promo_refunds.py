"""A promotion's payment that is owed back: planned, and booked when the transfer is final. Sending is in sending.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from temporalio import activity

from domain.launchpad.payments import paid
from domain.launchpad.promo import memo
from domain.launchpad.promo_refunds import PromoRef, RefundPaid, RefundPlanned, pays_back
from domain.launchpad.signing import PROMO_REFUND
from domain.launchpad.transactions import Plan
from domain.shared.errors import Broken, Unavailable

if TYPE_CHECKING:
    from gateways.protocols import SolanaNodes
    from storage.launchpad.promo_refunds import PromoRefundStore

LOOKS: Final = 20
"""So often the payment is looked for before an operator is asked."""


class PromoRefundActivities:
    """Each method is one transaction."""

    def __init__(self, store: PromoRefundStore) -> None:
        self.store = store

    @activity.defn
    async def plan_promo_refund(self, command: PromoRef) -> RefundPlanned:
        """Write the transfer of what came in, to whom it came from.

        Effect: a plan.
        Again:  the same plan under the same key; one that is paid says so.
        """
        return await self.store.plan(command.promo_id)

    @activity.defn
    async def record_promo_refund(self, command: PromoRef) -> RefundPaid:
        """Book that it is paid back.

        Effect: promotion, operation, audit entry, event: one transaction.
        Again:  it is booked once.
        """
        return await self.store.paid(command.promo_id)


class CameIn:
    """The signer's own look at what it is to pay back: a payment of that amount by that wallet stands on the chain."""

    def __init__(self, nodes: SolanaNodes, store: PromoRefundStore) -> None:
        self.nodes = nodes
        self.store = store

    async def verify(self, plan: Plan) -> None:
        """Plans of other kinds pass.

        Raises: Broken promo_refund_stuck when the chain tells otherwise; Unavailable while no nodes show the payment.
        """
        if plan.subject_kind != PROMO_REFUND:
            return
        owed = await self.store.owed(plan.subject_id)
        seen = await self.nodes.transaction(owed.payment_signature, commitment="finalized", agreed=True)
        if seen is None and activity.info().attempt < LOOKS:
            raise Unavailable("solana_unavailable", f"the payment {owed.payment_signature} is not shown by the nodes")
        brought = paid(seen, owed.payer, self.store.platform, memo(owed.account_id)) if seen is not None else 0
        if brought == 0 or brought != pays_back(plan):
            detail = f"{plan.key}: by {owed.payment_signature} {owed.payer} paid {brought} lamports, not what it says"
            raise Broken("promo_refund_stuck", detail)
