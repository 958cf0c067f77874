"""How many requests each route made, by minute and by outcome (CT-143)."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from gateways.limits import Clock

log = structlog.get_logger()

MINUTES_KEPT: Final = 60

Add = Callable[[int, Mapping[str, str]], None]
"""Adds to a metric with labels, as `add` of a Temporal metric counter does."""


class RequestCounts:
    """Totals since the start, the last hour by minute, one log line a minute, and a metric when one is given.

    Metric labels: `route` (a name of routes.ROUTES, never a URL) and `outcome`: the HTTP status, or `timeout`,
    `connection`, `limited` (our own limit), `open` (circuit), `stale` (a cached page).
    """

    def __init__(self, add: Add | None = None, *, clock: Clock = time.time) -> None:
        self._add, self._clock = add, clock
        self.totals: Counter[tuple[str, str]] = Counter()
        self._minutes: deque[tuple[int, Counter[str]]] = deque(maxlen=MINUTES_KEPT)

    def note(self, route: str, outcome: str) -> None:
        self.totals[route, outcome] += 1
        if self._add is not None:
            self._add(1, {"route": route, "outcome": outcome})
        minute = int(self._clock() // 60)
        if not self._minutes or self._minutes[-1][0] != minute:
            self._tell()
            self._minutes.append((minute, Counter()))
        if outcome not in ("limited", "open"):  # these never left this process
            self._minutes[-1][1][route] += 1

    def last_minute(self) -> dict[str, int]:
        """Requests by route in the newest full minute; empty when there was none."""
        minute = int(self._clock() // 60)
        return next((dict(found) for at, found in reversed(self._minutes) if at == minute - 1), {})

    def _tell(self) -> None:
        """Say what the minute that is over was spent on."""
        if self._minutes and self._minutes[-1][1]:
            minute, found = self._minutes[-1]
            log.info("polymarket_requests", minute=minute * 60, total=found.total(), **dict(sorted(found.items())))
