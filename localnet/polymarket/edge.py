"""What stands before the origin: the cache of the CDN, rate limits, refused clients, trace ids."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from localnet.polymarket import names

CACHED = {
    "data:/v2/trades": 300, "data:/v2/activity": 15, "data:/v2/positions": 5, "data:/trades": 300,
    "data:/activity": 15, "data:/positions": 5,
}  # fmt: skip
"""Seconds for which an answer is given again for the same URL; what the request says of caches is ignored."""

GENERAL = {"data": 1_000, "clob": 9_000, "gamma": 4_000}
LIMITS = {
    "data:/trades": 200, "data:/v2/trades": 200, "data:/positions": 150, "data:/v2/positions": 200,
    "data:/v2/activity": 400, "data:/ok": 100, "clob:/book": 1_500, "clob:/price": 1_500, "clob:/midpoint": 1_500,
    "clob:/books": 500, "clob:/prices": 500, "clob:/midpoints": 500, "clob:/prices-history": 1_000,
    "clob:/tick-size": 200, "gamma:/events": 500, "gamma:/markets": 300, "gamma:/public-search": 350,
}  # fmt: skip
"""Requests in any ten seconds, per client."""
WINDOW = 10.0
MOST_BYTES = 4 * 2**20
REFUSED_AGENTS = re.compile(r"\s*\Z|python-urllib|python-requests|python/\S* aiohttp", re.IGNORECASE)
"""The official SDK comes with the default agent of httpx, so that one passes."""


class Answer(NamedTuple):
    """What goes over the wire. `trace` is the origin's id: the same one twice is a copy from the cache."""

    status: int
    body: bytes
    kind: str
    headers: dict[str, str]
    trace: str


class Edge:
    """`scale` multiplies every limit, 0 takes them away. `cache_ms` is a clock of its own, so tests can turn it on."""

    def __init__(self, seed: int, *, scale: float = 1.0, cache: bool = True) -> None:
        self.scale = scale
        self.caching = cache
        self.ahead_s = 0.0
        self._seed = seed
        self._traces = 0
        self._kept: dict[str, tuple[float, Answer]] = {}
        self._last: dict[str, Answer] = {}
        self._calls: dict[str, deque[float]] = {}

    def now(self) -> float:
        return time.monotonic() + self.ahead_s

    def trace(self) -> str:
        self._traces += 1
        return names.trace_id(self._seed, self._traces)

    def allowed(self, agent: str) -> bool:
        return REFUSED_AGENTS.match(agent) is None

    def hit(self, route: str, url: str) -> tuple[Answer, int] | None:
        """A copy of an earlier answer to the very same URL and its age in seconds."""
        found = self._kept.get(url) if self.caching else None
        if found is None or route not in CACHED:
            return None
        age = self.now() - found[0]
        if age >= CACHED[route]:
            del self._kept[url]
            return None
        return found[1], int(age)

    def keep(self, route: str, url: str, plain: str, answer: Answer) -> None:
        """`plain` is the URL without what a cache-buster adds."""
        if answer.status != 200:
            return
        self._last.pop(plain, None)
        self._last[plain] = answer
        if self.caching and route in CACHED:
            self._kept[url] = self.now(), answer
        self._bound()

    def _bound(self) -> None:
        """Polling with a cache-buster leaves an answer behind each time: the old ones go."""
        oldest = self.now() - max(CACHED.values())
        for url in [url for url, (at, _) in self._kept.items() if at < oldest]:
            del self._kept[url]
        while len(self._kept) > 1 and sum(len(answer.body) for _, answer in self._kept.values()) > MOST_BYTES:
            self._kept.pop(next(iter(self._kept)))
        while len(self._last) > 1 and sum(len(answer.body) for answer in self._last.values()) > MOST_BYTES:
            self._last.pop(next(iter(self._last)))

    def stale(self, plain: str) -> Answer | None:
        """What was last answered to the same question."""
        return self._last.get(plain)

    def wait(self, service: str, route: str) -> float:
        """Seconds until the next request may come; 0 lets this one through and counts it."""
        if self.scale <= 0:
            return 0.0
        for key, most in ((route, LIMITS.get(route)), (service, GENERAL.get(service))):
            calls = self._calls.setdefault(key, deque())
            while calls and calls[0] <= time.monotonic() - WINDOW:
                calls.popleft()
            if most is not None and len(calls) >= max(1, int(most * self.scale)):
                return calls[0] + WINDOW - time.monotonic()
        for key in (route, service):
            self._calls[key].append(time.monotonic())
        return 0.0

    def forget(self, what: Callable[[str], bool] = lambda url: True) -> None:
        """Empties the cache, and what was counted against the limits."""
        for url in [url for url in self._kept if what(url)]:
            del self._kept[url]
        self._calls.clear()
