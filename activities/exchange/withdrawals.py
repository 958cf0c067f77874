"""Withdrawals: the books' side. Signing is in signing.py (another process), the chain's side in sending.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from domain.exchange.messages import (
    Cancellation,
    DecideWithdrawal,
    FundsChecked,
    HoldPlaced,
    RefuseWithdrawal,
    SettleWithdrawal,
    WaitReason,
    WithdrawalRef,
    WithdrawalState,
)
from domain.shared.money import format_amount, format_usdc

if TYPE_CHECKING:
    from gateways.evm.protocols import EvmChain
    from storage.exchange.custody import CustodyStore
    from storage.exchange.withdrawals import WithdrawalStore


class WithdrawalActivities:
    """Each method is one transaction, or reads before one."""

    def __init__(
        self,
        chain: EvmChain,
        store: WithdrawalStore,
        custody: CustodyStore,
        *,
        token: str,
        hot_wallet: str,
        gas_floor_wei: int,
        look_again_s: int,
    ) -> None:
        self.chain = chain
        self.store = store
        self.custody = custody
        self.token = token
        self.hot_wallet = hot_wallet
        self.gas_floor_wei = gas_floor_wei
        self.look_again_s = look_again_s

    @activity.defn
    async def place_hold(self, command: WithdrawalRef) -> HoldPlaced:
        """Check limits and balance under lock and set the money aside, or reject.

        Effect: pending transfer available → held, status, address book: one transaction.
        Again:  the hold's key is the withdrawal's id; the status decides.
        """
        return await self.store.place_hold(command.withdrawal_id)

    @activity.defn
    async def decide_withdrawal(self, command: DecideWithdrawal) -> WithdrawalState:
        """Record another operator's verdict.

        Effect: status, audit entry, on rejection the void of the hold: one transaction.
        Again:  the same verdict on the same status answers what stands.
        """
        return await self.store.decide(command.withdrawal_id, command.decision)

    @activity.defn
    async def cancel_withdrawal(self, command: Cancellation) -> WithdrawalState:
        """Give the hold back unless it is signed.

        Effect: status, void of the hold, audit entry: one transaction.
        Again:  a cancelled withdrawal answers cancelled.
        """
        return await self.store.cancel(command.withdrawal_id, command.principal)

    @activity.defn
    async def check_funds(self, command: WithdrawalRef) -> FundsChecked:
        """Could it be signed now? Gas, USDC in the hot wallet, the token's own word. Opens sweeps when USDC is short.

        Effect: rows of sweeps to make (the dispatcher starts them).
        Again:  an address has one open sweep at a time, and sweeps under way are counted.
        """
        found = await self._funds(command)
        return found.model_copy(update={"look_again_s": self.look_again_s})

    async def _funds(self, command: WithdrawalRef) -> FundsChecked:
        withdrawal = await self.store.facts(command.withdrawal_id)
        gas = (await self.chain.eth_balances([self.hot_wallet]))[0]
        if gas < self.gas_floor_wei:
            detail = f"hot wallet holds {format_amount(gas, 18)} ETH"
            return FundsChecked(ready=False, reason="gas_wallet_low", detail=detail)
        balance = (await self.chain.token_balances(self.token, [self.hot_wallet], None))[0]
        missing = withdrawal.amount_micros - balance
        if missing > 0:
            sweeps = await self.custody.open_sweeps(needed=missing)
            detail = f"hot wallet holds {format_usdc(balance)} USDC"
            return FundsChecked(ready=False, reason="hot_wallet_low", detail=detail, sweeps=tuple(sweeps))
        refusal = await self.chain.simulate_transfer(
            self.token, self.hot_wallet, withdrawal.to_address, withdrawal.amount_micros
        )
        if refusal is not None:
            return FundsChecked(ready=False, refused_code="token_refused", detail=refusal)
        return FundsChecked(ready=True)

    @activity.defn
    async def note_wait(self, command: WaitReason) -> None:
        """Show why it waits, and call an operator when a wallet is short.

        Effect: reason on the row, step, alert: one transaction.
        Again:  sets the same values; an open alert is counted, not doubled.
        """
        await self.store.wait_reason(command.withdrawal_id, command.reason, command.detail)

    @activity.defn
    async def refuse_withdrawal(self, command: RefuseWithdrawal) -> WithdrawalState:
        """End a withdrawal the token refuses; nothing was signed, the hold goes back.

        Effect: status and void of the hold: one transaction.
        Again:  an ended withdrawal answers its status.
        """
        return await self.store.refuse(command.withdrawal_id, command.code, command.detail)

    @activity.defn
    async def settle_withdrawal(self, command: SettleWithdrawal) -> WithdrawalState:
        """Book what the chain proved.

        Effect: post or void of the hold, status, event, alert: one transaction.
        Again:  a hold is resolved once (unique index); an ended withdrawal answers its status.
        """
        return await self.store.settle(command)
