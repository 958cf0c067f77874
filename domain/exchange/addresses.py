"""EVM addresses: EIP-55 checksums, and which destinations a withdrawal may have."""

from __future__ import annotations

import re
from collections.abc import Callable, Set

from domain.shared.errors import Rejected

ZERO = "0x" + "0" * 40
_HEX = re.compile(r"0x[0-9a-fA-F]{40}\Z", re.ASCII)

Keccak = Callable[[bytes], bytes]
"""keccak-256, handed in: the domain brings no cryptography of its own."""


def checksum(address: str, keccak: Keccak) -> str:
    """The EIP-55 form of a lower-case address."""
    digits = address[2:].lower()
    digest = keccak(digits.encode()).hex()
    return "0x" + "".join(c.upper() if int(digest[i], 16) >= 8 else c for i, c in enumerate(digits))


def parse_address(text: str, keccak: Keccak) -> str:
    """Read an address as lower case. All-lower or all-upper digits carry no checksum; mixed case must match EIP-55.

    Raises: Rejected invalid_address.
    """
    if not _HEX.match(text):
        raise Rejected("invalid_address", f"{text[:60]!r} is not 0x and 40 hexadecimal digits")
    digits = text[2:]
    mixed = digits != digits.lower() and digits != digits.upper()
    if mixed and text != checksum(text, keccak):
        raise Rejected("invalid_address", "the mixed-case checksum (EIP-55) does not match: a digit is wrong")
    return text.lower()


def check_destination(address: str, forbidden: Set[str]) -> None:
    """Refuse destinations that lose money or loop: zero, the token contract, our own wallets and deposit addresses.

    Args:    address  lower case.   forbidden  lower case.
    Raises:  Rejected destination_not_allowed.
    """
    if address == ZERO or address in forbidden:
        raise Rejected(
            "destination_not_allowed", f"{address} is the zero address, a contract of ours or our own wallet"
        )
