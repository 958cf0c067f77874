"""The proof of solvency: what lies in custody on the chain against what the books owe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from domain.exchange.custody import Solvency, Wallets
from domain.exchange.messages import CheckResult, WatchChain
from domain.shared.money import format_usdc

if TYPE_CHECKING:
    from gateways.evm.protocols import EvmChain
    from storage.exchange.solvency import Claims, SolvencyStore
    from storage.jobs import JobStore


class SolvencyActivities:
    """Computes the proof, for the schedule and for `/api/system/invariants`."""

    def __init__(self, chain: EvmChain, store: SolvencyStore, jobs: JobStore, *, token: str, wallets: Wallets) -> None:
        self.chain = chain
        self.store = store
        self.jobs = jobs
        self.token = token
        self.wallets = wallets

    async def solvency(self) -> Solvency:
        """Custody against liabilities at one block B (exchange.md 8). B is chosen first: credits need deeper blocks.

        Custody is the deposit addresses, the hot and the cold wallet.
        Raises: Unavailable when the node is away: the answer is then unknown, not false.
        """
        head = await self.chain.head()
        block = head.latest.number
        claims = await self.store.claims()
        addresses = sorted(self.wallets.holding.union(claims.addresses))
        balances = await self.chain.token_balances(self.token, addresses, block)
        return Solvency(
            block_number=block,
            custody=sum(balances),
            in_flight=await self._mined_unsettled(claims, block),
            liabilities=claims.liabilities,
        )

    async def _mined_unsettled(self, claims: Claims, block: int) -> int:
        total = 0
        for tx_hash, micros in claims.unsettled:
            receipt = await self.chain.receipt(tx_hash, self.token)
            if receipt is not None and receipt.status == 1 and receipt.transfers and receipt.block_number <= block:
                total += micros
        return total

    @activity.defn
    async def check_solvency(self, command: WatchChain) -> CheckResult:
        """Prove that custody covers what is owed; on a breach stop withdrawals and call an operator.

        Effect: a job row; on a breach the kill switch and an alert, in one transaction.
        Again:  reads again; a tripped switch stays tripped, an open alert is counted.
        """
        found = await self.solvency()
        detail = (
            f"custody {format_usdc(found.custody)} + in flight {format_usdc(found.in_flight)}"
            f" against {format_usdc(found.liabilities)} USDC owed at block {found.block_number}"
        )
        figures = {k: str(v) for k, v in found.model_dump().items()}
        await self.jobs.record_run("solvency", ok=found.ok, **figures)
        if not found.ok:
            await self.store.stop_withdrawals("insolvent", detail)
        return CheckResult(ok=found.ok, summary=detail)
