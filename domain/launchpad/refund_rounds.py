"""Refunds of a failed sale go in rounds: who shares a transaction, and when an operator is asked.

A round is bounded, so that its landings fit into the process's history; whoever is left comes into the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from domain.launchpad.sale import PositionState

TOGETHER: Final = 10
"""Buyers in one transaction: each adds 77 bytes to a message of 1,232 at most."""
ROUND_MOST: Final = 100
"""Transactions in one round."""


class Round(NamedTuple):
    """The newest round. `open`: keys that have not ended; `failed`: wallets of transactions the chain refused; `alone`:
    those of them that shared it with nobody; `landed`: some transaction was not refused."""

    number: int
    open: tuple[str, ...]
    failed: tuple[str, ...]
    alone: tuple[str, ...]
    landed: bool


def groups(left: Sequence[PositionState], last: Round | None) -> list[list[PositionState]]:
    """Who shares a transaction of the next round. Whoever was in one that failed goes alone; while others wait, such
    take half of the round at most."""
    failed = set(last.failed) if last is not None else set()
    others = [one for one in left if one.buyer not in failed]
    alone = [[one] for one in left if one.buyer in failed][: ROUND_MOST // 2 if others else ROUND_MOST]
    together = [others[start : start + TOGETHER] for start in range(0, len(others), TOGETHER)]
    return [*alone, *together][:ROUND_MOST]


def stuck(left: Sequence[PositionState], last: Round | None) -> tuple[str, ...]:
    """Wallets whose refund was refused although it was alone in its transaction, when nobody else is left, or nobody
    else's landed either."""
    if last is None:
        return ()
    alone = tuple(one.buyer for one in left if one.buyer in last.alone)
    return alone if len(alone) == len(left) or not last.landed else ()
