"""The token's metadata file as wallets and explorers read it (Metaplex's standard for fungible tokens).

The same request gives the same bytes, so the same CID: keys in order, no spaces, UTF-8. Source: LP-081.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from domain.launchpad.request import PICTURES, LaunchRequest


class Pinned(NamedTuple):
    """A picture of the token: where anybody reads it."""

    cid: str
    content_type: str


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class File(_Part):
    uri: str
    type: str


class Properties(_Part):
    category: str = "image"
    files: tuple[File, ...] = ()


class Extensions(_Part):
    """Where the project is at home, and its pictures besides the logo."""

    twitter: str | None = None
    telegram: str | None = None
    website: str | None = None
    discord: str | None = None
    banner: str | None = None
    icon: str | None = None


class Metadata(_Part):
    """`image` is the logo. What the creator left out is absent."""

    name: str
    symbol: str
    description: str
    image: str | None = None
    external_url: str | None = None
    properties: Properties = Properties()
    extensions: Extensions = Extensions()


def uri_of(gateway: str, cid: str) -> str:
    """Where anybody reads a pinned file."""
    return f"{gateway.rstrip('/')}/{cid}"


def metadata_of(request: LaunchRequest, pictures: Mapping[str, Pinned], gateway: str) -> Metadata:
    """`pictures`: by what they are: logo, banner, icon."""
    uris = {name: uri_of(gateway, picture.cid) for name, picture in pictures.items()}
    kinds = {uris[name]: pictures[name].content_type for name in PICTURES if name in pictures}
    return Metadata(
        name=request.name,
        symbol=request.symbol,
        description=request.description,
        image=uris.get("logo"),
        external_url=request.links.website,
        properties=Properties(files=tuple(File(uri=uri, type=kind) for uri, kind in kinds.items())),
        extensions=Extensions(**request.links.model_dump(), banner=uris.get("banner"), icon=uris.get("icon")),
    )


def canonical(metadata: Metadata) -> bytes:
    """The file."""
    value = metadata.model_dump(exclude_none=True)
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
