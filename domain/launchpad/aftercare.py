"""What is still done for a sale that went well: its team gets what has vested, its buyers the rents of their positions.

Anybody may send both, to nobody but those the chain has stored; the platform pays the fee.
"""

from __future__ import annotations

from typing import Final

from domain.launchpad.sale import PositionState, VestingState
from domain.launchpad.transactions import Value
from domain.launchpad.vesting import vested

CLOSED_AT_ONCE: Final = 10
"""Positions in one transaction, as with refunds."""
CLOSINGS_MOST: Final = 100
"""Such transactions in one run: what is left comes in the next."""
VESTED: Final = "vested"
"""The act in the key of a slice, `sale:{id}:vested:{n}`; of positions it is `close-WALLET`, the first of them."""


class Aftercare(Value):
    """Input of a run. `slice_s`: a team is paid what vests in so many seconds, or more."""

    slice_s: int


class AftercarePlanned(Value):
    """Keys of the transactions of this run."""

    keys: tuple[str, ...] = ()


class Refused(Value):
    """A transaction that did not land, and why."""

    key: str
    why: str


class AftercareDone(Value):
    """`forgotten`: transactions that were issued, never signed, and can never land any more."""

    landed: int = 0
    refused: tuple[Refused, ...] = ()
    forgotten: int = 0
    summary: str = ""


class Forgotten(Value):
    transactions: int


def slice_due(vesting: VestingState, now: int, slice_s: int) -> bool:
    """Is as much due as vests in `slice_s`; or what is left, when all has vested? `now`: the chain's clock.

    The account alone says so: after a payment it takes that long until the next, whoever sent it.
    """
    elapsed, end = max(0, now - vesting.starts_at), vesting.vest_seconds
    dues = (
        (whole, vested(whole, elapsed, vesting.cliff_seconds, end) - claimed)
        for whole, claimed in (
            (vesting.lamports, vesting.claimed_lamports),
            (vesting.tokens, vesting.claimed_tokens),
        )
    )
    if elapsed >= end:
        return any(due > 0 for _, due in dues)
    return any(due > 0 and due * (end - vesting.cliff_seconds) >= whole * slice_s for whole, due in dues)


def is_empty(position: PositionState) -> bool:
    """Nothing in it waits for its buyer, or for his uplines."""
    return not position.tokens and not any(position.earned)
