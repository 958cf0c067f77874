"""Withdrawals of LP principal, and claims of LP fees: every step is one transaction on the books."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from domain.exchange.liquidity_messages import (
    CancelLpWithdrawal,
    FeeClaimRef,
    FeeClaimState,
    LpWithdrawalRef,
    LpWithdrawalState,
)

if TYPE_CHECKING:
    from storage.exchange.fee_claims import ClaimStore
    from storage.exchange.liquidity import LpStore


class LiquidityActivities:
    def __init__(self, store: LpStore, claims: ClaimStore) -> None:
        self.store = store
        self.claims = claims

    @activity.defn
    async def check_lp_withdrawal(self, command: LpWithdrawalRef) -> LpWithdrawalState:
        """Check vesting under lock, pay the instant part, queue the rest; or refuse.

        Effect: transfer, burnt shares, payout row, status, events: one transaction.
        Again:  a request that was decided answers its status; a part's key is request and number.
        """
        return await self.store.check(command.withdrawal_id, command.at)

    @activity.defn
    async def pay_lp_queue(self, command: LpWithdrawalRef) -> LpWithdrawalState:
        """Pay the pool's queue in order, as far as time and headroom allow.

        Effect: transfers, burnt shares, payout rows, statuses, events: one transaction.
        Again:  what was paid has left the queue and fills the window; a part's key is request and number.
        """
        return await self.store.pay_queue(command.withdrawal_id, command.at)

    @activity.defn
    async def cancel_lp_withdrawal(self, command: CancelLpWithdrawal) -> LpWithdrawalState:
        """Give up what is not paid yet.

        Effect: status, audit entry, event: one transaction.
        Again:  a cancelled request answers cancelled.
        """
        return await self.store.cancel(command.withdrawal_id, command.principal)

    @activity.defn
    async def pay_lp_fees(self, command: FeeClaimRef) -> FeeClaimState:
        """Pay everything the provider's shares have earned and not been paid.

        Effect: transfer, position, status, event: one transaction.
        Again:  a decided claim answers its status; the transfer's key is the claim's id.
        """
        return await self.claims.pay(command.claim_id)
