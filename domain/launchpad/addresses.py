"""Addresses and signatures of Solana as text: base58 of 32 and of 64 bytes."""

from __future__ import annotations

from typing import Final

from domain.shared import base58
from domain.shared.errors import Rejected

ADDRESS_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
ADDRESS_PATTERN: Final = r"^[1-9A-HJ-NP-Za-km-z]{32,44}$"
SIGNATURE_PATTERN: Final = r"^[1-9A-HJ-NP-Za-km-z]{64,88}$"
_LONGEST: Final = 88
_ZERO: Final = "1" * 32
_P: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P
"""Field and constant of the curve Ed25519 (RFC 8032)."""


def is_bytes(text: str, count: int) -> bool:
    """Whether the text is base58 of exactly so many bytes."""
    try:
        return len(text) <= _LONGEST and len(base58.decode(text)) == count
    except ValueError:
        return False


def on_curve(address: str) -> bool:
    """Whether a key may belong to it: no program's address is a point of the curve, every wallet's is."""
    y = int.from_bytes(base58.decode(address), "little") & (2**255 - 1)
    squared = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    return squared == 0 or pow(squared, (_P - 1) // 2, _P) == 1


def check_address(text: str, pointer: str = "") -> str:
    """The address itself.

    Raises: Rejected validation_failed with the pointer.
    """
    if not is_bytes(text, ADDRESS_BYTES):
        raise Rejected("validation_failed", "not an address of Solana: base58 of 32 bytes", pointer=pointer)
    if text == _ZERO:
        raise Rejected("validation_failed", "this is the system program's address", pointer=pointer)
    return text


def check_signature(text: str, pointer: str = "") -> str:
    """The signature itself.

    Raises: Rejected validation_failed with the pointer.
    """
    if not is_bytes(text, SIGNATURE_BYTES):
        raise Rejected("validation_failed", "not a signature of Solana: base58 of 64 bytes", pointer=pointer)
    return text
