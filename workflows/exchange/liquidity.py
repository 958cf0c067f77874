"""Liquidity providers: taking principal out, and claiming fees."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from activities.exchange.liquidity import LiquidityActivities
from domain.exchange.liquidity import ENDED
from domain.exchange.liquidity_messages import (
    CancelLpWithdrawal,
    FeeClaimRef,
    FeeClaimState,
    LpNews,
    LpWithdrawalEnded,
    LpWithdrawalRef,
    LpWithdrawalState,
)
from domain.exchange.messages import Decision, Message
from domain.shared.processes import Start
from workflows import policies
from workflows.failures import STEP_FAILED, code_of, failure_of
from workflows.parking import Parking


@workflow.defn(name="LpWithdrawal")
class LpWithdrawalWorkflow(Parking):
    """Principal goes back to its provider: the instant part at once, the rest in parts from the pool's queue.

    Waits for: its place in the queue (signal of whoever was before it, and a look once a day); its due time; headroom
               of the pool; `retry` when something is Broken.
    Ends when: paid, cancelled (what is not paid yet), or refused.
    Undo:      nothing: what was paid stays paid.
    """

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__()
        self.start = start
        self.state = LpWithdrawalState(status="requested")
        self.news_came = False

    @workflow.run
    async def run(self, start: Start) -> LpWithdrawalEnded:
        return await self.to_the_end(self._withdraw, start.operation_id)

    async def _withdraw(self) -> LpWithdrawalEnded:
        await self._step(LiquidityActivities.check_lp_withdrawal, self._now(), "Check vesting, pay the instant part")
        while self.state.status == "queued":
            await self._until_its_turn()
            if self.state.status == "queued":
                await self._step(LiquidityActivities.pay_lp_queue, self._now(), "Pay the queue as far as it goes")
            if workflow.info().is_continue_as_new_suggested():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(self.start)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return LpWithdrawalEnded(status=self.state.status, code=self.state.code)

    async def _until_its_turn(self) -> None:
        left = (self.state.look_at or workflow.now()) - workflow.now()
        if left > timedelta(0):
            with contextlib.suppress(asyncio.TimeoutError):
                await workflow.wait_condition(self._has_news, timeout=left, timeout_summary="Headroom, or the due time")
        self.news_came = self.poked = False

    def _has_news(self) -> bool:
        return self.news_came or self.poked or self.state.status != "queued"

    def _now(self) -> LpWithdrawalRef:
        return LpWithdrawalRef(withdrawal_id=self.start.subject_id, at=workflow.now())

    async def _step(self, step: Any, command: Message, summary: str) -> LpWithdrawalState:
        found: LpWithdrawalState = await workflow.execute_local_activity_method(
            step, command, summary=summary, **policies.LOCAL
        )
        if self.state.status not in ENDED:  # a cancellation may have been faster
            self.state = found
        workflow.set_current_details(self.state.summary)
        await self._tell_others(found.wake)
        return found

    async def _tell_others(self, others: tuple[str, ...]) -> None:
        """Their rows are already right; who misses the signal looks once a day."""
        handles = [workflow.get_external_workflow_handle(name) for name in others]
        signals = (handle.signal("news", LpNews(cause="the queue moved")) for handle in handles)
        await asyncio.gather(*signals, return_exceptions=True)

    @workflow.signal(description="The queue moved: look at the row again.")
    def news(self, news: LpNews) -> None:
        self.news_came = True

    @workflow.update(description="Give up what is not paid yet.")
    async def cancel(self, decision: Decision) -> LpWithdrawalState:
        command = CancelLpWithdrawal(withdrawal_id=self.start.subject_id, principal=decision.principal)
        try:
            return await self._step(LiquidityActivities.cancel_lp_withdrawal, command, "Give up the rest")
        except STEP_FAILED as error:
            raise ApplicationError(str(failure_of(error)), type=code_of(error), non_retryable=True) from error


@workflow.defn(name="LpFeeClaim")
class LpFeeClaimWorkflow(Parking):
    """Everything a provider's shares have earned is paid at once; fees are never vested.

    Waits for: `retry` when something is Broken.
    Ends when: paid, or refused because nothing is owed.
    Undo:      nothing: one transaction.
    """

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__()
        self.start = start

    @workflow.run
    async def run(self, start: Start) -> FeeClaimState:
        return await self.to_the_end(self._claim, start.operation_id)

    async def _claim(self) -> FeeClaimState:
        done: FeeClaimState = await workflow.execute_local_activity_method(
            LiquidityActivities.pay_lp_fees,
            FeeClaimRef(claim_id=self.start.subject_id),
            summary="Pay what is owed",
            **policies.LOCAL,
        )
        workflow.set_current_details(done.summary)
        return done
