"""HTTP to the venue: limited by route and overall, tried again where that helps, never a stale page for a fresh one.

What passes by itself is Unavailable: `venue_rate_limited` after a 429, else `venue_unavailable`. What does not (another
4xx) is `Refused`. What is not JSON is Quarantined. Every call is a read, so trying again is always safe.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

import httpx

from domain.shared.errors import Rejected, Unavailable
from gateways.circuit import Circuit
from gateways.evm.envelopes import printable
from gateways.limits import Clock, Sleep, TokenBucket, retry_after_s
from gateways.polymarket import wire
from gateways.polymarket.counts import RequestCounts
from gateways.polymarket.lanes import Lanes
from gateways.polymarket.recording import Recorder
from gateways.polymarket.routes import ROUTES, Lane, Route
from gateways.protocols import Quarantined

logging.getLogger("httpx").setLevel(logging.WARNING)

TRIES: Final = 3
BACKOFF_FIRST_S: Final = 0.25
RETRY_AFTER_MAX_S: Final = 5.0
"""A 503 that asks for longer is not waited for here; the caller's own schedule comes back."""
RATE_LIMITED_S: Final = 10.0
RATE_LIMITED_MAX_S: Final = 60.0
"""A 429 without Retry-After closes its route for 10 s, the next in a row for 20, 40, 60."""
BLOCKED_S: Final = 60.0
PAUSE_S: Final = {Lane.TRADES: 5.0, Lane.BOOKS: 5.0, Lane.MARKS: 30.0, Lane.METADATA: 30.0}
"""How long a route is left alone after five failures in a row. Decisions cannot wait half a minute for a book."""
BODY_MAX: Final = 16 << 20
PAYLOAD_MAX: Final = 8_192
TRACES_KEPT: Final = 4_096

Params = Sequence[tuple[str, str]]


class Refused(Rejected):
    """A 4xx: the request is at fault. `status` as HTTP says, `venue_code` and `parameter` as the venue's body does."""

    def __init__(self, route: Route, status: int, said: str, venue_code: str, parameter: str) -> None:
        super().__init__(
            "upstream_refused",
            f"polymarket {route.name}: HTTP {status}: {said}",
            status=status,
            venue_code=venue_code,
            parameter=parameter,
        )
        self.status, self.venue_code, self.parameter = status, venue_code, parameter


class _Passing(Unavailable):
    """A failure worth another try at once: the network, a 5xx, a proxy's page."""


class Transport:
    """All requests of one process go through one of these, so that the limits hold.

    Args:  bases  service to base URL.   max_rps, burst  of all routes together.   timeout_s  of one try, and how long
           a request may wait for its turn.
    """

    def __init__(
        self,
        bases: Mapping[str, str],
        *,
        max_rps: float,
        burst: int,
        timeout_s: float = 10.0,
        counts: RequestCounts | None = None,
        recorder: Recorder | None = None,
        http: httpx.AsyncBaseTransport | None = None,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._bases = {name: url.rstrip("/") for name, url in bases.items()}
        self._timeout_s, self._recorder = timeout_s, recorder
        self._sleep, self._uniform = sleep, uniform
        self.counts = counts or RequestCounts()
        self._lanes = Lanes(TokenBucket(max_rps, burst, clock=clock, sleep=sleep), sleep=sleep)
        self._buckets = {r.name: TokenBucket(r.per_s, r.burst, clock=clock, sleep=sleep) for r in ROUTES}
        self._circuits = {
            r.name: Circuit("venue_unavailable", f"polymarket {r.name}", pause_s=PAUSE_S[r.lane], clock=clock)
            for r in ROUTES
        }
        self._limited: dict[str, int] = {}
        self._traces: OrderedDict[str, None] = OrderedDict()
        self._busters = 0
        self._client = httpx.AsyncClient(
            headers={"user-agent": user_agent(), "accept": "application/json"},
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,
            transport=http,
            limits=httpx.Limits(max_connections=16, max_keepalive_connections=8),
        )

    async def aclose(self) -> None:
        await self._lanes.aclose()
        await self._client.aclose()

    def open_circuits(self) -> list[str]:
        """Routes that are left alone now."""
        return [name for name, circuit in self._circuits.items() if circuit.open]

    async def get_once(self, route: Route, params: Params = ()) -> Any:
        """GET and parse, one request and no more: for callers that count them. Not for routes a CDN caches.

        Raises: Unavailable, Refused, Quarantined.
        """
        found, _ = await self._once(route, "GET", "", params, None)
        return found

    async def get(self, route: Route, params: Params = (), *, place: str = "") -> Any:
        """GET and parse. A page the CDN has served us before is asked for once more, then given up.

        Raises: Unavailable, Refused, Quarantined.
        """
        for _ in range(2):
            query = [*params, ("_", self._buster())] if route.cached else params
            found, trace = await self._tried(route, "GET", place, query, None)
            if not route.cached or not self._seen(trace):
                return found
            self.counts.note(route.name, "stale")
        raise Unavailable("venue_unavailable", f"polymarket {route.name}: an old page again", stale=True)

    async def post(self, route: Route, body: list[dict[str, str]]) -> Any:
        """POST a JSON list and parse the answer. Raises: Unavailable, Refused, Quarantined."""
        found, _ = await self._tried(route, "POST", "", (), body)
        return found

    def odd(self, route: Route, reason: str, payload: Any) -> Quarantined:
        """An answer or row we do not understand, for the quarantine table: no digit of it changed."""
        kept = wire.plain(payload)
        text = repr(kept)
        return Quarantined("polymarket", route.name, reason, kept if len(text) <= PAYLOAD_MAX else text[:PAYLOAD_MAX])

    async def _tried(self, route: Route, method: str, place: str, params: Params, body: Any) -> tuple[Any, str]:
        """At most TRIES, with growing waits between them. Returns the parsed body and the trace id."""
        for number in range(TRIES):
            try:
                return await self._once(route, method, place, params, body)
            except _Passing as failure:
                asked_s = failure.retry_after_s
                if number == TRIES - 1 or asked_s > RETRY_AFTER_MAX_S:
                    failure.retry_after_s = max(1, asked_s)
                    raise
                backoff = BACKOFF_FIRST_S * 4.0**number
                await self._sleep(self._uniform(backoff / 2, backoff) + asked_s)
        raise AssertionError("unreachable")

    async def _once(self, route: Route, method: str, place: str, params: Params, body: Any) -> tuple[Any, str]:
        async with self._guarded(route):
            await self._turn(route)
            response, content = await self._exchange(route, method, place, params, body)
            self.counts.note(route.name, str(response.status_code))
            if self._recorder is not None:
                url = response.request.url.raw_path.decode("ascii", "replace")
                self._recorder.http(route.name, method, url, response.status_code, response.headers, content)
            self._check(route, response, content)
            found = self._parse(route, response, content)
        self._limited.pop(route.name, None)
        return found, response.headers.get("x-trace-id", "")

    def _guarded(self, route: Route) -> Any:
        circuit = self._circuits[route.name]
        if circuit.open:
            self.counts.note(route.name, "open")
        return circuit.guard()

    async def _turn(self, route: Route) -> None:
        """Wait for the route's bucket, then for the overall one."""
        if not await self._buckets[route.name].take(at_most_s=self._timeout_s) or not await self._lanes.take(
            route.lane, at_most_s=self._timeout_s
        ):
            self.counts.note(route.name, "limited")
            raise self._away(route, "our own limit of calls a second is used up", own_limit=True)

    async def _exchange(
        self, route: Route, method: str, place: str, params: Params, body: Any
    ) -> tuple[httpx.Response, bytes]:
        url = self._bases[route.service] + route.path.format(place)
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._client.stream(method, url, params=list(params) or None, json=body) as response,
            ):
                content = bytearray()
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > BODY_MAX:
                        raise self._away(route, f"sent more than {BODY_MAX} bytes")
                return response, bytes(content)
        except (TimeoutError, httpx.TimeoutException) as failure:
            self.counts.note(route.name, "timeout")
            raise self._passing(route, f"no answer within {self._timeout_s:g} s", timeout=True) from failure
        except (httpx.RequestError, httpx.InvalidURL) as failure:
            self.counts.note(route.name, "connection")
            raise self._passing(route, f"connection failed: {type(failure).__name__}") from failure

    def _check(self, route: Route, response: httpx.Response, content: bytes) -> None:
        status = response.status_code
        if 200 <= status < 300:
            return
        said = printable(content[:300].decode("utf-8", "replace"), 200)
        if status == 429:
            raise self._rate_limited(route, retry_after_s(response.headers))
        if status in (408, 425) or status >= 500:
            wait = math.ceil(retry_after_s(response.headers))
            raise self._passing(route, f"HTTP {status}: {said}", retry_after_s=wait, status=status)
        if status == 403 or _is_page(response, content):
            # Cloudflare (1010, a challenge, a blocked country) judges who we are, not what we ask
            self._circuits[route.name].trip(BLOCKED_S)
            raise self._away(route, f"blocked: HTTP {status}: {said}", retry_after_s=int(BLOCKED_S), status=status)
        raise _refusal(route, status, content, said)

    def _rate_limited(self, route: Route, asked_s: float) -> Unavailable:
        """Leave the route alone: for as long as it asks, else for longer with each time in a row."""
        times = self._limited[route.name] = self._limited.get(route.name, 0) + 1
        wait = min(asked_s or RATE_LIMITED_S * 2.0 ** min(times - 1, 10), RATE_LIMITED_MAX_S)
        self._circuits[route.name].trip(wait)
        detail = f"polymarket {route.name}: HTTP 429, left alone for {wait:g} s"
        return Unavailable("venue_rate_limited", detail, retry_after_s=max(1, math.ceil(wait)), status=429)

    def _parse(self, route: Route, response: httpx.Response, content: bytes) -> Any:
        try:
            return wire.load(content)
        except wire.NotJson as failure:
            if _is_page(response, content):
                raise self._passing(route, "a proxy's page instead of an answer") from failure
            raise self.odd(route, "not JSON", content[:PAYLOAD_MAX].decode("utf-8", "replace")) from failure

    def _seen(self, trace: str) -> bool:
        """Has an answer with this trace id come before? Then the CDN sent it, not the venue."""
        if not trace:
            return False
        old = trace in self._traces
        self._traces[trace] = None
        self._traces.move_to_end(trace)
        if len(self._traces) > TRACES_KEPT:
            self._traces.popitem(last=False)
        return old

    def _buster(self) -> str:
        """A value no URL of ours has had: the CDN ignores no-cache headers, a new URL it must fetch."""
        self._busters += 1
        return f"{time.time_ns()}{self._busters % 1000:03d}"

    def _passing(self, route: Route, detail: str, *, retry_after_s: int = 0, **data: object) -> _Passing:
        return _Passing("venue_unavailable", f"polymarket {route.name}: {detail}", retry_after_s=retry_after_s, **data)

    def _away(self, route: Route, detail: str, *, retry_after_s: int = 1, **data: object) -> Unavailable:
        return Unavailable(
            "venue_unavailable", f"polymarket {route.name}: {detail}", retry_after_s=retry_after_s, **data
        )


def user_agent() -> str:
    """Cloudflare refuses the default agents of Python's libraries (error 1010)."""
    return f"Mozilla/5.0 (compatible; holdfast/{version('holdfast')})"


def _is_page(response: httpx.Response, content: bytes) -> bool:
    kind = response.headers.get("content-type", "")
    return "text/html" in kind or content.lstrip()[:1] == b"<"


def _refusal(route: Route, status: int, content: bytes, said: str) -> Refused:
    """v2 says {"error", "code", "parameter"}, the others {"error"}."""
    try:
        body = wire.load(content)
    except wire.NotJson:
        body = None
    found = body if isinstance(body, dict) else {}
    error, code, parameter = (found.get(name) for name in ("error", "code", "parameter"))
    text = printable(error, 200) if isinstance(error, str) else said
    return Refused(route, status, text, code if isinstance(code, str) else "", str(parameter or ""))
