"""The platform's wallets in a test world."""

from __future__ import annotations

import secrets

from bip32 import BIP32
from eth_account import Account

from gateways.evm.addresses import HdAddresses


class Wallets:
    """The platform's keys, fresh per world."""

    def __init__(self) -> None:
        tree = BIP32.from_seed(secrets.token_bytes(32))
        self.deposit_xprv = tree.get_xpriv_from_path("m/44'/60'/0'")
        self.deposit_xpub = tree.get_xpub_from_path("m/44'/60'/0'")
        self.hot_key = "0x" + tree.get_privkey_from_path("m/44'/60'/1'/0/0").hex()
        self.gas_key = "0x" + tree.get_privkey_from_path("m/44'/60'/2'/0/0").hex()
        self.hot = Account.from_key(self.hot_key).address.lower()
        self.gas = Account.from_key(self.gas_key).address.lower()
        self.addresses = HdAddresses(self.deposit_xpub)
