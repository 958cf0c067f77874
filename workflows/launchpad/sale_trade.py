"""A transaction that a wallet signed: a buy, a sale, a claim or a refund on its way to the chain."""

from __future__ import annotations

from temporalio import workflow

from activities.launchpad.trades import TradeActivities
from domain.launchpad.sale_messages import TradeEnded, TradeKey, TradeLanded, TradeRef
from domain.launchpad.transactions import Landing, Outcome
from domain.shared.processes import Start
from workflows import policies
from workflows.launchpad.landing import land
from workflows.parking import Parking


@workflow.defn(name="SaleTrade")
class SaleTradeWorkflow(Parking):
    """Sends what the wallet signed until the chain has said what became of it; nobody can sign it again.

    Waits for: the transaction to land, and then to be final.
    Ends when: final; refused by the chain; or proven that it can never land.
    Undo:      nothing: the chain has done all of it or nothing.
    """

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__()
        self.ref = TradeRef(transaction_id=start.subject_id)

    @workflow.run
    async def run(self, start: Start) -> TradeEnded:
        return await self.to_the_end(self._trade, start.operation_id)

    async def _trade(self) -> TradeEnded:
        trade: TradeKey = await workflow.execute_local_activity_method(
            TradeActivities.read_trade, self.ref, summary="What was signed", **policies.LOCAL
        )
        workflow.set_current_details(f"On its way: {trade.summary}")
        ended = await self._record(await land(trade.key), final=False)
        if ended.status == "running":
            workflow.set_current_details(f"Landed, not final yet: {trade.summary}")
            ended = await self._record(await land(trade.key, finalized=True), final=True)
        workflow.set_current_details(f"{ended.status}: {trade.summary}" + (f" ({ended.code})" if ended.code else ""))
        return ended

    async def _record(self, landing: Landing, *, final: bool) -> TradeEnded:
        command = TradeLanded(
            transaction_id=self.ref.transaction_id,
            outcome=landing.outcome,
            final=final or landing.finalized or landing.outcome is not Outcome.LANDED,
            code=landing.code,
            signature=landing.signature,
        )
        ended: TradeEnded = await workflow.execute_local_activity_method(
            TradeActivities.record_trade, command, summary="Book what became of it", **policies.LOCAL
        )
        return ended
