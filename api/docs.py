"""The OpenAPI 3.1 document and its pages, from vendored files alone.

Litestar builds the skeleton; the schemas of bodies and answers are pydantic's own, because Litestar's conversion drops
patterns, `additionalProperties: false` and examples. What a route says in `opt` (see api.http.documented) is added.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, cast

import msgspec
from litestar import Litestar, Request, Response, Router, get
from litestar.connection import ASGIConnection
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.params import FromPath
from litestar.routes import HTTPRoute
from litestar.status_codes import HTTP_204_NO_CONTENT
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.http import bodies
from api.http.inputs import Input

_STATIC: Final = Path(__file__).parent / "static"
_REF: Final = "#/components/schemas/{model}"
_FILES: Final = {
    "swagger-ui-bundle.js": ("vendor/swagger-ui/swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": ("vendor/swagger-ui/swagger-ui.css", "text/css"),
    "docs.js": ("docs.js", "text/javascript"),
}
_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self';"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_KEY_HEADER: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Unique per intent; the same key and body give the same answer for 7 days.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_NEEDS_KEY: Final = frozenset(
    {
        "/api/exchange/withdrawals",
        "/api/exchange/assets",
        "/api/exchange/assets/{asset_id}/contributions",
        "/api/exchange/assets/{asset_id}/halt",
        "/api/exchange/assets/{asset_id}/refresh-signal",
        "/api/exchange/trades",
        "/api/exchange/lp-withdrawals",
        "/api/exchange/lp-fee-claims",
        "/api/system/corrections",
        "/api/copytrade/users",
        "/api/copytrade/backfill",
        "/api/copytrade/snapshots/rebuild",
        "/api/copytrade/portfolio/global/cash",
        "/api/copytrade/portfolio/global/reset",
        "/api/copytrade/portfolio/global/close",
        "/api/copytrade/users/{user_id}/cash",
        "/api/copytrade/users/{user_id}/reset",
        "/api/copytrade/users/{user_id}/close",
        "/api/copytrade/config/test",
        "/api/launchpad/deploy-token",
        "/api/launchpad/sales/{sale_id}/submit",
    }
)
"""POST there moves money or starts a process."""


def _nobody(_connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Litestar's own pages load scripts from elsewhere: they do not exist here."""
    raise NotFoundException


def config(version: str) -> OpenAPIConfig:
    """What Litestar needs for the skeleton. Its own pages are not used."""
    return OpenAPIConfig(
        title="Holdfast",
        version=version,
        summary="Durable jobs for crypto operations.",
        description="Amounts are decimal strings, times RFC 3339 in UTC, errors application/problem+json.",
        openapi_router=Router(
            "/api/.litestar", route_handlers=[], include_in_schema=False, dto=None, return_dto=None, guards=[_nobody]
        ),
        use_handler_docstrings=True,
        create_examples=False,
        components=[
            Components(
                security_schemes={
                    "key": SecurityScheme(type="http", scheme="bearer", description="An API key, `hf_…`."),
                    "session": SecurityScheme(
                        type="apiKey", security_scheme_in="cookie", name="hf_session",
                        description="From POST /api/auth/login; unsafe methods also need X-CSRF-Token.",
                    ),
                }
            )
        ],
        tags=[Tag(name=name) for name in ("System", "Operations", "Events", "Webhooks", "Accounts", "Sessions",
                                          "Exchange: custody", "Exchange: market", "Launchpad")],
    )  # fmt: skip


def _subclasses(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for child in base.__subclasses__():
        yield child
        yield from _subclasses(child)


def _models(names: set[str]) -> list[type[BaseModel]]:
    ours = {m.__name__: m for m in _subclasses(BaseModel) if m.__module__.startswith(("api.", "dashboard."))}
    return [ours[name] for name in sorted(names & set(ours))]


def build(app: Litestar) -> dict[str, Any]:
    """The whole document."""
    document = cast("dict[str, Any]", msgspec.json.decode(msgspec.json.encode(app.openapi_schema.to_schema())))
    schemas: dict[str, Any] = document["components"]["schemas"]
    models = _models(set(schemas))
    modes: Any = [(m, "validation" if issubclass(m, Input) else "serialization") for m in models]
    _, exact = models_json_schema(modes, ref_template=_REF)
    schemas.update(exact.get("$defs", {}))
    for route in app.routes:
        if isinstance(route, HTTPRoute) and route.path_format in document["paths"]:
            for method, (handler, _) in route.route_handler_map.items():
                operation = document["paths"][route.path_format].get(method.lower())
                if operation is not None:
                    _complete(route.path_format, method.lower(), operation, handler)
    return document


def _complete(path: str, method: str, operation: dict[str, Any], handler: HTTPRouteHandler) -> None:
    opt = handler.opt
    operation["description"] = "\n\n".join(
        part for part in (operation.get("description", ""), opt.get("about", "")) if part
    )
    answer = operation["responses"].get(str(handler.status_code), {}).get("content", {})
    if "response_example" in opt and "application/json" in answer:
        answer["application/json"]["example"] = opt["response_example"]
    if handler.status_code == HTTP_204_NO_CONTENT:
        operation["responses"]["204"].pop("content", None)
    if "media" in opt:
        binary = {"schema": {"type": "string", "format": "binary"}}
        operation["responses"]["200"]["content"] = {kind: binary for kind in opt["media"]}
    if opt.get("csv"):
        answer["text/csv"] = {"schema": {"type": "string"}}
    body = operation.get("requestBody")
    if "form" in opt:
        operation["requestBody"] = opt["form"]
    if body is not None:
        if "request_example" in opt:
            body["content"]["application/json"]["example"] = opt["request_example"]
        body["required"] = not _optional_body(body)
    if "409" in operation["responses"] and "idempotency_in_flight" in operation["responses"]["409"]["description"]:
        needed = method == "post" and path in _NEEDS_KEY
        operation.setdefault("parameters", []).append(_KEY_HEADER | {"required": needed})


def _optional_body(body: dict[str, Any]) -> bool:
    schema = body["content"]["application/json"]["schema"]
    options = schema.get("oneOf") or schema.get("anyOf") or []
    return any(option.get("type") == "null" for option in options)


@get("/api/openapi.json", include_in_schema=False)
async def document(request: Request[Any, Any, Any]) -> Response[Any]:
    """The OpenAPI document."""
    if not hasattr(request.app.state, "document"):
        request.app.state.document = msgspec.json.encode(build(request.app))
    return bodies.json_response(request.app.state.document)


@lru_cache(8)
def _file(name: str) -> bytes:
    return (_STATIC / name).read_bytes()


@get("/api/docs", include_in_schema=False)
async def page() -> Response[Any]:
    """The documentation, for people."""
    headers = {"Content-Security-Policy": _PAGE_POLICY}
    return Response(_file("docs.html"), media_type="text/html", headers=headers)


@get("/api/docs/{name:str}", include_in_schema=False)
async def asset(name: FromPath[str]) -> Response[Any]:
    """What the page loads: vendored files, listed with their hashes in static/vendor/vendor.json."""
    if name not in _FILES:
        raise NotFoundException
    path, kind = _FILES[name]
    return Response(_file(path), media_type=kind, headers={"Cache-Control": "public, max-age=3600"})
