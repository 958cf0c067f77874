"""One on-chain transfer, from sight to credit."""

from __future__ import annotations

import asyncio

from temporalio import workflow

from activities.exchange.deposits import DepositActivities
from domain.exchange.messages import (
    CreditDeposit,
    DepositChecked,
    DepositCredited,
    DepositNews,
    DepositRef,
    DepositVerdict,
)
from domain.shared.processes import Start
from workflows import policies
from workflows.parking import Parking


@workflow.defn(name="Deposit")
class DepositWorkflow(Parking):
    """Waits until the chain is sure, checks once more, credits once; or learns that the head watcher has credited.

    Waits for: the head watcher's signal that the block is deep enough for the amount's tier; for dust, more on the
               same address; for an orphan, its return or its block's finality; `retry` when something is Broken.
    Ends when: credited, or orphaned with its block finalized away (a return starts the next generation).
    Undo:      nothing: a credit is never taken back by a process (runbooks/deep_reorg.md).
    """

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__()
        self._news = False

    @workflow.run
    async def run(self, start: Start) -> DepositCredited:
        return await self.to_the_end(lambda: self._follow(start), start.operation_id)

    async def _follow(self, start: Start) -> DepositCredited:
        deposit = DepositRef(deposit_id=start.subject_id)
        workflow.set_current_details("Waits for its block to be deep enough")
        while True:
            await workflow.wait_condition(lambda: self._news or self.resumed)
            self._news = self.resumed = False
            checked = await self._verify(deposit)
            workflow.set_current_details(checked.summary)
            if checked.verdict in (DepositVerdict.CREDITED, DepositVerdict.IGNORED):
                return DepositCredited(verdict=checked.verdict, summary=checked.summary)
            if checked.verdict in (DepositVerdict.CONFIRMED, DepositVerdict.FINAL_ORPHAN):
                credited = await self._credit(deposit, checked)
                workflow.set_current_details(credited.summary)
                if credited.verdict is not DepositVerdict.WAITING:
                    await self._tell_others(credited)
                    return credited
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(start)

    @workflow.signal(description="Something about this deposit changed or became due: look at the row again.")
    def news(self, news: DepositNews) -> None:
        self._news = True

    async def _verify(self, deposit: DepositRef) -> DepositChecked:
        return await workflow.execute_local_activity_method(
            DepositActivities.verify_deposit, deposit, summary="Read the log again by block hash", **policies.LOCAL
        )

    async def _credit(self, deposit: DepositRef, checked: DepositChecked) -> DepositCredited:
        command = CreditDeposit(
            deposit_id=deposit.deposit_id,
            verified=checked.verified,
            final_orphan=checked.verdict is DepositVerdict.FINAL_ORPHAN,
            finalized=checked.finalized,
        )
        return await workflow.execute_local_activity_method(
            DepositActivities.credit_deposit, command, summary="Credit in one transaction", **policies.LOCAL
        )

    async def _tell_others(self, credited: DepositCredited) -> None:
        """Dust credited along ends its own processes; the head watcher tells them again where a signal is lost."""
        handles = [workflow.get_external_workflow_handle(name) for name in credited.workflow_ids]
        signals = (handle.signal("news", DepositNews(cause="credited with another deposit")) for handle in handles)
        await asyncio.gather(*signals, return_exceptions=True)
