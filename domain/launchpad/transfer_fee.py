"""The fee a Token-2022 mint takes of every transfer: as the token program computes it.

It is withheld in the account that receives and counts as transferred, so what arrives is less than what was sent.
Source: chains.md 1.2; programs/launchpad/transfer_fee.h.
"""

from __future__ import annotations

from typing import Final, NamedTuple

BPS: Final = 10_000
BPS_MOST: Final = 500
"""What the sale program accepts."""


class TransferFee(NamedTuple):
    """`bps` of each transfer, rounded up, and never more than `most` base units."""

    bps: int
    most: int = 2**64 - 1


NO_FEE: Final = TransferFee(0)


def after_fee(fee: TransferFee, amount: int) -> int:
    """What arrives of `amount`."""
    return amount - min(fee.most, -(-amount * fee.bps // BPS))


def before_fee(fee: TransferFee, amount: int) -> int:
    """The least that must be sent for `amount` to arrive; it arrives exactly."""
    return min(amount + fee.most, -(-amount * BPS // (BPS - fee.bps)))
