"""Every refusal as application/problem+json (RFC 9457), whoever raised it: our own errors, Litestar, or a defect.

Statuses and titles come from domain.shared.problems; a defect tells the client nothing but its trace id.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import psycopg
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import ExceptionHandlersMap
from psycopg_pool import PoolTimeout

from domain.shared.errors import Broken, Failure, Rejected, Unavailable
from domain.shared.problems import PROBLEMS, Problem

MEDIA_TYPE: Final = "application/problem+json"
_RESERVED: Final = frozenset({"type", "title", "status", "detail", "code", "instance", "trace_id", "errors", "pointer"})
_BY_STATUS: Final = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "payload_too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
    503: "unavailable",
}
_NO_BODY: Final = {"key": "data", "message": "'data'"}
"""What Litestar says of a body that is `null`."""
_log = structlog.get_logger("api")


def lookup(code: str, status: int = 409) -> Problem:
    """The catalogue's entry. A code a process answered that is not listed keeps its name."""
    return PROBLEMS.get(code) or Problem(status, code.replace("_", " ").capitalize() + ".", "")


def body(public_url: str, code: str, detail: str, *, instance: str, trace_id: str, **more: object) -> bytes:
    """The JSON text of one problem."""
    entry = lookup(code)
    problem = {
        "type": f"{public_url}/api/problems/{code}",
        "title": entry.title,
        "status": entry.status,
        "detail": detail or entry.advice,
        "code": code,
        "instance": instance,
        "trace_id": trace_id,
    }
    return msgspec.json.encode(problem | {k: v for k, v in more.items() if v})


def trace_id(request: Request[Any, Any, Any]) -> str:
    """The id under which this request is in the log."""
    return str(request.scope.get("trace_id", ""))


def respond(
    request: Request[Any, Any, Any], code: str, detail: str = "", headers: dict[str, str] | None = None, **more: object
) -> Response[bytes]:
    """A problem as a response."""
    public_url: str = request.app.state.public_url
    content = body(public_url, code, detail, instance=request.url.path, trace_id=trace_id(request), **more)
    return Response(content, status_code=lookup(code).status, media_type=MEDIA_TYPE, headers=headers or {})


def _on_failure(request: Request[Any, Any, Any], error: Failure) -> Response[bytes]:
    headers: dict[str, str] = {}
    if isinstance(error, Unavailable):
        headers["Retry-After"] = str(error.retry_after_s)
        _log.warning("unavailable", code=error.code, detail=error.detail, trace_id=trace_id(request))
    if isinstance(error, Broken):
        _log.error("broken", code=error.code, detail=error.detail, trace_id=trace_id(request), exc_info=error)
        return respond(request, error.code if error.code in PROBLEMS else "internal_error")
    if error.code == "rate_limited":
        headers["Retry-After"] = str(error.data.get("retry_after_s", 1))
    if error.code == "unauthorized":
        headers["WWW-Authenticate"] = "Bearer"
    more = {k: v for k, v in error.data.items() if k not in _RESERVED}
    pointer = error.data.get("pointer")
    errors = [{"pointer": pointer, "message": error.detail}] if isinstance(error, Rejected) and pointer else None
    return respond(request, error.code, error.detail, headers, errors=errors, **more)


def _on_validation(request: Request[Any, Any, Any], error: ValidationException) -> Response[bytes]:
    errors = [_pointed(item) for item in error.extra or [] if isinstance(item, dict) and item != _NO_BODY]
    if not errors:
        return respond(request, "malformed_request", "the body is missing or cannot be read as JSON")
    return respond(request, "validation_failed", "one or more fields are not acceptable", errors=errors)


def _pointed(item: dict[str, Any]) -> dict[str, str]:
    key = str(item.get("key", "")).replace("~", "~0").replace("/", "~1").replace(".", "/")
    source = item.get("source")
    where = str(getattr(source, "value", source) or "body")
    pointer = (f"/{key}" if key else "") if where == "body" else f"{where}:{key}"
    return {"pointer": pointer, "message": str(item.get("message", "not acceptable"))[:300]}


def _on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    if error.status_code >= 500:
        return _on_defect(request, error)
    code = _BY_STATUS.get(error.status_code, "malformed_request")
    headers = {k.title(): v for k, v in (error.headers or {}).items()}
    detail = "" if error.status_code in (404, 405) else str(error.detail)[:300]
    return respond(request, code, detail, headers)


def _on_database(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    _log.warning("unavailable", code="database_unavailable", detail=type(error).__name__, trace_id=trace_id(request))
    return respond(request, "database_unavailable", headers={"Retry-After": "1"})


def _on_defect(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    _log.error("defect", trace_id=trace_id(request), path=request.url.path, exc_info=error)
    return respond(request, "internal_error")


def handlers() -> ExceptionHandlersMap:
    """What Litestar shall do with each exception. The most exact class wins."""
    table: dict[Any, Any] = {
        Failure: _on_failure,
        ValidationException: _on_validation,
        HTTPException: _on_http,
        psycopg.OperationalError: _on_database,
        PoolTimeout: _on_database,
        Exception: _on_defect,
    }
    return table
