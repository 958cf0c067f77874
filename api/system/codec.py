"""The codec server of Temporal's UI and command line: payloads encrypted with PAYLOAD_KEYS, shown to operators."""

from __future__ import annotations

from typing import Annotated, Any, Final

from litestar import Request, Response, post
from litestar.params import JSONBody
from pydantic import BaseModel, ConfigDict, Field

from api.deps import Deps
from api.http import bodies
from api.http.documented import guarded
from api.http.inputs import Input
from api.http.scopes import STAFF
from domain.shared.errors import Rejected

TAG: Final = "System"
LARGEST: Final = 6 * 1024 * 1024
"""Temporal keeps payloads of two megabytes, four in a message; base64 makes a third more of them."""
_BASE64: Final = r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
Bytes = Annotated[str, Field(pattern=_BASE64)]
_CLEAR: Final = {"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "IkFkYSI="}]}
_SEALED: Final = {
    "payloads": [
        {"metadata": {"encoding": "YmluYXJ5L2VuY3J5cHRlZA==", "encryption-key-id": "azE="}, "data": "c2VhbGVkIGJ5dGVz"}
    ]
}


class CodecPayload(BaseModel):
    """One payload in Temporal's JSON form; bytes are base64."""

    model_config = ConfigDict(extra="allow")
    metadata: dict[str, Bytes] = {}
    data: Bytes = ""


class CodecPayloads(Input):
    """What the Temporal UI sends and expects."""

    payloads: list[CodecPayload]


def _route(summary: str, scope: str, asked: dict[str, Any], answered: dict[str, Any]) -> dict[str, Any]:
    return guarded(
        summary,
        "payload_keys_missing",
        tag=TAG,
        scopes=(scope,),
        roles=STAFF,
        body=True,
        from_temporal_ui=True,
        request_max_body_size=LARGEST,
        request_example=asked,
        response_example=answered,
    )


def _no_keys() -> Rejected:
    return Rejected("payload_keys_missing", "PAYLOAD_KEYS is not set in this process: payloads are kept in clear")


@post("/api/codec/decode", status_code=200, **_route("Decode payloads", "system:read", _SEALED, _CLEAR))
async def decode(request: Request[Any, Any, Any], deps: Deps, data: JSONBody[CodecPayloads]) -> Response[CodecPayloads]:
    """Temporal's remote codec protocol. What no key of the ring opens, and what is not encrypted, comes back as it is.
    The Temporal UI (TEMPORAL_UI_URL) may call this from its own origin with an operator's session.
    """
    if deps.codec is None:
        raise _no_keys()
    return bodies.json_response(await deps.codec.decode(await request.body()))


@post("/api/codec/encode", status_code=200, **_route("Encode payloads", "system:write", _CLEAR, _SEALED))
async def encode(request: Request[Any, Any, Any], deps: Deps, data: JSONBody[CodecPayloads]) -> Response[CodecPayloads]:
    """Temporal's remote codec protocol: the newest key encrypts. For input that is given in the Temporal UI."""
    if deps.codec is None:
        raise _no_keys()
    return bodies.json_response(await deps.codec.encode(await request.body()))
