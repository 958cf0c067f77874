"""Looking after what nobody waits for: the platform's wallet, the nodes, landings that a fork may have taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.launchpad.sending import SolanaSendingActivities
from domain.launchpad.transactions import LookedAfter, Outcome
from domain.shared.errors import Unavailable

if TYPE_CHECKING:
    from gateways.protocols import SolanaNodes
    from storage.jobs import JobStore
    from storage.launchpad.day_limit import DayLimit
    from storage.launchpad.promo_refunds import PromoRefundStore
    from storage.launchpad.transactions import TransactionStore

FORGOTTEN_S = 60
"""A landing this old was final long ago, or a fork dropped it."""
BY = "solana upkeep"


class SolanaUpkeepActivities:
    """`float_lamports`: what the platform's wallet should hold. `day`: what it may lose in 24 hours."""

    def __init__(
        self,
        nodes: SolanaNodes,
        store: TransactionStore,
        sender: SolanaSendingActivities,
        jobs: JobStore,
        owed: PromoRefundStore,
        day: DayLimit,
        *,
        platform: str,
        float_lamports: int,
    ) -> None:
        self.nodes = nodes
        self.store = store
        self.sender = sender
        self.jobs = jobs
        self.owed = owed
        self.day = day
        self.platform = platform
        self.float_lamports = float_lamports

    @activity.defn
    async def look_after_solana(self) -> LookedAfter:
        """One round: does a node answer, can and may the wallet pay, is what landed final by now, is anything owed?

        Effect: alerts opened and closed, landings noted as final; bytes that a fork dropped go out again; payments
                that are owed back without a process get theirs.
        Again:  alerts are counted; the same bytes are the same transaction; what is final stays; one process each.
        """
        owed = await self.owed.take_up()
        try:
            account = await self.nodes.account(self.platform)
        except Unavailable as away:
            await self.jobs.report("solana_unavailable", "nodes", bad=True, detail=away.detail, by=BY)
            return LookedAfter(summary=f"No node answers: {away.detail}")
        await self.jobs.report("solana_unavailable", "nodes", bad=False, by=BY)
        lamports = account.lamports if account is not None else 0
        low = lamports < self.float_lamports
        detail = f"{self.platform} holds {lamports} lamports, wanted are {self.float_lamports}"
        await self.jobs.report("payer_float_low", self.platform, bad=low, detail=detail, by=BY, critical=True)
        spent = await self._day()
        await self.jobs.record_run("solana_wallet", ok=not low, lamports=str(lamports), day_lamports=str(spent))
        final, gone = await self._settle()
        told = f"{lamports} lamports, {spent} spent in 24 hours; {final} landings became final, {gone} left the chain"
        return LookedAfter(summary=f"{told}; {owed} payments taken up to be paid back")

    async def _day(self) -> int:
        """What the wallet lost in 24 hours; operators hear of it from where launches wait."""
        spent = await self.day.spent()
        detail = f"{spent} of {self.day.most} lamports of 24 hours are spent: launches wait, from the whole on all does"
        await self.jobs.report(
            "solana_day_limit", self.platform, bad=self.day.used_up(spent), detail=detail, by=BY, critical=True
        )
        return spent

    async def _settle(self) -> tuple[int, int]:
        final = gone = 0
        for planned in await self.store.unfinalized(FORGOTTEN_S):
            landing = await self.sender.look_again(planned)
            if landing is None:
                continue
            await self.store.record(landing)
            if landing.outcome is Outcome.LANDED:
                final += 1
                continue
            gone += 1
            detail = f"{landing.signature} was counted as landed and left the chain: {landing.outcome}"
            await self.jobs.alert("transaction_not_landing", planned.plan.key, detail, critical=True)
        return final, gone
