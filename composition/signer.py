"""The queue `evm-signer`: the only wiring that touches private keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activities.exchange.signing import SigningActivities
from composition.custody import wallets
from composition.parts import Parts
from domain.exchange.signing import Attempt, Draft
from domain.shared.errors import Broken
from gateways.evm.protocols import UnsignedTransaction
from gateways.evm.signer import LocalSigner
from settings import SignerSettings, WorkerSettings
from storage.exchange.signing import SigningStore
from storage.exchange.transactions import TransactionStore


def evm_signer(settings: WorkerSettings, opened: Parts) -> list[Callable[..., Any]]:
    """The one activity of this queue. Raises: Broken wrong_chain when keys and configured addresses differ."""
    if not isinstance(settings, SignerSettings):
        raise TypeError("the signer's queue needs the signer's settings")
    signer = LocalSigner(
        settings.hot_wallet_private_key, settings.gas_wallet_private_key, settings.deposit_account_xprv
    )
    ours = wallets(settings)
    own, configured = signer.addresses(), {"hot": ours.hot, "gas": ours.gas}
    if own != configured:
        raise Broken("wrong_chain", f"the keys belong to {own}, configured are {configured}")
    transactions = TransactionStore(opened.books, settings.fee_policy())
    token = settings.usdc_contract_address.lower()
    store = SigningStore(
        opened.books, transactions, chain_id=settings.arbitrum_chain_id, token=token, hot=ours.hot, gas=ours.gas
    )
    signing = SigningActivities(opened.chain, store, transactions, _with(signer), token=token)
    return [signing.sign_transaction]


def _with(signer: LocalSigner) -> Callable[[Draft], Attempt]:
    def sign(draft: Draft) -> Attempt:
        intent = draft.intent
        signed = signer.sign(
            UnsignedTransaction(
                chain_id=draft.chain_id,
                wallet=intent.wallet,
                nonce=draft.nonce,
                to_address=intent.to_address,
                value_wei=intent.value_wei,
                data=intent.data,
                gas_limit=draft.gas_limit,
                price=draft.price,
            ),
            intent.derivation_index,
        )
        return Attempt(tx_hash=signed.tx_hash, raw=signed.raw)

    return sign
