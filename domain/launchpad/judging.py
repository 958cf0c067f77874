"""What the nodes' words about a signature prove together. One node may be behind, and one may be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from domain.launchpad.solana import Epoch, Level, View
from domain.launchpad.transactions import Value

STALE_SLOTS: Final = 64
"""A node so far behind the newest has no opinion on how deep a transaction is."""


class Seen(Value):
    """`level`: as deep as the most careful node says. `disputed`: the nodes differ on how it ended."""

    slot: int
    level: Level
    err: Any = None
    disputed: bool = False


def seen(views: Sequence[View]) -> Seen | None:
    """What is said of a signature by those that know it; None when nobody does.

    A node that does not know it proves nothing here: it may be behind, or have forgotten. Nor does one that knows it:
    the caller still reads the transaction itself.
    """
    newest = max((view.slot for view in views), default=0)
    told = [view.status for view in views if view.status is not None and view.slot >= newest - STALE_SLOTS]
    if not told:
        return None
    return Seen(
        slot=max(status.slot for status in told),
        level=min(status.level for status in told),
        err=told[0].err,
        disputed=any(status.err != told[0].err for status in told),
    )


def never(last_valid_height: int, epochs: Sequence[Epoch], views: Sequence[View], *, configured: int) -> bool:
    """Is it proven that the transaction can never land?

    When its last block is finalized on every node that answers, and two of them (or the only one there is), each asked
    afterwards and from a state no older than that, do not know it in their whole history.
    """
    if any(view.status is not None for view in views):
        return False
    if not epochs or min(epoch.height for epoch in epochs) <= last_valid_height:
        return False
    finalized = {epoch.node: epoch.slot for epoch in epochs}
    proofs = [view for view in views if view.node in finalized and view.slot >= finalized[view.node]]
    return len(proofs) >= min(2, configured)
