"""The HTTP side of the local venue: /data, /clob and /gamma stand for three hosts, /ws/market for the market socket.

``POST /control/{verb}`` tells the venue what to do (``control.py``), ``POST /control/fault`` plans a fault of
``faults.FAULTS``, ``DELETE /control/fault`` forgets them, ``GET /control`` shows what there is.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter, deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from localnet.evm_faults import Drop, Fault, FaultPlan, HttpAnswer, Stall
from localnet.polymarket import answers
from localnet.polymarket.answers import Handler
from localnet.polymarket.asked import Refused
from localnet.polymarket.clob import Clob
from localnet.polymarket.control import Control
from localnet.polymarket.data_api import DataApi
from localnet.polymarket.edge import CACHED, Answer, Edge
from localnet.polymarket.faults import FAULTS, Delay, Stale, Twist
from localnet.polymarket.gamma import Gamma
from localnet.polymarket.shelf import Shelf
from localnet.polymarket.sockets import MarketChannel
from localnet.polymarket.venue import Venue
from localnet.ports import HOST

KEPT = 500
SERVICES = ("data", "clob", "gamma")


class VenueServer:
    """An HTTP server in the event loop of the caller. ``calls`` counts requests by route, ``requests`` keeps them."""

    def __init__(
        self,
        port: int = 0,
        *,
        seed: int = 1,
        venue: Venue | None = None,
        moving: bool = False,
        limits: float = 1.0,
        cache: bool = True,
    ) -> None:
        self._port = port
        self._runner: web.AppRunner | None = None
        self.venue = venue or Venue(seed)
        self.shelf = Shelf(self.venue, moving=moving)
        self.edge = Edge(self.venue.seed, scale=limits, cache=cache)
        self.channel = MarketChannel(self.shelf)
        self.control = Control(self.venue, self.shelf, self.channel, self.edge)
        self.faults = FaultPlan()
        self.calls: Counter[str] = Counter()
        self.requests: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._data, self._clob, self._gamma = DataApi(self.shelf), Clob(self.shelf), Gamma(self.shelf)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}"

    @property
    def data_url(self) -> str:
        return f"{self.url}/data"

    @property
    def clob_url(self) -> str:
        return f"{self.url}/clob"

    @property
    def gamma_url(self) -> str:
        return f"{self.url}/gamma"

    @property
    def ws_url(self) -> str:
        return f"ws://{HOST}:{self._port}/ws/market"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        app = web.Application(client_max_size=2**20)
        app.add_routes([*self._served(), *self._controlled()])
        for service in SERVICES:
            app.router.add_route("*", f"/{service}/{{rest:.*}}", self._handler(service, self._nothing, "*"))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self._port).start()
        self._port = self._runner.addresses[0][1]

    async def close(self) -> None:
        await self.channel.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def fail(self, target: str, fault: str, times: int | None = 1, skip: int = 0, match: str = "", **more: Any) -> None:
        """The next ``times`` requests (None: all) after ``skip`` ones meet the fault, if their URL holds ``match``.

        ``target``: a route as "data:/v2/activity" or "clob:/book", a service as "clob", or "*". Raises ValueError.
        """
        if fault not in FAULTS or not (target == "*" or target.partition(":")[0] in SERVICES):
            raise ValueError(f"targets are *, {', '.join(SERVICES)} or one of their routes; faults {', '.join(FAULTS)}")
        self.faults.add(target, FAULTS[fault](more), times, skip, match=lambda asked: match in str(asked[0]))

    # Routes.

    def _served(self) -> list[web.RouteDef]:
        found = []
        for service, routes in (
            ("data", self._data.routes()), ("clob", self._clob.routes()), ("gamma", self._gamma.routes())
        ):  # fmt: skip
            for path, answer in routes.items():
                found.append(web.get(f"/{service}{path}", self._handler(service, answers.get(answer), path)))
        for path, post in self._clob.posts().items():
            found.append(web.post(f"/clob{path}", self._handler("clob", answers.post(post), path)))
        for service, path, take in (
            ("clob", "/markets/{key}", self._clob.market),
            ("clob", "/clob-markets/{key}", self._clob.compact),
            ("clob", "/markets-by-token/{key}", self._clob.by_token),
            ("gamma", "/markets/slug/{key}", lambda key: self._gamma.one_market(key, "slug")),
            ("gamma", "/markets/{key}", lambda key: self._gamma.one_market(key, "id")),
            ("gamma", "/events/slug/{key}", lambda key: self._gamma.one_event(key, "slug")),
            ("gamma", "/events/{key}", lambda key: self._gamma.one_event(key, "id")),
        ):
            found.append(
                web.get(f"/{service}{path}", self._handler(service, answers.key(take), path.replace("/{key}", "")))
            )
        return found

    def _controlled(self) -> list[web.RouteDef]:
        return [
            web.get("/ws/market", self.channel.serve),
            web.get("/health", self._health),
            web.get("/control", self._show),
            web.post("/control/fault", self._set_fault),
            web.delete("/control/fault", self._forget_faults),
            web.post("/control/{verb}", self._perform),
        ]

    async def _nothing(self, request: web.Request) -> Any:
        raise Refused("not found", "not_found")

    # A request.

    def _handler(self, service: str, answer: Handler, path: str) -> Callable[[web.Request], Any]:
        route = f"{service}:{path}"

        async def handle(request: web.Request) -> web.StreamResponse:
            self.calls[route] += 1
            self._note(route, request)
            if not self.edge.allowed(request.headers.get("User-Agent", "")):
                return web.Response(status=403, text="error code: 1010", headers={"server": "cloudflare"})
            fault = self._met(route, service, request)
            if isinstance(fault, Delay):
                await asyncio.sleep(fault.seconds)
                fault = None
            if isinstance(fault, HttpAnswer):
                return answers.odd(fault)
            if isinstance(fault, Stall | Drop):
                return await answers.gone(request, fault)
            return await self._answer(service, route, request, answer, fault)

        return handle

    def _note(self, route: str, request: web.Request) -> None:
        said = {"route": route, "url": str(request.rel_url), "agent": request.headers.get("User-Agent", "")}
        self.requests.append({**said, "at_ms": self.venue.now_ms()})

    def _met(self, route: str, service: str, request: web.Request) -> Fault | None:
        url = [str(request.rel_url)]
        return self.faults.take(route, url) or self.faults.take(service, url)

    async def _answer(
        self, service: str, route: str, request: web.Request, answer: Handler, fault: Fault | None
    ) -> web.StreamResponse:
        url, plain = str(request.rel_url), answers.plain(request)
        if isinstance(fault, Stale) and (old := self.edge.stale(plain)) is not None:
            return self._sent(route, old, 60)
        kept = self.edge.hit(route, url) if fault is None else None
        if kept is not None:
            return self._sent(route, kept[0], kept[1])
        wait = self.edge.wait(service, route)
        if wait > 0:
            return self._limited(route, wait)
        found = await self._origin(request, route, answer, fault)
        if fault is None:
            self.edge.keep(route, url, plain, found)
        return self._sent(route, found, None)

    async def _origin(self, request: web.Request, route: str, answer: Handler, fault: Fault | None) -> Answer:
        trace = self.edge.trace()
        try:
            value, status = await answer(request), 200
        except Refused as error:
            value, status = answers.refusal(error, request.path, trace), error.status
            fault = None
        if isinstance(fault, Twist):
            value = fault.change(value)
        body = value.encode() if value == "OK" else json.dumps(value, ensure_ascii=False).encode()
        return Answer(status, body, "text/plain" if value == "OK" else "application/json", {}, trace)

    def _sent(self, route: str, answer: Answer, age: int | None) -> web.Response:
        headers = {"x-trace-id": answer.trace, **answer.headers}
        if route in CACHED and answer.status == 200:
            headers["cache-control"] = f"public, max-age={CACHED[route]}"
            headers["x-cache"] = "Miss from cloudfront" if age is None else "Hit from cloudfront"
        if age is not None:
            headers["age"] = str(age)
        return web.Response(status=answer.status, body=answer.body, content_type=answer.kind, headers=headers)

    def _limited(self, route: str, wait: float) -> web.Response:
        """v2 says when to come back, Cloudflare before the others does not."""
        if not route.startswith("data:/v2/"):
            return web.Response(status=429, text="error code: 1015", headers={"server": "cloudflare"})
        trace = self.edge.trace()
        body = {"error": "too many requests", "code": "rate_limited", "retryable": True, "trace_id": trace}
        headers = {"Retry-After": str(int(wait) + 1), "x-trace-id": trace}
        return web.json_response(body, status=429, headers=headers)

    # Control.

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _show(self, request: web.Request) -> web.Response:
        said = self.control.show()
        return web.json_response(
            {**said, "faults": sorted(FAULTS), "calls": dict(self.calls), "requests": list(self.requests)}
        )

    async def _set_fault(self, request: web.Request) -> web.Response:
        asked = await answers.json_object(request)
        with contextlib.suppress(KeyError):
            target, fault = str(asked.pop("target")), str(asked.pop("fault"))
            return await answers.told(lambda: self.fail(target, fault, **asked))
        return web.json_response({"error": "target and fault"}, status=400)

    async def _forget_faults(self, request: web.Request) -> web.Response:
        self.faults.clear()
        return web.Response(status=204)

    async def _perform(self, request: web.Request) -> web.Response:
        asked = await answers.json_object(request)
        return await answers.told(lambda: self.control.perform(request.match_info["verb"], asked))
