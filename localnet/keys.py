"""The secrets of one local stack: made once per data directory, kept in one file only its owner can read.

All wallets come from one random seed. Deposit addresses are below m/44'/60'/0', the hot wallet is on account 1', the
gas wallet on 2', the cold one on 3' (its key is used by nothing), so that the deposit xpub covers none of them. The
faucet is no part of the product and has a random key of its own.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from localnet.files import read_json, write_json


@dataclass(frozen=True)
class StackSecrets:
    """What ``secrets.json`` holds."""

    seed: str
    deposit_xpub: str
    deposit_account_xprv: str
    hot_wallet_address: str
    hot_wallet_private_key: str
    gas_wallet_address: str
    gas_wallet_private_key: str
    cold_wallet_address: str
    faucet_address: str
    faucet_private_key: str
    solana_platform_address: str
    solana_platform_keypair: str
    arweave_keypair: str
    session_secret: str
    backup_key: str
    admin_api_key: str


def load_or_create(path: Path) -> StackSecrets:
    """The secrets of this data directory, made at the first call."""
    known = read_json(path)
    if known is not None and all(field.name in known for field in fields(StackSecrets)):
        return StackSecrets(**{field.name: str(known[field.name]) for field in fields(StackSecrets)})
    # a directory of an older version keeps what it has
    made = replace(_create(), **{name: str(value) for name, value in (known or {}).items()})
    write_json(path, asdict(made), durable=True)
    return made


def first_contract_of(address: str) -> str:
    """The address of the first contract an account deploys, checksummed."""
    from eth_hash.auto import keccak

    plain = keccak(b"\xd6\x94" + bytes.fromhex(address.removeprefix("0x")) + b"\x80")[12:].hex()  # RLP of [sender, 0]
    marks = keccak(plain.encode()).hex()
    return "0x" + "".join(
        char.upper() if int(mark, 16) >= 8 else char for char, mark in zip(plain, marks, strict=False)
    )


def address_of(private_key: str) -> str:
    """The checksummed address of a private key."""
    from eth_account import Account  # half a second to import, and not needed by later starts

    address: str = Account.from_key(private_key).address
    return address


def _create() -> StackSecrets:
    from bip32 import BIP32  # type: ignore[import-untyped]
    from solders.keypair import Keypair

    seed = secrets.token_bytes(32)
    root = BIP32.from_seed(seed)

    def key(path: str) -> str:
        return "0x" + bytes(root.get_privkey_from_path(path)).hex()

    platform = Keypair.from_seed(hashlib.sha256(seed + b"solana").digest())
    hot, gas, faucet = key("m/44'/60'/1'/0/0"), key("m/44'/60'/2'/0/0"), "0x" + secrets.token_hex(32)
    return StackSecrets(
        seed=seed.hex(),
        deposit_xpub=root.get_xpub_from_path("m/44'/60'/0'"),
        deposit_account_xprv=root.get_xpriv_from_path("m/44'/60'/0'"),
        hot_wallet_address=address_of(hot),
        hot_wallet_private_key=hot,
        gas_wallet_address=address_of(gas),
        gas_wallet_private_key=gas,
        cold_wallet_address=address_of(key("m/44'/60'/3'/0/0")),
        faucet_address=address_of(faucet),
        faucet_private_key=faucet,
        solana_platform_address=str(platform.pubkey()),
        solana_platform_keypair=str(platform),
        arweave_keypair=str(Keypair.from_seed(hashlib.sha256(seed + b"arweave").digest())),
        session_secret=secrets.token_urlsafe(32),
        backup_key=base64.b64encode(secrets.token_bytes(32)).decode(),
        admin_api_key="hf_" + secrets.token_urlsafe(32),
    )
