"""The one ERC-20 call we make, as bytes: `transfer(address,uint256)`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from domain.exchange.messages import TransferLog

TRANSFER_SELECTOR: Final = bytes.fromhex("a9059cbb")
"""First four bytes of keccak-256("transfer(address,uint256)")."""


def encode_transfer(to: str, amount: int) -> bytes:
    """Call data that sends `amount` minor units to the lower-case address `to`."""
    return TRANSFER_SELECTOR + bytes.fromhex(to[2:]).rjust(32, b"\0") + amount.to_bytes(32, "big")


def decode_transfer(data: bytes) -> tuple[str, int]:
    """(to, amount) of transfer call data."""
    if len(data) != 68 or data[:4] != TRANSFER_SELECTOR or any(data[4:16]):
        raise ValueError("not the call data of transfer(address,uint256)")
    return "0x" + data[16:36].hex(), int.from_bytes(data[36:], "big")


def proves_transfer(logs: Iterable[TransferLog], token: str, sender: str, data: bytes) -> bool:
    """Did the token log exactly the transfer that `data` asked for, once, from `sender`?"""
    to, amount = decode_transfer(data)
    ours = [log for log in logs if log.token == token and log.from_address == sender]
    return [(log.to_address, log.amount) for log in ours] == [(to, amount)]
