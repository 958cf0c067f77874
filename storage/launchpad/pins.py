"""What launches have pinned. A row stands before its file is pinned, so that whatever was begun can be undone.

A file may belong to several launches: it is unpinned with the last of them. While one launch unpins it, no other may
claim it, else its fresh pin would be taken away.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from domain.launchpad.cids import cid_of
from domain.launchpad.metadata import Pinned, canonical, metadata_of, uri_of
from domain.launchpad.request import LaunchRequest
from domain.shared.errors import Broken, Rejected, Unavailable
from storage.books import Books
from storage.database import Connection

METADATA: Final = "metadata"

_CLAIM: Final = """
INSERT INTO launchpad.pins (cid, launch_id, kind, content) VALUES (%s, %s, %s, %s)
ON CONFLICT (cid, launch_id) DO UPDATE SET releasing_at = NULL, unpinned_at = NULL
"""


class PinFile(NamedTuple):
    """A file to be pinned under a name for people."""

    cid: str
    name: str
    content: bytes


class PinStore:
    """`gateway`: where anybody reads what is pinned."""

    def __init__(self, books: Books, gateway: str) -> None:
        self.books = books
        self.gateway = gateway

    async def claim_pictures(self, launch_id: str) -> list[PinFile]:
        """The launch's pictures; each is the launch's from now on.

        Raises: Unavailable pinning_unavailable while another launch unpins one of them.
        """
        async with self.books.begin() as book:
            request = await _request(book.connection, launch_id)
            found = await _pictures(book.connection, request)
            await _lock(book.connection, (cid for _, cid, _, _ in found))
            for name, cid, _, _ in found:
                await _claim(book.connection, launch_id, cid, name, None)
        files = {cid: PinFile(cid, f"{request.symbol} {name}", content) for name, cid, _, content in found}
        return list(files.values())

    async def claim_metadata(self, launch_id: str) -> PinFile:
        """The launch's metadata file, made once and kept: its CID must not change with a setting."""
        async with self.books.begin() as book:
            request = await _request(book.connection, launch_id)
            kept = await _kept(book.connection, launch_id)
            if kept is None:
                found = await _pictures(book.connection, request)
                pictures = {name: Pinned(cid, content_type) for name, cid, content_type, _ in found}
                kept = canonical(metadata_of(request, pictures, self.gateway))
            cid = cid_of(kept)
            await _lock(book.connection, [cid])
            await _claim(book.connection, launch_id, cid, METADATA, kept)
        return PinFile(cid, f"{request.symbol} {METADATA}", kept)

    async def record(self, launch_id: str, cids: Iterable[str]) -> None:
        """The pinning node keeps them."""
        async with self.books.begin() as book:
            await _mark_pinned(book.connection, launch_id, list(cids))

    async def record_metadata(self, launch_id: str, cid: str) -> str:
        """The pinning node keeps the metadata: the launch has it from now on. Returns where anybody reads it."""
        async with self.books.begin() as book:
            await _mark_pinned(book.connection, launch_id, [cid])
            cursor = await book.connection.execute(
                """UPDATE launchpad.launches SET metadata_cid = %(cid)s,
                     metadata_uri = coalesce(metadata_uri, %(uri)s), updated_at = clock_timestamp()
                   WHERE id = %(id)s AND (metadata_cid IS NULL OR metadata_cid = %(cid)s) RETURNING metadata_uri""",
                {"cid": cid, "uri": uri_of(self.gateway, cid), "id": launch_id},
            )
            row = await cursor.fetchone()
            if row is None:
                raise Broken("pin_mismatch", f"launch {launch_id} has another metadata file than {cid}")
            return str(row["metadata_uri"])

    async def release(self, launch_id: str) -> list[str]:
        """Give up everything this launch has pinned. Returns what no other launch holds: it is to be unpinned."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                "SELECT cid FROM launchpad.pins WHERE launch_id = %s AND unpinned_at IS NULL", [launch_id]
            )
            held = sorted(row["cid"] for row in await cursor.fetchall())
            await _lock(book.connection, held)
            cursor = await book.connection.execute(
                """UPDATE launchpad.pins p SET releasing_at = clock_timestamp(), unpinned_at = CASE WHEN EXISTS (
                     SELECT FROM launchpad.pins o WHERE o.cid = p.cid AND o.launch_id <> p.launch_id
                       AND o.releasing_at IS NULL AND o.unpinned_at IS NULL) THEN clock_timestamp() END
                   WHERE launch_id = %s AND cid = ANY(%s) AND unpinned_at IS NULL RETURNING cid, unpinned_at""",
                [launch_id, held],
            )
            return sorted(row["cid"] for row in await cursor.fetchall() if row["unpinned_at"] is None)

    async def released(self, launch_id: str) -> None:
        """What was to be unpinned is."""
        async with self.books.begin() as book:
            await book.connection.execute(
                """UPDATE launchpad.pins SET unpinned_at = clock_timestamp()
                   WHERE launch_id = %s AND releasing_at IS NOT NULL AND unpinned_at IS NULL""",
                [launch_id],
            )


async def _request(connection: Connection, launch_id: str) -> LaunchRequest:
    cursor = await connection.execute("SELECT request FROM launchpad.launches WHERE id = %s", [launch_id])
    row = await cursor.fetchone()
    if row is None:
        raise Rejected("not_found", f"launch {launch_id}")
    return LaunchRequest.model_validate(row["request"])


async def _pictures(connection: Connection, request: LaunchRequest) -> list[tuple[str, str, str, bytes]]:
    """What each picture is, its CID, its type and its bytes."""
    cursor = await connection.execute(
        "SELECT id, cid, content_type, content FROM launchpad.assets WHERE id = ANY(%s::uuid[])",
        [list(request.pictures.values())],
    )
    rows = {row["id"]: row for row in await cursor.fetchall()}
    missing = [name for name, picture_id in request.pictures.items() if picture_id not in rows]
    if missing:
        raise Rejected("launch_refused", f"the picture is gone: {', '.join(missing)}")
    found = [(name, rows[picture_id]) for name, picture_id in request.pictures.items()]
    return [(name, row["cid"], row["content_type"], bytes(row["content"])) for name, row in found]


async def _kept(connection: Connection, launch_id: str) -> bytes | None:
    cursor = await connection.execute(
        "SELECT content FROM launchpad.pins WHERE launch_id = %s AND kind = %s AND content IS NOT NULL",
        [launch_id, METADATA],
    )
    row = await cursor.fetchone()
    return bytes(row["content"]) if row is not None else None


async def _lock(connection: Connection, cids: Iterable[str]) -> None:
    """Whoever claims or releases a file waits for whoever does; in order, so that nobody waits in a circle."""
    for cid in sorted(set(cids)):
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))", [cid])


async def _claim(connection: Connection, launch_id: str, cid: str, kind: str, content: bytes | None) -> None:
    cursor = await connection.execute(
        """SELECT launch_id FROM launchpad.pins
           WHERE cid = %s AND launch_id <> %s AND releasing_at IS NOT NULL AND unpinned_at IS NULL""",
        [cid, launch_id],
    )
    if (row := await cursor.fetchone()) is not None:
        raise Unavailable("pinning_unavailable", f"launch {row['launch_id']} is unpinning {cid}")
    await connection.execute(_CLAIM, [cid, launch_id, kind, content])


async def _mark_pinned(connection: Connection, launch_id: str, cids: list[str]) -> None:
    await connection.execute(
        """UPDATE launchpad.pins SET pinned_at = coalesce(pinned_at, clock_timestamp())
           WHERE launch_id = %s AND cid = ANY(%s)""",
        [launch_id, cids],
    )
