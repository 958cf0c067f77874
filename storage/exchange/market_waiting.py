"""The orders that an engine knows to wait: read ahead, in the order of acceptance, and where to look for more."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

from domain.exchange.batch import Pending
from storage.columns import numbers
from storage.exchange.market_sql import pending

EVERYWHERE_S: Final = 1.0


class Waiting:
    """What was read and has no verdict yet. The commit of a batch looks for more in the same round trip.

    `fresh`: read by that look, so that it need not be looked for again.

    Where to look: after what was read a while ago, and once a second everywhere. The index of pending orders keeps
    the entries of those that are done until no snapshot can see them as pending, and a backup holds one for minutes:
    reading from the start each time would step over all of them. An order that was numbered early and committed late
    is found by the look everywhere.
    """

    def __init__(self) -> None:
        self._orders: dict[int, Pending] = {}
        self.fresh = False
        self._newest = self._then = self._floor = 0
        self._everywhere_at = 0.0

    def first(self, limit: int) -> list[Pending]:
        return list(self._orders.values())[:limit]

    def look(self) -> tuple[int, str]:
        """Where the next look begins: behind this number, and without those of these numbers, which are known."""
        known, now = numbers(self._orders), time.monotonic()
        if now < self._everywhere_at:
            return self._floor, known
        self._everywhere_at = now + EVERYWHERE_S
        self._floor, self._then = self._then, self._newest
        return 0, known

    def add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """What a look has found: number, then the order."""
        for number, *order in rows:
            self._orders[number] = pending(tuple(order))
            self._newest = max(self._newest, number)
        self.fresh = True

    def done(self, orders: Iterable[Pending]) -> None:
        """These have their verdict."""
        ids = {order.id for order in orders}
        self._orders = {number: order for number, order in self._orders.items() if order.id not in ids}

    def forget(self) -> None:
        """Nobody knows what became of them: look everywhere again."""
        self._orders, self.fresh = {}, False
        self._newest = self._then = self._floor = 0
