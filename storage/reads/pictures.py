"""Uploaded pictures as their creators see them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from storage.database import Pool
from storage.reads.base import Found, Listing, Row, fetch_all, fetch_item, fetch_one, fetch_page, moment

PICTURES: Final = Listing(
    body=f"""json_build_object('id', p.id, 'account_id', p.account_id, 'sha256', p.sha256, 'cid', p.cid,
      'content_type', p.content_type, 'bytes', octet_length(p.content), 'width', p.width, 'height', p.height,
      'created_at', {moment("p.created_at")})""",
    source="launchpad.assets p",
    key="p.id",
    extra="p.account_id::text AS account_id",
)


async def pictures(pool: Pool, *, account_id: str | None, limit: int, after: str | None) -> Found:
    return await fetch_page(pool, PICTURES, [("p.account_id = %s::uuid", account_id)], limit=limit, after=after)


async def picture(pool: Pool, picture_id: str) -> Row | None:
    return await fetch_item(pool, PICTURES, picture_id)


async def content(pool: Pool, picture_id: str) -> Row | None:
    """The picture itself."""
    query = "SELECT account_id::text AS account_id, sha256, content_type, content FROM launchpad.assets WHERE id = %s"
    return await fetch_one(pool, query, [picture_id])


async def own(pool: Pool, account_id: str, picture_ids: Collection[str]) -> frozenset[str]:
    """Which of these pictures are the account's."""
    rows = await fetch_all(
        pool,
        "SELECT id::text AS id FROM launchpad.assets WHERE account_id = %s AND id = ANY(%s::uuid[])",
        [account_id, list(picture_ids)],
    )
    return frozenset(row["id"] for row in rows)
