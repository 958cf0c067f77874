"""Small parts of the HTTP side: what a handler is given, and how refusals and faults look."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from localnet.evm_faults import Drop, HttpAnswer, Stall
from localnet.polymarket.asked import Asked, Refused

Handler = Callable[[web.Request], Any]
BUSTERS = ("_", "t", "ts", "nonce", "cb", "cachebust", "cache_buster")
"""Parameters that only make a URL another one."""


def get(answer: Callable[[Asked], Any]) -> Handler:
    async def handle(request: web.Request) -> Any:
        return answer(Asked(request.query))

    return handle


def post(answer: Callable[[Any], Any]) -> Handler:
    async def handle(request: web.Request) -> Any:
        try:
            body = json.loads(await request.text())
        except ValueError as error:
            raise Refused("Invalid payload") from error
        return answer(body)

    return handle


def key(answer: Callable[[str], Any]) -> Handler:
    async def handle(request: web.Request) -> Any:
        return answer(request.match_info["key"])

    return handle


def plain(request: web.Request) -> str:
    """The question without what only makes the URL another one, parameters in order."""
    asked = sorted((name, value) for name, value in request.query.items() if name not in BUSTERS)
    return f"{request.path}?{asked}"


def refusal(error: Refused, path: str, trace: str) -> dict[str, Any]:
    if path.startswith("/gamma/"):
        return {"type": error.code.replace("_", " ") + " error", "error": error.error}
    if not path.startswith("/data/v2/"):
        return {"error": error.error}
    value = {"error": error.error, "code": error.code, "retryable": error.status in (429, 503), "trace_id": trace}
    return {**value, "parameter": error.parameter} if error.parameter else value


def odd(fault: HttpAnswer) -> web.Response:
    return web.Response(status=fault.status, text=fault.body, content_type=fault.content_type, headers=fault.headers)


async def gone(request: web.Request, fault: Stall | Drop) -> web.Response:
    if isinstance(fault, Stall):
        await asyncio.sleep(fault.seconds)
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def told(act: Callable[[], Any]) -> web.Response:
    try:
        value = act()
        if asyncio.iscoroutine(value):
            value = await value
    except (ValueError, TypeError, KeyError) as error:
        return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
    return web.Response(status=204) if value is None else web.json_response(value)


async def json_object(request: web.Request) -> dict[str, Any]:
    """The body as a JSON object; anything else is an empty one."""
    with contextlib.suppress(ValueError):
        value = json.loads(await request.text() or "{}")
        if isinstance(value, dict):
            return value
    return {}
