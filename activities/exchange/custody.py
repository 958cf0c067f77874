"""Custody upkeep: sweeps, overdue deposits, wallet levels, transactions that a deep reorganisation dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from domain.exchange.custody import Levels, Wallets
from domain.exchange.fees import FeePolicy, first_price, gas_with_margin
from domain.exchange.messages import FinishSweep, Purpose, SweepPlanned, SweepRef, UpkeepDone, WatchChain
from domain.exchange.tokens import encode_transfer
from domain.shared.money import format_amount, format_usdc

if TYPE_CHECKING:
    from gateways.evm.protocols import EvmChain
    from storage.exchange.custody import CustodyStore, SweepFacts
    from storage.exchange.overdue import OverdueDeposits
    from storage.exchange.transactions import TransactionStore
    from storage.jobs import JobStore


class CustodyActivities:
    """What keeps the wallets in order."""

    def __init__(
        self,
        chain: EvmChain,
        store: CustodyStore,
        transactions: TransactionStore,
        overdue: OverdueDeposits,
        jobs: JobStore,
        fees: FeePolicy,
        *,
        token: str,
        wallets: Wallets,
        levels: Levels,
    ) -> None:
        self.chain = chain
        self.store = store
        self.transactions = transactions
        self.overdue = overdue
        self.jobs = jobs
        self.fees = fees
        self.token = token
        self.wallets = wallets
        self.levels = levels

    @activity.defn
    async def plan_sweep(self, command: SweepRef) -> SweepPlanned:
        """How much gas the address needs before it can pay its sweep.

        Effect: the top-up's amount on the sweep's row, fixed once it is signed.
        Again:  computes and stores the same; a signed top-up keeps its amount.
        """
        sweep = await self.store.sweep(command.sweep_id)
        if sweep.status != "open":
            return SweepPlanned(skip=True, summary=f"already {sweep.status}")
        if await self.transactions.find(Purpose.SWEEP, sweep.id) is not None:
            return SweepPlanned(summary=f"Sweep of {sweep.address} was signed before: follow it to its proof")
        balance = (await self.chain.token_balances(self.token, [sweep.address], None))[0]
        if balance < sweep.amount_micros:
            why = f"the address holds {format_usdc(balance)} USDC, not {format_usdc(sweep.amount_micros)}"
            await self.store.skip_sweep(sweep.id, why)
            return SweepPlanned(skip=True, summary=why)
        need = await self._gas_need(sweep)
        has = (await self.chain.eth_balances([sweep.address]))[0]
        await self.store.plan_sweep(sweep.id, max(0, need - has))
        return SweepPlanned(
            top_up=need > has, summary=f"Sweep {format_usdc(sweep.amount_micros)} USDC from {sweep.address}"
        )

    async def _gas_need(self, sweep: SweepFacts) -> int:
        data = encode_transfer(self.wallets.hot, sweep.amount_micros)
        gas = gas_with_margin(await self.chain.estimate_gas(sweep.address, self.token, data, 0))
        price = first_price(await self.chain.base_fee(), self.fees)
        # twice today's price: room for replacements
        return 2 * gas * price.max_fee

    @activity.defn
    async def finish_sweep(self, command: FinishSweep) -> None:
        """Book the mined sweep between our own custody accounts.

        Effect: ledger transfer deposits → hot, sweep status: one transaction.
        Again:  the transfer's key is the sweep's id; a closed sweep is left alone.
        """
        await self.store.finish_sweep(command)

    @activity.defn
    async def upkeep(self, command: WatchChain) -> UpkeepDone:
        """Report overdue deposits, open worthwhile sweeps, look at wallet levels, send lost transactions again.

        Effect: sweep rows, alerts opened and closed; stored bytes of what a deep reorganisation dropped go out again.
        Again:  one open sweep per address; alerts are counted; the same bytes are the same transaction.
        """
        overdue = await self.overdue.report()
        sweeps = await self.store.open_sweeps()
        await self._levels()
        lost = await self._send_lost()
        summary = f"{len(sweeps)} sweeps opened, {overdue} deposits overdue, {lost} transactions sent again"
        return UpkeepDone(sweeps=tuple(sweeps), summary=summary)

    async def _levels(self) -> None:
        """An alert closes at the upkeep that sees its level restored, not before and not while withdrawals wait."""
        levels, demand = self.levels, await self.store.demand()
        hot, gas = await self.chain.eth_balances([self.wallets.hot, self.wallets.gas])
        usdc = (await self.chain.token_balances(self.token, [self.wallets.hot], None))[0]
        waits, day = demand.waiting_micros, demand.day_micros
        holds = f"hot wallet holds {format_usdc(usdc)} USDC"
        short = f"{holds}, {format_usdc(waits)} USDC wait to be paid"
        used = f"{format_usdc(day)} of {format_usdc(levels.platform_daily_micros)} USDC of the 24 hours are used"
        checks = [
            ("gas_wallet_low", "hot", hot < levels.hot_wei, f"hot wallet holds {format_amount(hot, 18)} ETH"),
            ("gas_wallet_low", "gas", gas < levels.gas_wei, f"gas wallet holds {format_amount(gas, 18)} ETH"),
            ("hot_wallet_low", "hot", usdc < max(waits, levels.floor_micros), short if waits else holds),
            ("hot_wallet_high", "hot", usdc > levels.ceiling_micros, f"{holds}: move some to cold"),
            ("platform_daily_limit", "", day >= levels.platform_warning_micros, used),
        ]
        for code, subject, bad, detail in checks:
            await self.store.report(code, subject, bad=bad, detail=detail)
        figures = {"hot_wei": str(hot), "gas_wei": str(gas), "hot_usdc_micros": str(usdc)}
        await self.jobs.record_run("wallet_levels", ok=not any(bad for _, _, bad, _ in checks), **figures)

    async def _send_lost(self) -> int:
        head = await self.chain.head()
        lost = 0
        for sent in await self.transactions.unfinalized(self.chain.chain_id, head.finalized):
            receipts = [await self.chain.receipt(a.tx_hash, self.token) for a in sent.attempts]
            if any(receipts) or await self.chain.knows(sent.attempts[0].tx_hash):
                continue
            await self.chain.send_raw(sent.attempts[0].raw)
            await self.jobs.alert("deep_reorg", sent.ref_id, "a settled transaction left the chain; sent again")
            lost += 1
        return lost
