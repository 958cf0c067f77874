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
    from storage.launchpad.transactions import TransactionStore

FORGOTTEN_S = 60
"""A landing this old was final long ago, or a fork dropped it."""
BY = "solana upkeep"


class SolanaUpkeepActivities:
    """`float_lamports`: what the platform's wallet should hold."""

    def __init__(
        self,
        nodes: SolanaNodes,
        store: TransactionStore,
        sender: SolanaSendingActivities,
        jobs: JobStore,
        *,
        platform: str,
        float_lamports: int,
    ) -> None:
        self.nodes = nodes
        self.store = store
        self.sender = sender
        self.jobs = jobs
        self.platform = platform
        self.float_lamports = float_lamports

    @activity.defn
    async def look_after_solana(self) -> LookedAfter:
        """One round: does a node answer, can the wallet pay, is what landed final by now?

        Effect: alerts opened and closed, landings noted as final; bytes that a fork dropped go out again.
        Again:  alerts are counted; the same bytes are the same transaction; what is final stays.
        """
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
        await self.jobs.record_run("solana_wallet", ok=not low, lamports=str(lamports))
        final, gone = await self._settle()
        return LookedAfter(summary=f"{lamports} lamports; {final} landings became final, {gone} left the chain")

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
