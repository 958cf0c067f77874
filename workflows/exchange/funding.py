"""A funding round, from the asset's creation to its activation or to the last refund; and what looks after requests."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

from activities.exchange.funding import FundingActivities
from domain.exchange.liquidity_messages import (
    AdmitContributions,
    BatchRefunded,
    Contribute,
    ContributionState,
    EndRound,
    FinishRound,
    RefundBatch,
    RequestsPushed,
    RoundState,
)
from domain.exchange.messages import Decision
from domain.shared.processes import Start
from workflows import policies
from workflows.failures import STEP_FAILED, code_of, failure_of
from workflows.parking import Parking

UPDATES_A_RUN: Final = 1_000
"""The server takes 2,000 updates in one run."""


@workflow.defn(name="FundingRound")
class FundingRoundWorkflow(Parking):
    """Contributions until the soft cap makes the asset active, or until the deadline; then everything goes back.

    Waits for: contributions and an operator's cancellation (updates); the deadline; `retry` when a refund is stuck.
    Ends when: the asset is active, or it is cancelled and every contribution is refunded.
    Undo:      a cancelled round refunds each accepted contribution once, in batches.
    """

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__()
        self.start = start
        self.round: RoundState | None = None
        self.failed: FailureError | None = None
        self.leaving = False
        self._turn = asyncio.Lock()
        self._asked: set[str] = set()
        self._decided: dict[str, ContributionState] = {}
        self._updates = 0

    @workflow.run
    async def run(self, start: Start) -> RoundState:
        return await self.to_the_end(self._fund, start.operation_id)

    async def _fund(self) -> RoundState:
        found = await self._admit_all()
        while found.status == "funding":
            await self._until_decided_or_due(found)
            found = await self._end(EndRound(asset_id=self.start.subject_id, at=workflow.now()))
            await self._continue_as_new_when_long()
        if found.status == "cancelled":
            await self._refund()
        return await self._finish()

    async def _admit_all(self) -> RoundState:
        async with self._turn:
            while (found := await self._admit(None)).more:
                pass
        return found

    async def _until_decided_or_due(self, found: RoundState) -> None:
        left = found.deadline - workflow.now()
        if left > timedelta(0):
            with contextlib.suppress(asyncio.TimeoutError):
                await workflow.wait_condition(self._is_over_or_long, timeout=left, timeout_summary="Funding deadline")
        if self.failed is not None:
            failed, self.failed = self.failed, None
            raise failed

    def _is_over_or_long(self) -> bool:
        over = self.round is not None and self.round.status != "funding"
        return over or self.failed is not None or self._is_long()

    def _is_long(self) -> bool:
        return self._updates >= UPDATES_A_RUN or workflow.info().is_continue_as_new_suggested()

    async def _continue_as_new_when_long(self) -> None:
        if self._is_long():
            self.leaving = True
            await workflow.wait_condition(workflow.all_handlers_finished)
            workflow.continue_as_new(self.start)

    async def _refund(self) -> None:
        after: str | None = None
        while True:
            command = RefundBatch(asset_id=self.start.subject_id, after=after)
            made: BatchRefunded = await workflow.execute_activity_method(
                FundingActivities.refund_batch, command, summary="Refund some contributions", **policies.EFFECT
            )
            workflow.set_current_details(f"Refunding: {made.summary}")
            if made.last is None:
                return
            after = made.last
            await self._continue_as_new_when_long()

    async def _finish(self) -> RoundState:
        done: RoundState = await workflow.execute_local_activity_method(
            FundingActivities.finish_round,
            FinishRound(asset_id=self.start.subject_id),
            summary="End the operation",
            **policies.LOCAL,
        )
        self._show(done)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return done

    async def _admit(self, wanted: str | None) -> RoundState:
        command = AdmitContributions(asset_id=self.start.subject_id, at=workflow.now(), wanted=wanted)
        found: RoundState = await workflow.execute_local_activity_method(
            FundingActivities.admit_contributions, command, summary="Decide contributions", **policies.LOCAL
        )
        self._decided |= {d.contribution_id: d for d in found.decided if d.contribution_id in self._asked}
        self._show(found)
        return found

    async def _end(self, command: EndRound) -> RoundState:
        found: RoundState = await workflow.execute_local_activity_method(
            FundingActivities.end_round, command, summary="Is it over?", **policies.LOCAL
        )
        self._show(found)
        return found

    def _show(self, found: RoundState) -> None:
        """Answers may come in another order than they were given; a round never goes back to funding."""
        if self.round is None or self.round.status == "funding":
            self.round = found
        workflow.set_current_details(found.summary)

    @workflow.update(description="Decide this requested contribution; the update's id is the contribution's.")
    async def contribute(self, wanted: Contribute) -> ContributionState:
        self._asked.add(wanted.contribution_id)
        self._updates += 1
        try:
            async with self._turn:
                while wanted.contribution_id not in self._decided:
                    await self._admit(wanted.contribution_id)
            return self._decided.pop(wanted.contribution_id)
        except STEP_FAILED as error:
            if code_of(error) != "not_found":
                self.failed = error
            raise ApplicationError(str(failure_of(error)), type=code_of(error), non_retryable=True) from error
        finally:
            self._asked.discard(wanted.contribution_id)

    @contribute.validator
    def _takes_contributions(self, wanted: Contribute) -> None:
        if self.round is not None and self.round.status != "funding":
            raise ApplicationError(self.round.summary, type="funding_closed", non_retryable=True)
        if self.leaving:
            raise ApplicationError("the round continues in a new run: ask again", type="unavailable")

    @workflow.update(description="End the round without activation; every contribution is refunded.")
    async def cancel(self, decision: Decision) -> RoundState:
        command = EndRound(
            asset_id=self.start.subject_id, at=workflow.now(), principal=decision.principal, note=decision.note
        )
        try:
            found = await self._end(command)
        except STEP_FAILED as error:
            raise ApplicationError(str(failure_of(error)), type=code_of(error), non_retryable=True) from error
        if found.status != "cancelled":
            raise ApplicationError(found.summary, type="funding_closed", non_retryable=True)
        return found


@workflow.defn(name="LiquidityUpkeep")
class LiquidityUpkeepWorkflow:
    """One round of looking after requests that were forgotten between an API process and its funding round.

    Waits for: nothing.
    Ends when: done; the schedule starts the next one.
    Undo:      nothing.
    """

    @workflow.run
    async def run(self) -> RequestsPushed:
        done: RequestsPushed = await workflow.execute_activity_method(
            FundingActivities.push_requests, summary="Hand over forgotten requests", **policies.EFFECT
        )
        workflow.set_current_details(f"Requests handed to {done.pushed} rounds, {done.refused} refused as too late")
        return done
