"""Around everything, also around 404 and 405: trace id, what no route takes, security headers, request metrics."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from typing import Any, Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from api.deps import ApiConfig
from api.http import problems
from api.http.cors import Cors, origin_of
from api.http.uploads import FORM, PATHS

_TRACEPARENT: Final = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}\Z")
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{8,64}\Z")
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
API_POLICY: Final = b"default-src 'none'; frame-ancestors 'none'"


class RequestMetrics:
    """Counts and times by route template, never by path, so that ids do not become labels."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "holdfast_http_requests", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "holdfast_http_request_seconds", "Time to answer.", ["method", "route"], buckets=_BUCKETS, registry=registry
        )
        self.streams = Gauge("holdfast_event_streams", "Open event streams.", registry=registry)
        self.answered = 0
        self.failed = 0

    @property
    def error_rate_bps(self) -> int:
        """Answers of 500 and above, of ten thousand."""
        return self.failed * 10_000 // max(1, self.answered)

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        self.answered += 1
        self.failed += status >= 500
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(method, route).observe(seconds)


class Edge:
    """The outermost ASGI layer."""

    def __init__(
        self, app: ASGIApp, config: ApiConfig, metrics: RequestMetrics, allowed: Callable[[str], str | None]
    ) -> None:
        """`allowed`: path → methods it takes, comma separated; None for a path no route has."""
        self._app = app
        self._allowed = allowed
        self._config = config
        self._metrics = metrics
        self._cors = Cors(origin_of(config.temporal_ui_url))
        self._headers = [
            (b"x-content-type-options", b"nosniff"),
            (b"x-frame-options", b"DENY"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-opener-policy", b"same-origin"),
            (b"cross-origin-resource-policy", b"same-origin"),
            (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
        ]
        if config.secure:
            self._headers.append((b"strict-transport-security", b"max-age=31536000; includeSubDomains"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        trace_id = _trace_id(scope)
        scope["trace_id"] = trace_id  # type: ignore[typeddict-unknown-key]
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*self._dress(message.get("headers", ()), trace_id), *self._cors.headers(scope)]
            await send(message)

        try:
            refusal = _refusal(scope)
            if refusal is not None:
                await self._refuse(scope, noting, *refusal, trace_id)
            elif scope["method"] == "OPTIONS" and (allow := self._allowed(scope["path"])):
                await noting({"type": "http.response.start", "status": 204, "headers": [(b"allow", allow.encode())]})
                await noting({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                await self._app(scope, receive, noting)
        finally:
            route = str(scope.get("path_template") or "unmatched")
            method = scope["method"] if scope["method"] in _METHODS else "OTHER"
            self._metrics.note(method, route, status, time.perf_counter() - started)

    def _dress(self, headers: Any, trace_id: str) -> list[tuple[bytes, bytes]]:
        dressed = [(bytes(k), bytes(v)) for k, v in headers]
        present = {k.lower() for k, _ in dressed}
        dressed += self._headers
        dressed.append((b"x-request-id", trace_id.encode()))
        if b"content-security-policy" not in present:
            dressed.append((b"content-security-policy", API_POLICY))
        if b"cache-control" not in present:
            dressed.append((b"cache-control", b"no-store"))
        return dressed

    async def _refuse(self, scope: Any, send: Send, code: str, detail: str, trace_id: str) -> None:
        content = problems.body(
            self._config.public_url, code, detail, instance=_printable(scope["path"]), trace_id=trace_id
        )
        headers = [(b"content-type", problems.MEDIA_TYPE.encode()), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": problems.lookup(code).status, "headers": headers})
        await send({"type": "http.response.body", "body": content, "more_body": False})


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _printable(path: str) -> str:
    return path.encode("ascii", "replace").decode().replace("\x00", "?")


def _header(scope: Any, name: bytes) -> bytes | None:
    return next((value for key, value in scope["headers"] if key == name), None)


def _trace_id(scope: Any) -> str:
    parent = _header(scope, b"traceparent")
    if parent is not None and (match := _TRACEPARENT.match(parent)):
        return match.group(1).decode()
    given = _header(scope, b"x-request-id")
    if given is not None and _REQUEST_ID.match(given):
        return given.decode()
    return uuid.uuid4().hex


def _refusal(scope: Any) -> tuple[str, str] | None:
    if "\x00" in scope["path"] or b"%00" in scope["query_string"] or b"\x00" in scope["query_string"]:
        return "malformed_request", "NUL bytes are not allowed in a path or query"
    if scope["method"] in _WITH_BODY:
        length, kind = _header(scope, b"content-length"), _header(scope, b"content-type")
        has_body = (length not in (None, b"0")) or _header(scope, b"transfer-encoding") is not None
        wanted = FORM if scope["path"] in PATHS else "application/json"
        if has_body and (kind or b"").split(b";")[0].strip().lower() != wanted.encode():
            return "unsupported_media_type", f"send Content-Type: {wanted}"
    return None
