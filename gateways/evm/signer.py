"""The local signer: the only object that holds private keys, in the one process that listens on the signer queue.

A key service (KMS, HSM) takes its place by implementing the same two methods of gateways.protocols.EvmSigner: it
answers `addresses()` from its key ids and signs the 32-byte hash of the same EIP-1559 fields. Deposit addresses then
need a service that derives BIP-32 children, or sweeping contracts; hot and gas wallets need nothing but secp256k1.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from bip32 import BIP32  # type: ignore[import-untyped]
from eth_account import Account
from eth_account.signers.local import LocalAccount
from pydantic import SecretStr

from domain.shared.errors import Broken
from gateways.evm.addresses import INDEX_MAX, public_key_address
from gateways.evm.protocols import SignedTransaction, UnsignedTransaction

sys.setrecursionlimit(min(sys.getrecursionlimit(), 1_000))
# eth_account imports py_ecc, which sets 100,000: from then on deep recursion anywhere is a segmentation fault instead
# of a RecursionError. Nothing we call recurses deeply.


class LocalSigner:
    """Signs with keys in memory. No repr, vars or pickle of it shows them."""

    __slots__ = ("__child", "__wallets", "_roles")

    def __init__(self, hot_key: SecretStr, gas_key: SecretStr, deposit_xprv: SecretStr) -> None:
        """
        Args:    hot_key, gas_key  0x-hexadecimal.   deposit_xprv  of the account m/44'/60'/0'.
        Raises:  ValueError, without the value, when one cannot be read, or when hot and gas are the same wallet.
        """
        hot, gas = _account("hot_key", hot_key), _account("gas_key", gas_key)
        self._roles = {"hot": hot.address.lower(), "gas": gas.address.lower()}
        if self._roles["hot"] == self._roles["gas"]:
            raise ValueError("the hot and the gas wallet must differ: they count nonces separately")
        self.__wallets = {self._roles["hot"]: hot, self._roles["gas"]: gas}
        self.__child = _external_chain(deposit_xprv)

    def __repr__(self) -> str:
        return f"LocalSigner(hot={self._roles['hot']}, gas={self._roles['gas']})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is not to be copied or pickled")

    def addresses(self) -> dict[str, str]:
        return dict(self._roles)

    def sign(self, transaction: UnsignedTransaction, derivation_index: int | None) -> SignedTransaction:
        """Raises: Broken internal_error when the key at hand is not the wallet's: nothing is signed."""
        account = self._account_for(transaction.wallet, derivation_index)
        signed = account.sign_transaction(_fields(transaction))
        raw = bytes(signed.raw_transaction)
        if Account.recover_transaction(raw).lower() != transaction.wallet:
            raise Broken("internal_error", f"the signature does not belong to {transaction.wallet}")
        return SignedTransaction(tx_hash="0x" + bytes(signed.hash).hex(), raw=raw)

    def _account_for(self, wallet: str, derivation_index: int | None) -> LocalAccount:
        account = self.__wallets.get(wallet) if derivation_index is None else self._derived(derivation_index)
        if account is None or account.address.lower() != wallet:
            raise Broken("internal_error", f"no key for wallet {wallet}", derivation_index=derivation_index)
        return account

    def _derived(self, index: int) -> LocalAccount | None:
        if not 0 <= index <= INDEX_MAX:
            return None
        return _from_key(self.__child.get_privkey_from_path(f"m/{index}"))


def account_xpub(deposit_xprv: SecretStr) -> str:
    """The xpub to compare with DEPOSIT_XPUB at start. Raises: ValueError, without the value."""
    return str(_bip32(deposit_xprv).get_xpub())


def _fields(transaction: UnsignedTransaction) -> dict[str, Any]:
    return {
        "type": 2,
        "chainId": transaction.chain_id,
        "nonce": transaction.nonce,
        "to": bytes.fromhex(transaction.to_address[2:]),
        "value": transaction.value_wei,
        "data": transaction.data,
        "gas": transaction.gas_limit,
        "maxFeePerGas": transaction.price.max_fee,
        "maxPriorityFeePerGas": transaction.price.priority,
    }


def _account(name: str, key: SecretStr) -> LocalAccount:
    try:
        return _from_key(key.get_secret_value().strip())
    except Exception:  # noqa: BLE001 - libraries quote the key in their messages: nothing of theirs may pass
        raise ValueError(f"{name} is not a private key") from None


def _from_key(key: str | bytes) -> LocalAccount:
    account: LocalAccount = Account.from_key(key)
    return account


def _bip32(xprv: SecretStr) -> BIP32:
    try:
        return BIP32.from_xpriv(xprv.get_secret_value().strip())
    except Exception:  # noqa: BLE001 - as above
        raise ValueError("deposit_xprv is not an extended private key") from None


def _external_chain(xprv: SecretStr) -> BIP32:
    """The chain /0 below the account; its children are the deposit addresses."""
    return BIP32.from_xpriv(_bip32(xprv).get_xpriv_from_path("m/0"))


def deposit_address(xprv: SecretStr, index: int) -> str:
    """Lower-case address of a deposit key, to compare both derivations at start."""
    return public_key_address(_external_chain(xprv).get_pubkey_from_path(f"m/{index}"))
