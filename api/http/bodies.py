"""JSON text from Postgres on its way out: fields that only Python can make are added, the rest is passed through."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
from litestar import Response

from gateways.evm.addresses import checksum

JSON = "application/json"


def splice(body: str, **fields: object) -> str:
    """A JSON object's text with fields put in front; the object's own text is not parsed."""
    added = msgspec.json.encode(fields).decode()
    rest = body.lstrip()[1:].lstrip()
    return added[:-1] + ("," if not rest.startswith("}") else "") + rest


@lru_cache(4096)
def shown(address: str) -> str:
    """The EIP-55 form of a lower-case address."""
    return checksum(address)


def json_response(body: str | bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response[Any]:
    """JSON text as it is."""
    content = body.encode() if isinstance(body, str) else body
    return Response(content, status_code=status, media_type=JSON, headers=headers or {})


def encoded(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response[Any]:
    """A value as JSON."""
    return json_response(msgspec.json.encode(value), status, headers)
