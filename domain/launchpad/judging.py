"""What the nodes' words about a signature prove together. One node may be behind, and one may be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from domain.launchpad.solana import Epoch, Level, View
from domain.launchpad.transactions import Value

STALE_SLOTS: Final = 64
"""A node so far behind what two others have reached has no opinion on how deep a transaction is."""


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
    known = [view.status for view in views if view.status is not None]
    newest = _vouched(views)
    told = [view.status for view in views if view.status is not None and view.slot >= newest - STALE_SLOTS]
    if not told:
        return None
    return Seen(
        slot=max(status.slot for status in told),
        level=min(status.level for status in told),
        err=told[0].err,
        disputed=any(status.err != told[0].err for status in known),
    )


def never(last_valid_height: int, epochs: Sequence[Epoch], views: Sequence[View], *, configured: int) -> bool:
    """Is it proven that the transaction can never land?

    When its last block is finalized on every node that answers, and two of them (or the only one there is), each asked
    afterwards and from a state no older than that, do not know it in their whole history.

    Args:  configured  how many hosts there are.
    """
    if any(view.status is not None for view in views):
        return False
    if not epochs or min(epoch.height for epoch in epochs) <= last_valid_height:
        return False
    finalized = {epoch.node: epoch.slot for epoch in epochs}
    proofs = [view for view in views if view.node in finalized and view.slot >= finalized[view.node]]
    return len({host_of_name(view.node) for view in proofs}) >= min(2, configured)


def _vouched(views: Sequence[View]) -> int:
    """The newest slot that two hosts say they have reached, or the only one: no node makes all others look stale."""
    reached: dict[str, int] = {}
    for view in views:
        reached[host_of_name(view.node)] = max(view.slot, reached.get(host_of_name(view.node), 0))
    return min(sorted(reached.values())[-2:], default=0)


def host_of_name(node: str) -> str:
    """Whose node it is: a second one of the same host is called `host#2`, and is no second witness."""
    return node.partition("#")[0]
