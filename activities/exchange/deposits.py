"""Deposits: who is due, what the chain says now, and the credit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from temporalio import activity

from activities.beating import beating, ended, leave_if_stopping
from activities.exchange.crediting import AT_ONCE, credit_plain, still_there
from domain.exchange import deposits as rules
from domain.exchange.messages import (
    ChainWatched,
    CreditDeposit,
    DepositChecked,
    DepositCredited,
    DepositNews,
    DepositRef,
    DepositVerdict,
    WatchChain,
)
from domain.shared.money import format_usdc

if TYPE_CHECKING:
    from gateways.evm.protocols import EvmChain
    from storage.exchange.deposits import DepositStore, DueDeposit

TURN_S = 300
SIGNAL_AGAIN_S = 5
SIGNALS_AT_ONCE = 50
TELL_AGAIN_S = 60
TELL_LOOK_S = 1
"""Without news from this process: what another one credited and did not tell waits no longer."""
TELLS_AT_ONCE = 20
"""Few: the money is on the books, and the processes that end now must not delay the next credit."""

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
        """At every new head, credit the plain deposits whose block is reached, and wake the processes of all others.

        Effect: per batch of plain deposits one transaction, as `credit_deposit` makes it; signals to `Deposit`
                workflows; `signalled_at` and `told_at` on their rows.
        Again:  a credit happens once, by the transfer's key and the row's status under lock. A signal says "look at
                your row", so one too many changes nothing; one too few is sent again, after 5 s to a deposit that
                waits, at once to one that is credited and was never told.
        """
        until = time.monotonic() + TURN_S
        heads = 0
        async with beating(), self._telling() as news:
            async for _ in self.chain.wake_ups():
                leave_if_stopping()
                head = await self.chain.head()
                due = await self.store.due(head, SIGNAL_AGAIN_S)
                undecided = await self._credit(due, news)
                await self._wake(undecided, f"block {head.latest.number} reached")
                heads += 1
                if time.monotonic() > until:
                    break
        return ChainWatched(blocks=heads)

    async def _credit(self, due: list[DueDeposit], news: asyncio.Event) -> list[DueDeposit]:
        """Credit what is plain, in batches; returns the others, whose processes must decide."""
        plain = [deposit for deposit in due if deposit.plain]
        credited: set[str] = set()
        for start in range(0, len(plain), AT_ONCE):
            credited |= await credit_plain(self.chain, self.store, plain[start : start + AT_ONCE])
            news.set()
        return [deposit for deposit in due if deposit.id not in credited]

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

    @asynccontextmanager
    async def _telling(self) -> AsyncIterator[asyncio.Event]:
        """In the background, tell the processes of credited deposits, so that no credit waits for that.

        Who is to be told stands in the rows: after a crash the next turn goes on.
        """
        news = asyncio.Event()

        async def tell() -> None:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(TELL_LOOK_S):
                        await news.wait()
                news.clear()
                try:
                    while await self.tell_credited():
                        pass
                except Exception as failure:  # noqa: BLE001 - it must not stop the credits and is tried again
                    activity.logger.warning("credited deposits are told later: %r", failure)

        task = asyncio.create_task(tell())
        try:
            yield news
        finally:
            await ended(task)

    async def tell_credited(self) -> int:
        """Signal some processes whose deposits were credited for them; returns how many.

        One that is gone needs nothing; one that runs notes by itself that it knows (`verify_deposit`).
        Raises: Unavailable, when not all could be told.
        """
        waiting = await self.store.untold(TELL_AGAIN_S, TELLS_AT_ONCE)
        news = DepositNews(cause="credited")
        found = await asyncio.gather(
            *(self.signal(deposit.workflow_id, "news", news) for deposit in waiting), return_exceptions=True
        )
        await self.store.note_told(
            signalled=[d.id for d, runs in zip(waiting, found, strict=True) if runs is True],
            ended=[d.id for d, runs in zip(waiting, found, strict=True) if runs is False],
        )
        for failure in found:
            if isinstance(failure, BaseException):
                raise failure
        return len(waiting)

    @activity.defn
    async def verify_deposit(self, command: DepositRef) -> DepositChecked:
        """Ask the row and the chain what is true now: the log is read again by the hash of its block.

        Effect: `told_at`, once the process learns here that its deposit is credited; else none.
        Again:  reads are repeatable, and what is noted stays noted.
        """
        deposit, dust = await self.store.facts(command.deposit_id)
        if deposit.status in ("credited", "ignored"):
            if deposit.status == "credited":
                await self.store.note_told(ended=[deposit.id])
            credited = f"Credited {format_usdc(deposit.amount)} USDC from block {deposit.block_number}"
            said = credited if deposit.status == "credited" else "Ignored"
            return DepositChecked(verdict=DepositVerdict(deposit.status), summary=said)
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
        found = await asyncio.gather(*(still_there(self.chain, d) for d in [deposit, *dust]))
        verified = tuple(v for v in found if v is not None)
        if not any(v.deposit_id == deposit.id for v in verified):
            return DepositChecked(
                verdict=DepositVerdict.WAITING, summary="not in its block any more: the scanner decides"
            )
        return DepositChecked(verdict=DepositVerdict.CONFIRMED, verified=verified, finalized=head.finalized)

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
