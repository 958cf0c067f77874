"""Token buckets in the process: requests a second per key, logins a minute per address."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from typing import Final

from domain.shared.errors import Rejected

_KEPT: Final = 20_000


class Buckets:
    """One bucket per name: `capacity` requests at once, refilled at `per_s`. The least recently used are forgotten."""

    def __init__(self, capacity: float, per_s: float) -> None:
        self.capacity = capacity
        self.per_s = per_s
        self._state: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> None:
        """Take one token or raise Rejected rate_limited with the seconds until there is one."""
        now = time.monotonic()
        level, seen = self._state.get(name, (self.capacity, now))
        level = min(self.capacity, level + (now - seen) * self.per_s)
        if level < 1:
            self._state[name] = (level, now)
            wait = math.ceil((1 - level) / self.per_s)
            raise Rejected("rate_limited", f"ask again in {wait} s", retry_after_s=wait)
        self._state[name] = (level - 1, now)
        self._state.move_to_end(name)
        if len(self._state) > _KEPT:
            self._state.popitem(last=False)
