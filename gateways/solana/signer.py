"""The platform's Solana key: the only object that holds it, in the one process that listens on the signer's queue.

A key service (KMS, HSM) takes its place by implementing the same two methods: it answers its address and signs the
bytes of a message with ed25519.
"""

from __future__ import annotations

from typing import NoReturn

from pydantic import SecretStr
from solders.message import from_bytes_versioned

from domain.shared.errors import Broken
from gateways.solana import messages
from gateways.solana.keypairs import read_keypair


class LocalSolanaSigner:
    """Signs with the key in memory. No repr, vars or pickle of it shows it."""

    __slots__ = ("__key", "address")

    def __init__(self, keypair: SecretStr) -> None:
        """
        Args:    keypair  64 bytes, as base58 or as a JSON array.
        Raises:  ValueError, without the value, when it cannot be read.
        """
        self.__key = read_keypair(keypair, "SOLANA_PLATFORM_KEYPAIR")
        self.address = str(self.__key.pubkey())

    def __repr__(self) -> str:
        return f"LocalSolanaSigner({self.address})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is not to be copied or pickled")

    def sign(self, message: bytes, raw: bytes | None = None) -> tuple[bytes, str]:
        """The complete transaction and its signature. `raw`: with the signatures of others.

        Raises: Broken internal_error when a signature is still missing.
        """
        signatures = {**(messages.signatures_of(raw) if raw is not None else {})}
        read = from_bytes_versioned(message)
        signers = [str(key) for key in read.account_keys[: read.header.num_required_signatures]]
        if self.address in signers:
            signatures[self.address] = str(self.__key.sign_message(message))
        missing = [address for address in signers if address not in signatures]
        if missing:
            raise Broken("internal_error", f"nobody has signed for {', '.join(missing)}")
        return messages.with_signatures(message, signatures), signatures[signers[0]]
