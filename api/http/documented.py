"""One place where a route says who may call it and what it answers, for Litestar and for the OpenAPI document."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from litestar.datastructures import ResponseHeader
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from pydantic import BaseModel, ConfigDict, Field

from api.http.auth import requires
from api.http.problems import MEDIA_TYPE
from domain.shared.problems import PROBLEMS

ALWAYS: Final = ("validation_failed", "malformed_request", "not_found", "rate_limited", "internal_error",
                 "database_unavailable")  # fmt: skip
WITH_BODY: Final = ("unsupported_media_type", "payload_too_large")
WITH_KEY: Final = ("idempotency_in_flight", "idempotency_key_reused", "idempotency_key_required")
KEY_HEADER: Final = ResponseHeader(name="Idempotency-Hit", documentation_only=True, value="true",
                                   description="Present on a repeated answer.")  # fmt: skip


class FieldError(BaseModel):
    pointer: str = Field(description="JSON pointer into the body, or `query:name`.")
    message: str


class ProblemDocument(BaseModel):
    """RFC 9457. `code` is stable and documented at /api/problems/{code}."""

    model_config = ConfigDict(extra="allow")
    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    trace_id: str
    errors: list[FieldError] | None = None


def problems(*codes: str) -> dict[int, ResponseSpec]:
    """Litestar `responses` for these codes, grouped by status, each with an example."""
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in dict.fromkeys(codes):
        by_status[PROBLEMS[code].status].append(code)
    return {
        status: ResponseSpec(
            data_container=ProblemDocument,
            generate_examples=False,
            description="; ".join(f"`{c}`: {PROBLEMS[c].title}" for c in named),
            media_type=MEDIA_TYPE,
            examples=[Example(id=c, summary=PROBLEMS[c].title, value=example(c)) for c in named],
        )
        for status, named in sorted(by_status.items())
    }


def example(code: str) -> dict[str, Any]:
    """What a problem of this code looks like."""
    entry = PROBLEMS[code]
    shown: dict[str, Any] = {
        "type": f"https://holdfast.example/api/problems/{code}",
        "title": entry.title,
        "status": entry.status,
        "detail": entry.advice,
        "code": code,
        "instance": "/api/…",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    }
    if code == "validation_failed":
        shown["errors"] = [{"pointer": "/amount_usdc", "message": "Field required"}]
    return shown


def public(summary: str, *codes: str, tag: str, body: bool = False, **more: Any) -> dict[str, Any]:
    """Arguments of a route that needs no key."""
    named = (*ALWAYS, *(WITH_BODY if body else ()), *codes)
    return _route(summary, tag, named, more)


def guarded(
    summary: str,
    *codes: str,
    tag: str,
    scopes: tuple[str, ...] = (),
    roles: tuple[str, ...] = (),
    body: bool = False,
    keyed: bool = False,
    from_temporal_ui: bool = False,
    **more: Any,
) -> dict[str, Any]:
    """Arguments of a route for principals with these scopes and roles.

    Args:  codes  problems beside those every guarded route has.   body  takes a JSON body.
           keyed  takes an Idempotency-Key.   from_temporal_ui  also for pages of the Temporal UI.
           more   passed to Litestar; `request_example`, `response_example`, `csv`, `form`, `media` go to the document.
    """
    named: tuple[str, ...] = ("unauthorized", "forbidden", "csrf_failed", *ALWAYS)
    named += (WITH_BODY if body else ()) + (WITH_KEY if keyed else ()) + codes
    if keyed:
        more["response_headers"] = [*more.get("response_headers", ()), KEY_HEADER]
    about = [f"Scopes: {', '.join(f'`{s}`' for s in scopes)}."] if scopes else []
    about += [f"Roles: {', '.join(roles)}."] if roles else []
    more["guards"] = [requires(*scopes, roles=roles, from_temporal_ui=from_temporal_ui)]
    more["security"] = [{"key": []}, {"session": []}]
    return _route(summary, tag, named, more, about=" ".join(about))


def _route(summary: str, tag: str, codes: tuple[str, ...], more: dict[str, Any], about: str = "") -> dict[str, Any]:
    extra = {k: more.pop(k) for k in ("request_example", "response_example", "csv", "form", "media") if k in more}
    responses = problems(*codes) | more.pop("responses", {})
    return {
        "summary": summary,
        "tags": [tag],
        "responses": responses,
        "opt": {"about": about, **extra},
        "raises": [],
        **more,
    }
