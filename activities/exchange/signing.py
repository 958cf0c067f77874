"""Signing: the only activity of the signer's queue, in the only process that reads keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from temporalio import activity

from domain.exchange.fees import gas_with_margin
from domain.exchange.messages import Purpose, SignTransaction, TransactionSigned
from domain.exchange.signing import Attempt, Draft, Intent, Quote

if TYPE_CHECKING:
    from gateways.evm.protocols import EvmChain
    from storage.exchange.signing import SigningStore
    from storage.exchange.transactions import TransactionStore

Sign = Callable[[Draft], Attempt]


class SigningActivities:
    """`sign` holds the keys; this class never sees them."""

    def __init__(
        self, chain: EvmChain, store: SigningStore, transactions: TransactionStore, sign: Sign, *, token: str
    ) -> None:
        self.chain = chain
        self.store = store
        self.transactions = transactions
        self.sign = sign
        self.token = token

    @activity.defn
    async def sign_transaction(self, command: SignTransaction) -> TransactionSigned:
        """Sign what the books say for this purpose, or a replacement with higher fees for the same nonce.

        Effect: nonce, transaction and signed bytes in one transaction; nothing leaves this process but the row.
        Again:  a purpose that was signed answers with its transaction; it can never get a second nonce.
        """
        signed = await self.transactions.find(command.purpose, command.ref_id)
        if signed is not None and not command.replace:
            return TransactionSigned(
                transaction_id=signed.id, tx_hash=signed.attempts[0].tx_hash, attempt=len(signed.attempts)
            )
        intent = await self.store.intent(command.purpose, command.ref_id, replacing=signed is not None)
        if signed is not None:
            base_fee = await self.chain.base_fee()
            return await self.transactions.sign_replacement(
                signed.id, base_fee, self.sign, intent.derivation_index, after_attempt=command.after_attempt
            )
        if intent.refused is not None:
            return TransactionSigned(refused=intent.refused)
        quote = await self._quote(command.purpose, intent)
        return await self.store.sign(command.purpose, command.ref_id, quote, self.sign)

    async def _quote(self, purpose: Purpose, intent: Intent) -> Quote:
        head = await self.chain.head()
        balance = 0
        if purpose is Purpose.WITHDRAWAL:
            balance = (await self.chain.token_balances(self.token, [intent.wallet], head.latest.number))[0]
            if balance < intent.amount_micros:
                return Quote(mined_nonce=0, base_fee=0, gas_limit=0, token_balance=balance, block_number=0)
        gas = await self.chain.estimate_gas(intent.wallet, intent.to_address, intent.data, intent.value_wei)
        return Quote(
            mined_nonce=await self.chain.transaction_count(intent.wallet),
            base_fee=await self.chain.base_fee(),
            gas_limit=gas_with_margin(gas),
            token_balance=balance,
            block_number=head.latest.number,
        )
