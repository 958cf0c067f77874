"""What the nodes' words about a signature prove together. One node may be behind, and one may be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from domain.launchpad.solana import Epoch, Level, NonceState, NonceValue, View
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


class Reached(Value):
    """A node's finalized state: in `slot`, and whether a transaction could no longer land `after` it."""

    node: str
    slot: int
    after: bool


def by_height(last_valid_height: int, epochs: Sequence[Epoch]) -> list[Reached]:
    """Of a transaction on a blockhash: its last block is behind."""
    return [Reached(node=one.node, slot=one.slot, after=one.height > last_valid_height) for one in epochs]


def by_nonce(nonce: str, since: int, states: Sequence[NonceState]) -> list[Reached]:
    """Of a transaction on a durable nonce, read in slot `since`: the account has another then or later, and none comes
    twice. Before, it had the one before. One that is not there may still be made by a fork."""
    return [
        Reached(node=one.node, slot=one.slot, after=one.slot >= since and one.value not in (None, nonce))
        for one in states
    ]


def too_late(reached: Sequence[Reached]) -> bool:
    """Does every node that answers say that nothing can land any more?"""
    return bool(reached) and all(one.after for one in reached)


def never(reached: Sequence[Reached], views: Sequence[View], *, configured: int) -> bool:
    """Is it proven that the transaction can never land?

    When it is too late for it in the finalized state of every node that answers, and two of them (or the only one there
    is), each asked afterwards and from a state no older than that, do not know it in their whole history.

    Args:  configured  how many hosts there are.
    """
    if any(view.status is not None for view in views) or not too_late(reached):
        return False
    finalized = {one.node: one.slot for one in reached}
    proofs = [view for view in views if view.node in finalized and view.slot >= finalized[view.node]]
    return len({host_of_name(view.node) for view in proofs}) >= min(2, configured)


def agreed(states: Sequence[NonceState], *, configured: int) -> NonceValue | None:
    """The nonce that two hosts tell alike, or the only one there is; None: none, or no two agree.

    While a node is behind by one nonce, two values may have two hosts: the newer one counts.

    Args:  configured  how many hosts there are.
    """
    found: list[NonceValue] = []
    for value in {one.value for one in states if one.value is not None}:
        told = [one for one in states if one.value == value]
        if len({host_of_name(one.node) for one in told}) >= min(2, configured):
            found.append(NonceValue(value=value, slot=_vouched(told)))
    return max(found, key=lambda one: (one.slot, one.value), default=None)


def _vouched(views: Sequence[View | NonceState]) -> int:
    """The newest slot that two hosts say they have reached, or the only one: no node makes all others look stale."""
    reached: dict[str, int] = {}
    for view in views:
        reached[host_of_name(view.node)] = max(view.slot, reached.get(host_of_name(view.node), 0))
    return min(sorted(reached.values())[-2:], default=0)


def host_of_name(node: str) -> str:
    """Whose node it is: a second one of the same host is called `host#2`, and is no second witness."""
    return node.partition("#")[0]
