"""Slots as a function of time. A stretch of slots begins at an anchor; a warp begins a new stretch.

Slots go on while the node is down, as a cluster's do: after a restart the slot is what the wall clock makes it, never
less than before. A clock that stands (``running`` False) moves when it is told to.
"""

from __future__ import annotations

import bisect
import time
from collections.abc import Callable
from dataclasses import dataclass

SLOT_MS = 400
FIRST_SLOT = 1_000
SLOTS_WITHOUT_BLOCK = 100
"""Block height = slot - this: on a real cluster some slots stay empty, so who confuses the two is found out."""
SLOTS_PER_EPOCH = 432_000


@dataclass(frozen=True)
class Anchor:
    """At ``wall_ms`` the chain was at the beginning of ``slot`` and its own clock at ``unix_ms``."""

    slot: int
    unix_ms: int
    wall_ms: int
    running: bool


@dataclass(frozen=True)
class Moment:
    """A slot and what the clock sysvar says in it."""

    slot: int
    unix_ms: int

    @property
    def unix_timestamp(self) -> int:
        return self.unix_ms // 1000

    @property
    def epoch(self) -> int:
        return self.slot // SLOTS_PER_EPOCH


def height(slot: int) -> int:
    """The block height of a slot."""
    return slot - SLOTS_WITHOUT_BLOCK


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


class Clock:
    """``anchors`` oldest first, at least one."""

    def __init__(self, anchors: list[Anchor], wall: Callable[[], int] = wall_ms) -> None:
        self.anchors = anchors
        self._wall = wall
        self._last = 0

    def now(self) -> Moment:
        """Never an earlier slot than the one before, whatever the wall clock does."""
        newest = self.anchors[-1]
        passed = (self._wall() - newest.wall_ms) // SLOT_MS if newest.running else 0
        self._last = max(self._last, newest.slot + max(passed, 0))
        return self.at(self._last)

    def at(self, slot: int) -> Moment:
        """Any slot from the first one on."""
        found = bisect.bisect_right(self.anchors, slot, key=lambda anchor: anchor.slot) - 1
        anchor = self.anchors[max(found, 0)]
        return Moment(slot, anchor.unix_ms + (slot - anchor.slot) * SLOT_MS)

    def until_next_s(self) -> float:
        """Seconds to the next slot; a standing clock is looked at five times a second."""
        newest = self.anchors[-1]
        if not newest.running:
            return 0.2
        return (SLOT_MS - (self._wall() - newest.wall_ms) % SLOT_MS) / 1000 + 0.001

    def move(self, slots: int, extra_ms: int = 0, running: bool | None = None) -> Anchor:
        """Goes on `slots` slots, and the chain's clock `extra_ms` further than they take. Only forward.

        Raises ValueError when asked to go back, or to change the time within one slot.
        """
        if slots < 0 or extra_ms < 0 or (slots == 0 and extra_ms):
            raise ValueError("the clock goes forward: slots from 0 on, and at least one when seconds are added")
        now = self.now()
        going = self.anchors[-1].running if running is None else running
        anchor = Anchor(now.slot + slots, now.unix_ms + slots * SLOT_MS + extra_ms, self._wall(), going)
        if self.anchors[-1].slot == anchor.slot:
            self.anchors[-1] = anchor
        else:
            self.anchors.append(anchor)
        self._last = anchor.slot
        return anchor
