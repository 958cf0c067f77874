"""The HTTP side of the local upstreams.

Control, all JSON: ``POST /control/moods {"match", "mood": "bullish|bearish|quiet", "delta_percent", "confidence"}``
sets what is in the air about everything whose name contains ``match`` (``*``: all); the newest match wins.
``POST /control/faults {"target", "fault", "times": 1|null, "match", "text", "seconds"}`` plans a fault of
``faults.FAULTS`` for one of ``TARGETS``. ``DELETE`` of either forgets them. ``GET /control`` shows moods, faults, last
requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections import Counter, deque
from pathlib import Path
from types import TracebackType
from typing import Any

from aiohttp import web

from localnet.evm_faults import Drop, Fault, FaultPlan, HttpAnswer, Stall
from localnet.ports import HOST
from localnet.upstreams import minds
from localnet.upstreams.arweave import Bundler
from localnet.upstreams.faults import FAULTS, Finds, Injects, Obeys, Says
from localnet.upstreams.ipfs import Ipfs
from localnet.upstreams.minds import Mood

KEPT = 200
BODY_LIMIT = 6 * 2**20
TARGETS = ("search", "llm", "ipfs", "arweave")
DECIMAL = re.compile(r"-?\d{1,9}(\.\d{1,9})?\Z")


class Upstreams:
    """An HTTP server in the event loop of the caller. ``calls`` counts requests by target, ``requests`` keeps them."""

    def __init__(self, port: int = 0, seed: int = 1, directory: Path | None = None) -> None:
        self._port = port
        self._seed = seed
        self._runner: web.AppRunner | None = None
        self.faults = FaultPlan()
        self.moods: dict[str, Mood] = {}
        self.calls: Counter[str] = Counter()
        self.requests: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.ipfs = Ipfs(self._met, directory)
        self.arweave = Bundler(self._met, directory)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}"

    @property
    def llm_url(self) -> str:
        return f"{self.url}/v1"

    async def __aenter__(self) -> Upstreams:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        app = web.Application(client_max_size=BODY_LIMIT)
        app.add_routes(
            [
                web.post("/search", self._search),
                web.post("/v1/chat/completions", self._chat),
                web.post("/models/{name:.+}", self._generate),
                *self.ipfs.routes(),
                *self.arweave.routes(),
                web.get("/health", self._health),
                web.get("/control", self._show),
                web.post("/control/moods", self._set_mood),
                web.delete("/control/moods", self._forget_moods),
                web.post("/control/faults", self._set_fault),
                web.delete("/control/faults", self._forget_faults),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self._port).start()
        self._port = self._runner.addresses[0][1]

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # What a test or an operator tells it.

    def feel(self, mood: str, match: str = "*", delta_percent: str = "", confidence: str = "0.85") -> None:
        """Set what is in the air. Raises ValueError for an unknown mood or a number that is none."""
        if mood not in minds.HEADLINES or any(n and not DECIMAL.match(n) for n in (delta_percent, confidence)):
            raise ValueError(f"moods are {', '.join(minds.HEADLINES)}, numbers decimal strings")
        self.moods.pop(match, None)
        self.moods[match] = Mood(mood, delta_percent, confidence)

    def fail(self, target: str, fault: str, times: int | None = 1, match: str = "", **more: Any) -> None:
        """The next ``times`` calls (None: all) whose text contains ``match`` meet the fault. Raises ValueError."""
        if target not in TARGETS or fault not in FAULTS:
            raise ValueError(f"targets are {', '.join(TARGETS)}, faults {', '.join(FAULTS)}")
        wanted = match.lower()
        self.faults.add(target, FAULTS[fault](more), times, match=lambda said: wanted in str(said[0]).lower())

    def _mood(self, text: str) -> Mood:
        for match, mood in reversed(self.moods.items()):
            if match == "*" or match.lower() in text.lower():
                return mood
        return Mood()

    # The upstreams.

    async def _search(self, request: web.Request) -> web.StreamResponse:
        if not request.headers.get("X-API-KEY"):
            return web.json_response({"message": "Unauthorized.", "statusCode": 403}, status=403)
        asked = await _object(request)
        query, count = str(asked.get("q", "")), asked.get("num", 10)
        if not query or not isinstance(count, int):
            return web.json_response({"message": "Missing query parameter", "statusCode": 400}, status=400)
        fault = await self._met("search", query, request)
        if isinstance(fault, web.Response):
            return fault
        hits = minds.results(self._seed, query, count, self._mood(query))
        if isinstance(fault, Finds):
            hits = hits[: fault.count]
        if isinstance(fault, Injects) and hits:
            hits[0]["snippet"] = fault.text
        parameters = {"q": query, "num": count, "type": "search", "engine": "google"}
        return web.json_response({"searchParameters": parameters, "organic": hits, "credits": 1})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        if not request.headers.get("Authorization", "").startswith("Bearer "):
            error = {"message": "You didn't provide an API key.", "type": "invalid_request_error", "code": None}
            return web.json_response({"error": error}, status=401)
        asked = await _object(request)
        messages, model = asked.get("messages"), asked.get("model")
        if not isinstance(messages, list) or not messages or not isinstance(model, str):
            error = {"message": "messages and model are required", "type": "invalid_request_error", "code": None}
            return web.json_response({"error": error}, status=400)
        text = await self._answer(str(messages[-1].get("content", "")), request)
        if isinstance(text, web.Response):
            return text
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        number = minds.number(self._seed, text)
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return web.json_response(
            {"id": f"chatcmpl-{number:x}", "object": "chat.completion", "created": 0, "model": model,
             "choices": [choice], "usage": usage}
        )  # fmt: skip

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        asked = await _object(request)
        if not isinstance(asked.get("inputs"), str):
            return web.json_response({"error": "Error in `inputs`: field required"}, status=400)
        text = await self._answer(asked["inputs"], request)
        if isinstance(text, web.Response):
            return text
        # a small model talks around its answer
        return web.json_response([{"generated_text": f"Here is the answer: {text} I hope this helps {{smile}}."}])

    async def _answer(self, prompt: str, request: web.Request) -> str | web.Response:
        fault = await self._met("llm", prompt, request)
        if isinstance(fault, web.Response):
            return fault
        if isinstance(fault, Says):
            return fault.text
        obeyed = minds.obeyed(prompt) if isinstance(fault, Obeys) else None
        return obeyed or minds.opinion(self._seed, prompt, self._mood(prompt))

    async def _met(self, target: str, text: str, request: web.Request) -> web.Response | Fault | None:
        """Count the call; the fault it meets, already acted out where that is the transport's matter."""
        self.calls[target] += 1
        self.requests.append({"target": target, "text": text[:4_000], "agent": request.headers.get("User-Agent", "")})
        fault = self.faults.take(target, [text])
        if isinstance(fault, HttpAnswer):
            return web.Response(
                status=fault.status, text=fault.body, content_type=fault.content_type, headers=fault.headers
            )
        if isinstance(fault, Stall | Drop):
            if isinstance(fault, Stall):
                await asyncio.sleep(fault.seconds)
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        return fault

    # Control.

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _show(self, request: web.Request) -> web.Response:
        moods = {match: vars(mood) for match, mood in self.moods.items()}
        return web.json_response(
            {"moods": moods, "faults": sorted(FAULTS), "calls": dict(self.calls), "requests": list(self.requests)}
        )

    async def _set_mood(self, request: web.Request) -> web.Response:
        asked = await _object(request)
        named = {name: str(asked[name]) for name in ("match", "delta_percent", "confidence") if name in asked}
        return _told(lambda: self.feel(str(asked.get("mood", "")), **named))

    async def _forget_moods(self, request: web.Request) -> web.Response:
        self.moods.clear()
        return web.Response(status=204)

    async def _set_fault(self, request: web.Request) -> web.Response:
        asked = await _object(request)
        target, fault = str(asked.pop("target", "")), str(asked.pop("fault", ""))
        times, match = asked.pop("times", 1), str(asked.pop("match", ""))
        more = {name: asked[name] for name in ("text", "seconds") if name in asked}
        return _told(lambda: self.fail(target, fault, times, match, **more))

    async def _forget_faults(self, request: web.Request) -> web.Response:
        self.faults.clear()
        return web.Response(status=204)


def _told(act: Any) -> web.Response:
    try:
        act()
    except ValueError as error:
        return web.json_response({"error": str(error)}, status=400)
    return web.Response(status=204)


async def _object(request: web.Request) -> dict[str, Any]:
    """The body as a JSON object; anything else is an empty one."""
    with contextlib.suppress(ValueError):
        value = json.loads(await request.text())
        if isinstance(value, dict):
            return value
    return {}
