"""USDC to a user's own address: hold, decide, sign, send, settle on proof."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities.exchange.withdrawals import WithdrawalActivities
from domain.exchange.messages import (
    Cancellation,
    DecideWithdrawal,
    Decision,
    FundsChecked,
    HoldPlaced,
    Message,
    Purpose,
    RefuseWithdrawal,
    SettleWithdrawal,
    SignTransaction,
    TransactionSigned,
    TransactionWatched,
    WaitReason,
    WithdrawalRef,
    WithdrawalState,
)
from domain.exchange.withdrawals import ENDED
from domain.shared.processes import Start
from workflows import policies
from workflows.exchange.sending import send_until_proved, sign
from workflows.failures import code_of
from workflows.parking import Parking

UNDER_WAY: Final = ("signed", "broadcast", "confirming")


@workflow.defn(name="Withdrawal")
class WithdrawalWorkflow(Parking):
    """Money leaves only once, and the hold is given back only when nothing signed can still land.

    Waits for: approval from the review threshold on; the address's cool-down; gas and USDC in the hot wallet; the
               kill switch; confirmations; an operator's `retry` when something is Broken.
    Ends when: settled, rejected, cancelled (before signing) or failed.
    Undo:      before signing the hold is voided in the same transaction as the status; after it only the chain decides.
    """

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__()
        self.ref = WithdrawalRef(withdrawal_id=start.subject_id)
        self.status = "requested"
        self.failure_code: str | None = None

    @workflow.run
    async def run(self, start: Start) -> WithdrawalState:
        return await self.to_the_end(self._withdraw, start.operation_id)

    async def _withdraw(self) -> WithdrawalState:
        held = await self._place_hold()
        await workflow.wait_condition(lambda: self.status != "pending_approval")
        if self.status == "approved" and held.usable_in_s:
            await self._cool_down(held.usable_in_s)
        signed = await self._sign_when_funded(held)
        if signed is not None:
            self._show("signed", f"On its way: {held.summary}")
            await self._settle(await send_until_proved(self._request(), signed))
        await workflow.wait_condition(workflow.all_handlers_finished)
        return WithdrawalState(status=self.status, failure_code=self.failure_code)

    async def _place_hold(self) -> HoldPlaced:
        held: HoldPlaced = await workflow.execute_local_activity_method(
            WithdrawalActivities.place_hold, self.ref, summary="Check limits, set the money aside", **policies.LOCAL
        )
        self.failure_code = held.code
        self._show(held.status, f"{held.status}: {held.summary}")
        return held

    async def _settle(self, proof: TransactionWatched) -> None:
        command = SettleWithdrawal(withdrawal_id=self.ref.withdrawal_id, **proof.model_dump(exclude={"gas_cost_wei"}))
        state = await workflow.execute_local_activity_method(
            WithdrawalActivities.settle_withdrawal, command, summary="Book what was proved", **policies.LOCAL
        )
        self._ended(state)

    def _ended(self, state: WithdrawalState) -> None:
        self.failure_code = state.failure_code
        self._show(state.status, f"Ended {state.status}" + (f" ({state.failure_code})" if state.failure_code else ""))

    def _show(self, status: str, details: str) -> None:
        self.status = status
        workflow.set_current_details(details)

    async def _note(self, reason: str, detail: str) -> None:
        note = WaitReason(withdrawal_id=self.ref.withdrawal_id, reason=reason, detail=detail)
        await workflow.execute_local_activity_method(
            WithdrawalActivities.note_wait, note, summary=f"Note why it waits: {reason}", **policies.LOCAL
        )

    async def _wait(self, until: Callable[[], bool], longest: timedelta, summary: str) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await workflow.wait_condition(until, timeout=longest, timeout_summary=summary)

    async def _cool_down(self, seconds: int) -> None:
        await self._note("address_cooling_down", "a new address waits before its first use")
        await self._wait(self._has_ended, timedelta(seconds=seconds), "New address cools down")

    def _has_ended(self) -> bool:
        return self.status in ENDED

    async def _sign_when_funded(self, held: HoldPlaced) -> TransactionSigned | None:
        """Sign as soon as gas, USDC and the kill switch allow it; None when it ended before."""
        if self.status in UNDER_WAY:
            return await sign(self._request())
        waiting = ""
        while not self._has_ended():
            funds = await self._check_funds()
            if funds.refused_code is not None:
                refusal = RefuseWithdrawal(
                    withdrawal_id=self.ref.withdrawal_id, code=funds.refused_code, detail=funds.detail
                )
                await self._change(WithdrawalActivities.refuse_withdrawal, refusal)
                return None
            reason, detail = funds.reason, funds.detail
            if funds.ready:
                signed = await sign(self._request())
                if signed.refused is None:
                    return signed
                if signed.refused in ENDED:
                    self._show(signed.refused, held.summary)
                    return None
                reason, detail = signed.refused, "the signer refuses for now"
            if reason != waiting:
                await self._note(reason, detail)
                self._show(self.status, f"Waits ({reason}): {held.summary}")
                waiting = reason
            longest = timedelta(seconds=funds.look_again_s)
            await self._wait(lambda: self._has_ended() or self.poked, longest, f"Look again: {reason}")
            self.poked = False
        return None

    async def _check_funds(self) -> FundsChecked:
        return await workflow.execute_activity_method(
            WithdrawalActivities.check_funds, self.ref, summary="Gas, USDC, the token's word", **policies.EFFECT
        )

    def _request(self) -> SignTransaction:
        return SignTransaction(purpose=Purpose.WITHDRAWAL, ref_id=self.ref.withdrawal_id)

    @workflow.update(description="Approve or reject; by another operator than the requester.")
    async def decide(self, decision: Decision) -> WithdrawalState:
        command = DecideWithdrawal(withdrawal_id=self.ref.withdrawal_id, decision=decision)
        return await self._change(WithdrawalActivities.decide_withdrawal, command)

    @workflow.update(description="Give the money back, unless it is signed.")
    async def cancel(self, decision: Decision) -> WithdrawalState:
        command = Cancellation(withdrawal_id=self.ref.withdrawal_id, principal=decision.principal)
        return await self._change(WithdrawalActivities.cancel_withdrawal, command)

    async def _change(self, step: Any, command: Message) -> WithdrawalState:
        """Run one status change; what the books refuse becomes the update's failure, with its code."""
        try:
            state: WithdrawalState = await workflow.execute_local_activity_method(
                step, command, summary="Change the status under lock", **policies.LOCAL
            )
        except ActivityError as error:
            raise ApplicationError(str(error.cause), type=code_of(error), non_retryable=True) from error
        self._ended(state) if state.status in ENDED else self._show(state.status, state.status)
        return state
