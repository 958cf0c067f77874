"""The payment of a promotion: found on the chain before anything irreversible, owed back when the launch is undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.beating import beating
from domain.launchpad.launch_messages import Found, LaunchRef
from domain.launchpad.payments import paid
from domain.launchpad.promo import PAID_LEAST, memo, price
from domain.shared.errors import Rejected
from domain.shared.money import format_amount

if TYPE_CHECKING:
    from domain.launchpad.launching import LaunchPolicy
    from gateways.protocols import SolanaNodes
    from storage.launchpad.launches import LaunchStore

SOL_DECIMALS = 9


class PromoActivities:
    def __init__(self, nodes: SolanaNodes, store: LaunchStore, policy: LaunchPolicy) -> None:
        self.nodes = nodes
        self.store = store
        self.policy = policy

    @activity.defn
    async def find_payment(self, command: LaunchRef) -> Found:
        """Find the payment among what is final: the creator's wallet paid exactly the price, and for this account.

        Effect: payer and amount on the promotion, so that it is activated or owed back: one transaction.
        Again:  sets the same values.
        """
        async with beating():
            return await self._find(command)

    async def _find(self, command: LaunchRef) -> Found:
        launch = await self.store.launch(command.launch_id)
        request = launch.request
        if request.promo_tier_lamports is None or request.promo_payment_signature is None:
            return Found(done=True, detail="none was paid for")
        seen = await self.nodes.transaction(request.promo_payment_signature, commitment="finalized", agreed=True)
        if seen is None:
            return Found(done=False, detail=f"{request.promo_payment_signature} is not final")
        brought = paid(seen, launch.creator_wallet, self.policy.platform, memo(launch.account_id))
        if brought >= PAID_LEAST:
            await self.store.pay(launch.id, launch.creator_wallet, brought)
        wanted = price(
            request.promo_tier_lamports, listing=request.listing, listing_lamports=self.policy.listing_lamports
        )
        if brought != wanted:
            detail = (
                f"{launch.creator_wallet} paid {_sol(brought)} SOL to {self.policy.platform} with the memo "
                f"{memo(launch.account_id)}, not {_sol(wanted)}"
            )
            raise Rejected("payment_not_found", detail)
        return Found(done=True, detail=f"{_sol(brought)} SOL from {launch.creator_wallet}")

    @activity.defn
    async def owe_payment(self, command: LaunchRef) -> None:
        """Write down that the payment is owed back; one that was only named is free again.

        Effect: the promotion's status, audit entry, event: one transaction.
        Again:  what is owed already stays so.
        """
        await self.store.give_back(command.launch_id)


def _sol(lamports: int) -> str:
    return format_amount(lamports, SOL_DECIMALS)
