"""Addresses without secrets: deposit addresses from the account's xpub, checksums."""

from __future__ import annotations

from typing import Final

from bip32 import BIP32  # type: ignore[import-untyped]
from coincurve import PublicKey
from eth_utils.crypto import keccak as _keccak

from domain.exchange import addresses

INDEX_MAX: Final = 2**31 - 1
"""Non-hardened children only: public derivation knows no others."""


def keccak(data: bytes) -> bytes:
    """keccak-256, in the shape the domain's address rules ask for."""
    return bytes(_keccak(data))


def checksum(address: str) -> str:
    """The EIP-55 form of a lower-case address."""
    return addresses.checksum(address, keccak)


def parse_address(text: str) -> str:
    """Read an address as lower case. Raises: Rejected invalid_address."""
    return addresses.parse_address(text, keccak)


def public_key_address(compressed: bytes) -> str:
    """Lower-case address of a secp256k1 public key (33 bytes)."""
    point = PublicKey(compressed).format(compressed=False)[1:]
    return "0x" + keccak(point)[12:].hex()


class HdAddresses:
    """Deposit addresses /0/i below an account xpub (m/44'/60'/0').

    The xpub is no key, but together with one child's private key it yields the account's private key: no child key
    ever leaves the signer.
    """

    def __init__(self, xpub: str) -> None:
        """Raises: ValueError when it is not an xpub; a private key in its place is refused, and not repeated."""
        try:
            account = BIP32.from_xpub(xpub.strip())
        except Exception as failure:  # noqa: BLE001 - several libraries raise; the value may be a secret by mistake
            raise ValueError(f"not an account xpub ({type(failure).__name__})") from None
        self._external = BIP32.from_xpub(account.get_xpub_from_path("m/0"))

    def deposit_address(self, index: int) -> str:
        """Raises: ValueError for an index below 0 or above 2^31 − 1."""
        if not 0 <= index <= INDEX_MAX:
            raise ValueError(f"index {index} is outside 0…{INDEX_MAX}")
        return public_key_address(self._external.get_pubkey_from_path(f"m/{index}"))
