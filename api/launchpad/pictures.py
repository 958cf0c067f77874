"""Pictures of a token: uploaded first, so that a launch carries only their ids."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any, Final, Literal, get_args
from uuid import UUID

from litestar import Request, Response, delete, get, post
from litestar.params import FromPath
from pydantic import BaseModel

from api.deps import Deps
from api.http import bodies, paging
from api.http.asked import AccountFilter, own_or_asked
from api.http.documented import guarded
from api.http.scopes import STAFF, Principal
from api.http.uploads import OVERHEAD, form_schema, uploaded
from domain.launchpad.cids import cid_of
from domain.launchpad.pictures import BYTES_MOST, Picture, read_picture
from domain.shared.errors import Rejected
from storage.database import transaction
from storage.intents.pictures import keep_picture, remove_picture
from storage.reads import pictures as reads

TAG: Final = "Launchpad"
Kind = Literal["image/png", "image/gif", "image/jpeg"]
_ID: Final = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
EXAMPLE: Final = {
    "id": _ID,
    "account_id": _ID,
    "sha256": "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9",
    "cid": "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e",
    "content_type": "image/png",
    "bytes": 48213,
    "width": 512,
    "height": 512,
    "created_at": "2026-11-21T04:00:00.000000Z",
}


class PictureView(BaseModel):
    """`cid`: under which name IPFS will have it, computed here."""

    id: str
    account_id: str
    sha256: str
    cid: str
    content_type: Kind
    bytes: int
    width: int
    height: int
    created_at: str


class PicturePage(BaseModel):
    items: list[PictureView]
    next_cursor: str | None


def _examined(content: bytes) -> tuple[Picture, str, str]:
    return read_picture(content), hashlib.sha256(content).hexdigest(), cid_of(content)


@post("/api/launchpad/assets", request_max_body_size=BYTES_MOST + OVERHEAD,
      **guarded("Upload a picture", "asset_unreadable", "asset_too_large", "asset_limit", "unsupported_media_type",
                tag=TAG, scopes=("launchpad:write",), form=form_schema("file"), response_example=EXAMPLE))  # fmt: skip
async def upload(request: Request[Any, Any, Any], deps: Deps, principal: Principal) -> Response[PictureView]:
    """A whole PNG, GIF or JPEG of at most 5 MB, by its content, as the form field `file`. The same content again is the
    same picture with the same id. Nothing is pinned before a launch uses it; one that no launch uses is removed after
    some days (LAUNCHPAD_ASSET_DAYS).
    """
    content = await uploaded(request, "file", too_large="asset_too_large")
    picture, sha256, cid = await asyncio.to_thread(_examined, content)
    async with transaction(deps.writes) as connection:
        picture_id = await keep_picture(
            connection, account_id=principal.account_id, picture=picture, sha256=sha256, cid=cid, content=content
        )
    row = await reads.picture(deps.reads, picture_id)
    assert row is not None
    return bodies.json_response(row["body"], 201, {"Location": f"/api/launchpad/assets/{picture_id}"})


@get("/api/launchpad/assets",
     **guarded("List pictures", "invalid_cursor", tag=TAG, scopes=("launchpad:read",),
               response_example={"items": [EXAMPLE], "next_cursor": None}))  # fmt: skip
async def list_pictures(
    request: Request[Any, Any, Any],
    deps: Deps,
    principal: Principal,
    account_id: AccountFilter = None,
    cursor: paging.Cursor = None,
    limit: paging.Limit = 50,
) -> Response[PicturePage]:
    """Newest first; a creator sees its own."""
    found = await reads.pictures(
        deps.reads, account_id=own_or_asked(principal, account_id), limit=limit, after=paging.after(request, cursor)
    )
    return paging.answer(request, [row["body"] for row in found.rows], found.next_key)


@get("/api/launchpad/assets/{picture_id:uuid}",
     **guarded("Read a picture's facts", tag=TAG, scopes=("launchpad:read",), response_example=EXAMPLE))  # fmt: skip
async def read(deps: Deps, principal: Principal, picture_id: FromPath[UUID]) -> Response[PictureView]:
    """What it is, how large, and its names."""
    row = await reads.picture(deps.reads, str(picture_id))
    if row is None:
        raise Rejected("not_found", "no such picture")
    principal.must_see(row["account_id"])
    return bodies.json_response(row["body"])


@get("/api/launchpad/assets/{picture_id:uuid}/content",
     **guarded("Read a picture", tag=TAG, scopes=("launchpad:read",), media=get_args(Kind)))  # fmt: skip
async def content(deps: Deps, principal: Principal, picture_id: FromPath[UUID]) -> Response[bytes]:
    """The bytes as they were uploaded."""
    row = await reads.content(deps.reads, str(picture_id))
    if row is None:
        raise Rejected("not_found", "no such picture")
    principal.must_see(row["account_id"])
    headers = {
        "ETag": f'"{row["sha256"]}"',
        "Cache-Control": "private, max-age=86400, immutable",
        "Content-Disposition": "inline",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return Response(bytes(row["content"]), media_type=row["content_type"], headers=headers)


@delete("/api/launchpad/assets/{picture_id:uuid}",
        **guarded("Remove a picture", "conflict", tag=TAG, scopes=("launchpad:write",),
                  roles=STAFF))  # fmt: skip
async def remove(deps: Deps, principal: Principal, picture_id: FromPath[UUID]) -> None:
    """For staff; one that a launch uses stays. What is pinned is not touched."""
    async with transaction(deps.writes) as connection:
        await remove_picture(connection, str(picture_id), principal=principal.account_id)
