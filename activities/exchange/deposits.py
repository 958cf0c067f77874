"""Deposits: who is due, what the chain says now, and the credit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from temporalio import activity

from activities.beating import beating, leave_if_stopping
from domain.exchange import deposits as rules
from domain.exchange.messages import (
    ChainWatched,
    CreditDeposit,
    DepositChecked,
    DepositCredited,
    DepositNews,
    DepositRef,
    DepositVerdict,
    VerifiedDeposit,
    WatchChain,
)

if TYPE_CHECKING:
    from gateways.protocols import EvmChain
    from storage.exchange.deposits import DepositFacts, DepositStore, DueDeposit

TURN_S = 300
SIGNAL_AGAIN_S = 5
SIGNALS_AT_ONCE = 50

Signal = Callable[[str, str, DepositNews], Awaitable[bool]]
"""(workflow id, signal name, argument) → False when no such process runs."""
Redispatch = Callable[[list[str]], Awaitable[None]]


class DepositActivities:
    """The head watcher and the two steps of the `Deposit` workflow."""

    def __init__(self, chain: EvmChain, store: DepositStore, signal: Signal, redispatch: Redispatch) -> None:
        self.chain = chain
        self.store = store
        self.signal = signal
        self.redispatch = redispatch

    @activity.defn
    async def watch_heads(self, command: WatchChain) -> ChainWatched:
        """At every new head, wake the deposits whose block is reached: no workflow polls.

        Effect: signals to `Deposit` workflows; `signalled_at` on their rows.
        Again:  a signal says "look at your row", so one too many changes nothing; one too few is sent again after 5 s.
        """
        until = time.monotonic() + TURN_S
        heads = 0
        async with beating():
            async for _ in self.chain.wake_ups():
                leave_if_stopping()
                head = await self.chain.head()
                due = await self.store.due(head, SIGNAL_AGAIN_S)
                await self._wake(due, f"block {head.latest.number} reached")
                heads += 1
                if time.monotonic() > until:
                    break
        return ChainWatched(blocks=heads)

    async def _wake(self, due: list[DueDeposit], cause: str) -> None:
        gate = asyncio.Semaphore(SIGNALS_AT_ONCE)

        async def wake(deposit: DueDeposit) -> None:
            async with gate:
                if (
                    not await self.signal(deposit.workflow_id, "news", DepositNews(cause=cause))
                    and deposit.operation_id
                ):
                    await self.redispatch([deposit.operation_id])

        await asyncio.gather(*(wake(deposit) for deposit in due))

    @activity.defn
    async def verify_deposit(self, command: DepositRef) -> DepositChecked:
        """Ask the row and the chain what is true now: the log is read again by the hash of its block.

        Effect: none; reads only.
        Again:  reads are repeatable.
        """
        deposit, dust = await self.store.facts(command.deposit_id)
        if deposit.status in ("credited", "ignored"):
            return DepositChecked(verdict=DepositVerdict(deposit.status), summary=f"{deposit.status} before")
        head = await self.chain.head()
        if deposit.status == "orphaned":
            final = deposit.closed or head.finalized >= deposit.block_number
            verdict = DepositVerdict.FINAL_ORPHAN if final else DepositVerdict.ORPHANED
            return DepositChecked(verdict=verdict, finalized=head.finalized, summary="orphaned by a reorganisation")
        if not rules.is_due(deposit.block_number, deposit.required_confirmations, deposit.required_tag, head):
            done = rules.confirmations(head.latest.number, deposit.block_number)
            return DepositChecked(
                verdict=DepositVerdict.WAITING, summary=f"{done} of {deposit.required_confirmations} confirmations"
            )
        found = await asyncio.gather(*(self._still_there(d) for d in [deposit, *dust]))
        verified = tuple(v for v in found if v is not None)
        if not any(v.deposit_id == deposit.id for v in verified):
            return DepositChecked(
                verdict=DepositVerdict.WAITING, summary="not in its block any more: the scanner decides"
            )
        return DepositChecked(verdict=DepositVerdict.CONFIRMED, verified=verified, finalized=head.finalized)

    async def _still_there(self, deposit: DepositFacts) -> VerifiedDeposit | None:
        log = await self.chain.transfer_in_block(deposit.block_hash, deposit.tx_hash, deposit.log_ordinal)
        seen = (deposit.token, deposit.to_address, deposit.amount)
        if log is None or (log.token, log.to_address, log.amount) != seen:
            return None
        return VerifiedDeposit(deposit_id=deposit.id, block_hash=deposit.block_hash)

    @activity.defn
    async def credit_deposit(self, command: CreditDeposit) -> DepositCredited:
        """Credit the account, once per deposit, or close an orphan for good.

        Effect: ledger transfer, deposit status, operation, event: one transaction.
        Again:  the transfer's key is the deposit's identity and the row's status is checked under lock.
        """
        if command.final_orphan:
            return await self.store.close_orphan(command.deposit_id, command.finalized)
        return await self.store.credit(
            command.deposit_id, tuple((v.deposit_id, v.block_hash) for v in command.verified)
        )
