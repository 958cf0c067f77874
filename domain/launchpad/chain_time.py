"""The chain's own clock, read together with what is judged by it."""

from __future__ import annotations

from typing import Final

CLOCK: Final = "SysvarC1ock11111111111111111111111111111111"
"""Address of the clock's account: slot, start of the epoch, epoch, leader epoch, and seconds since 1970."""
_SECONDS_AT: Final = 32


def time_of(data: bytes) -> int:
    """The seconds in the clock's account."""
    return int.from_bytes(data[_SECONDS_AT : _SECONDS_AT + 8], "little", signed=True)
