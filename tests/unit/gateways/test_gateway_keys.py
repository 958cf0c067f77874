"""Derivation and signing: the same addresses by xpub, xprv and mnemonic; keys that show nowhere."""

from __future__ import annotations

import copy
import hashlib
import pickle
import sys

import pytest
from bip32 import BIP32
from eth_account import Account
from pydantic import SecretStr

from domain.exchange.fees import GasPrice
from domain.shared.errors import Broken, Rejected
from gateways.evm.addresses import INDEX_MAX, HdAddresses, checksum, parse_address
from gateways.evm.protocols import UnsignedTransaction
from gateways.evm.signer import LocalSigner, account_xpub, deposit_address

MNEMONIC = "test test test test test test test test test test test junk"  # public: the one every local chain uses
Account.enable_unaudited_hdwallet_features()


def account_xprv() -> str:
    seed = hashlib.pbkdf2_hmac("sha512", MNEMONIC.encode(), b"mnemonic", 2048)
    return str(BIP32.from_seed(seed).get_xpriv_from_path("m/44'/60'/0'"))


XPRV = account_xprv()
XPUB = account_xpub(SecretStr(XPRV))
HOT = Account.from_mnemonic(MNEMONIC, account_path="m/44'/60'/1'/0/0")
GAS = Account.from_mnemonic(MNEMONIC, account_path="m/44'/60'/1'/0/1")


def signer() -> LocalSigner:
    return LocalSigner(SecretStr(HOT.key.hex()), SecretStr("0x" + bytes(GAS.key).hex()), SecretStr(XPRV))


def unsigned(wallet: str) -> UnsignedTransaction:
    return UnsignedTransaction(
        chain_id=421614,
        wallet=wallet,
        nonce=7,
        to_address="0x" + "ab" * 20,
        value_wei=5,
        data=b"\x01\x02",
        gas_limit=90_000,
        price=GasPrice(max_fee=2 * 10**9, priority=3),
    )


def test_public_and_private_derivation_agree_with_the_mnemonic_for_twenty_indices() -> None:
    public = HdAddresses(XPUB)
    for index in range(20):
        expected = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}").address.lower()
        assert public.deposit_address(index) == deposit_address(SecretStr(XPRV), index) == expected


def test_indices_outside_of_public_derivation() -> None:
    public = HdAddresses(XPUB)
    assert public.deposit_address(INDEX_MAX).startswith("0x")
    for index in (-1, INDEX_MAX + 1):
        with pytest.raises(ValueError):
            public.deposit_address(index)


@pytest.mark.parametrize("text", [XPRV, XPUB[:-1], "", "junk!", "0x" + "11" * 32, XPUB.replace("x", "y", 1)], ids=len)
def test_only_an_xpub_is_taken_and_nothing_is_repeated(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        HdAddresses(text)
    assert not text or text not in str(caught.value)


def test_checksums_of_eip_55() -> None:
    for known in ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"):
        assert checksum(known.lower()) == known
        assert parse_address(known) == known.lower()
        with pytest.raises(Rejected):
            parse_address(known.swapcase().replace("X", "x"))


def test_an_eip_1559_transaction_is_signed_for_each_wallet() -> None:
    deposit = deposit_address(SecretStr(XPRV), 4)
    for wallet, index in ((HOT.address.lower(), None), (GAS.address.lower(), None), (deposit, 4)):
        signed = signer().sign(unsigned(wallet), index)
        assert signed.raw[0] == 2
        assert Account.recover_transaction(signed.raw).lower() == wallet
        assert signed.tx_hash.startswith("0x")
        assert len(signed.tx_hash) == 66
        assert signer().sign(unsigned(wallet), index) == signed, "the same bytes again"


def test_the_roles() -> None:
    assert signer().addresses() == {"hot": HOT.address.lower(), "gas": GAS.address.lower()}


@pytest.mark.parametrize(
    ("wallet", "index"),
    [
        ("0x" + "11" * 20, None),
        (deposit_address(SecretStr(XPRV), 4), 5),
        (deposit_address(SecretStr(XPRV), 4), None),
        (HOT.address.lower(), 0),
        (HOT.address, None),
        ("0x" + "11" * 20, -1),
        ("0x" + "11" * 20, 2**31),
    ],
)
def test_nothing_is_signed_for_a_wallet_that_is_not_the_keys(wallet: str, index: int | None) -> None:
    with pytest.raises(Broken) as caught:
        signer().sign(unsigned(wallet), index)
    assert caught.value.code == "internal_error"


def test_keys_show_in_no_representation() -> None:
    one = signer()
    secrets = [bytes(HOT.key).hex(), bytes(GAS.key).hex(), XPRV, str(bytes(HOT.key)), str(int(HOT.key.hex(), 16))]
    shown = f"{one!r} {one} {one.addresses()} {[getattr(one, name) for name in one.__slots__ if name == '_roles']}"
    for slot in ("_LocalSigner__child", "_LocalSigner__wallets"):
        shown += repr(getattr(one, slot))
    assert not any(secret in shown for secret in secrets)
    assert not hasattr(one, "__dict__")
    for duplicate in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            duplicate(one)


@pytest.mark.parametrize("bad", ["", "0x12", "zz" * 32, "0x" + "00" * 32, "ff" * 32])
def test_a_bad_key_is_refused_without_being_repeated(bad: str) -> None:
    for keys in ((bad, GAS.key.hex(), XPRV), (HOT.key.hex(), bad, XPRV), (HOT.key.hex(), GAS.key.hex(), bad)):
        with pytest.raises(ValueError) as caught:
            LocalSigner(*(SecretStr(key) for key in keys))
        assert not bad or bad not in str(caught.value)
        assert caught.value.__suppress_context__


def test_an_xpub_is_no_signing_key_and_the_wallets_differ() -> None:
    with pytest.raises(ValueError, match="deposit_xprv"):
        LocalSigner(SecretStr(HOT.key.hex()), SecretStr(GAS.key.hex()), SecretStr(XPUB))
    with pytest.raises(ValueError, match="must differ"):
        LocalSigner(SecretStr(HOT.key.hex()), SecretStr(HOT.key.hex()), SecretStr(XPRV))


def test_the_recursion_limit_is_what_python_sets() -> None:
    assert sys.getrecursionlimit() <= 1_000
