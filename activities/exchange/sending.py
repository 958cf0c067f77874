"""The chain's side of a signed transaction: send the stored bytes, watch every hash, say what was proved."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from temporalio import activity

from activities.beating import beating, leave_if_stopping
from domain.exchange.messages import Head, Mined, Purpose, TransactionRef, TransactionWatched
from domain.exchange.tokens import proves_transfer
from domain.shared.errors import Rejected, Unavailable

if TYPE_CHECKING:
    from domain.exchange.signing import SentTransaction
    from gateways.evm.protocols import EvmChain, Receipt
    from storage.exchange.transactions import TransactionStore

LOOK_EVERY_S = 0.25
LOST_AFTER_S = 3


class SendingActivities:
    """Same bytes on every retry; a verdict only on proof."""

    def __init__(
        self,
        chain: EvmChain,
        store: TransactionStore,
        *,
        token: str,
        confirmations: int,
        replace_after_s: int,
        explorer_url: str = "",
    ) -> None:
        self.chain = chain
        self.store = store
        self.token = token
        self.confirmations = confirmations
        self.replace_after_s = replace_after_s
        self.explorer_url = explorer_url

    @activity.defn
    async def broadcast(self, command: TransactionRef) -> None:
        """Hand the newest stored bytes to the node.

        Effect: a transaction in the node's pool.
        Again:  the same bytes are the same transaction; "already known" is success, and so is "nonce too low": then
                the watcher finds out which of our hashes took the nonce.
        """
        sent = await self.store.get(command.transaction_id)
        try:
            await self.chain.send_raw(sent.attempts[0].raw)
        except Rejected as refusal:
            reason = refusal.data.get("reason")
            if reason in ("nonce_too_low", "underpriced"):
                activity.logger.warning("%s was not taken: %s", sent.attempts[0].tx_hash, reason)
                return
            raise Unavailable("chain_unavailable", f"the node refuses the transaction: {refusal.detail}") from refusal

    @activity.defn
    async def record_broadcast(self, command: TransactionRef) -> None:
        """Note that the node took it.

        Effect: broadcast time; a withdrawal becomes `broadcast`: one transaction.
        Again:  sets the same values.
        """
        sent = await self.store.get(command.transaction_id)
        await self.store.mark_broadcast(sent, self.explorer_url)

    @activity.defn
    async def watch_transaction(self, command: TransactionRef) -> TransactionWatched:
        """Watch all hashes of this nonce until one is mined deep enough, or it is stuck, lost, or taken by a stranger.

        Effect: where it was mined, on its row (to show, and to count what the hot wallet still owes).
        Again:  starts looking from scratch.
        """
        sent = await self.store.get(command.transaction_id)
        seen_in: tuple[str, int] | None = None
        missing_s = 0.0
        waited_s = float(sent.age_s)
        async with beating():
            while True:
                leave_if_stopping()
                head = await self.chain.head()
                receipt = await self._receipt(sent)
                where = (receipt.tx_hash, receipt.block_number) if receipt else None
                if where != seen_in:
                    await self._note(sent, where, seen_in)
                    seen_in = where
                if receipt is not None:
                    verdict = await self._judge(sent, receipt, head)
                    if verdict is not None:
                        return verdict
                    missing_s, waited_s = 0.0, 0.0
                else:
                    verdict = await self._absent(sent, missing_s, waited_s)
                    if verdict is not None:
                        return verdict
                    missing_s = 0.0 if await self._known(sent) else missing_s + LOOK_EVERY_S
                    waited_s += LOOK_EVERY_S
                await asyncio.sleep(LOOK_EVERY_S)

    async def _note(self, sent: SentTransaction, where: tuple[str, int] | None, before: tuple[str, int] | None) -> None:
        if where is not None:
            await self.store.mark_mined(sent, where[0], where[1])
        elif before is not None:
            await self.store.mark_mined(sent, before[0], None)

    async def _receipt(self, sent: SentTransaction) -> Receipt | None:
        found = await asyncio.gather(*(self.chain.receipt(a.tx_hash, self.token) for a in sent.attempts))
        return next((receipt for receipt in found if receipt is not None), None)

    async def _known(self, sent: SentTransaction) -> bool:
        return await self.chain.knows(sent.attempts[0].tx_hash)

    async def _absent(self, sent: SentTransaction, missing_s: float, waited_s: float) -> TransactionWatched | None:
        """No hash of ours is mined. Was the nonce taken by someone else; is it lost; is it stuck?"""
        if await self.chain.transaction_count(sent.wallet) > sent.nonce:
            await asyncio.sleep(LOOK_EVERY_S)
            if await self._receipt(sent) is None and await self._finally_foreign(sent):
                detail = f"nonce {sent.nonce} of {sent.wallet} was used by a transaction we did not sign"
                return TransactionWatched(outcome=Mined.FOREIGN, detail=detail)
            return None
        if missing_s >= LOST_AFTER_S:
            return TransactionWatched(outcome=Mined.LOST, detail="the node does not know the transaction")
        if waited_s >= self.replace_after_s:
            return TransactionWatched(outcome=Mined.STUCK, detail=f"not mined within {self.replace_after_s} s")
        return None

    async def _finally_foreign(self, sent: SentTransaction) -> bool:
        """Only once the foreign use of the nonce is finalized is it certain that ours can never be mined."""
        head = await self.chain.head()
        return await self.chain.transaction_count(sent.wallet, block_number=head.finalized) > sent.nonce

    async def _judge(self, sent: SentTransaction, receipt: Receipt, head: Head) -> TransactionWatched | None:
        """What a mined transaction proves at this depth; None: wait for more blocks."""
        cost = str(receipt.gas_used * receipt.effective_gas_price)

        def verdict(outcome: Mined, detail: str = "") -> TransactionWatched:
            return TransactionWatched(
                outcome=outcome,
                tx_hash=receipt.tx_hash,
                block_number=receipt.block_number,
                gas_cost_wei=cost,
                detail=detail,
            )

        deep = head.latest.number >= receipt.block_number + self.confirmations
        final = head.finalized >= receipt.block_number
        if receipt.status != 1:
            return verdict(Mined.REVERTED, "the transaction reverted on the chain") if final else None
        if sent.purpose in (Purpose.GAS_TOP_UP, Purpose.NO_OP):
            return verdict(Mined.SUCCESS) if head.latest.number > receipt.block_number else None
        if proves_transfer(receipt.transfers, self.token, sent.wallet, sent.data):
            return verdict(Mined.SUCCESS) if deep else None
        if not final:
            return None
        before, after = [
            (await self.chain.token_balances(self.token, [sent.wallet], number))[0]
            for number in (receipt.block_number - 1, receipt.block_number)
        ]
        if not receipt.transfers and after >= before:
            return verdict(Mined.NO_EFFECT, "the token reported success and moved nothing")
        return verdict(Mined.UNCERTAIN, f"no Transfer log of this payment; wallet went from {before} to {after} micros")
