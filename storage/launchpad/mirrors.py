"""Which files of live launches stand on Arweave as well. A row is a file, however many launches have it."""

from __future__ import annotations

from typing import Final, NamedTuple

from storage.books import Books

_WAITING: Final = """
FROM launchpad.pins p JOIN launchpad.launches l ON l.id = p.launch_id AND l.status = 'live'
LEFT JOIN launchpad.mirrors m ON m.cid = p.cid
WHERE p.pinned_at IS NOT NULL AND p.releasing_at IS NULL AND p.unpinned_at IS NULL AND m.seen_at IS NULL
"""
_FILE: Final = """
SELECT coalesce(p.content, a.content) AS content,
  CASE WHEN p.content IS NOT NULL THEN 'application/json' ELSE a.content_type END AS content_type
FROM launchpad.pins p LEFT JOIN launchpad.assets a ON a.cid = p.cid WHERE p.cid = %s LIMIT 1
"""


class MirrorFile(NamedTuple):
    """`sent`: a bundler has taken it, not so long ago that it should have been seen since."""

    cid: str
    content_type: str
    content: bytes
    sent: bool


class MirrorStore:
    def __init__(self, books: Books) -> None:
        self.books = books

    async def waiting(self, limit: int) -> list[str]:
        """Files of live launches that were not seen on Arweave yet; those not tried for longest first."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                f"""SELECT p.cid {_WAITING} GROUP BY p.cid, m.tried_at
                    ORDER BY m.tried_at NULLS FIRST, min(p.pinned_at), p.cid LIMIT %s""",
                [limit],
            )
            return [row["cid"] for row in await cursor.fetchall()]

    async def late(self, after_s: int) -> int:
        """How many have waited longer than that."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                f"SELECT count(DISTINCT p.cid) AS n {_WAITING} AND l.updated_at < now() - make_interval(secs => %s)",
                [after_s],
            )
            row = await cursor.fetchone()
            return int(row["n"]) if row is not None else 0

    async def take(self, cid: str, *, again_s: int) -> MirrorFile:
        """The file, noted as tried. What was sent longer ago than `again_s` and never seen counts as not sent."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                """INSERT INTO launchpad.mirrors AS m (cid, tried_at) VALUES (%s, now())
                   ON CONFLICT (cid) DO UPDATE SET tried_at = now()
                   RETURNING m.sent_at IS NOT NULL AND m.sent_at > now() - make_interval(secs => %s) AS sent""",
                [cid, again_s],
            )
            noted = await cursor.fetchone()
            cursor = await book.connection.execute(_FILE, [cid])
            row = await cursor.fetchone()
            if row is None or noted is None or row["content"] is None:
                raise LookupError(f"{cid} is pinned, and nobody has its bytes")
        return MirrorFile(cid, row["content_type"], bytes(row["content"]), bool(noted["sent"]))

    async def sent(self, cid: str, arweave_id: str) -> None:
        """A bundler has taken it."""
        async with self.books.begin() as book:
            await book.connection.execute(
                "UPDATE launchpad.mirrors SET arweave_id = %s, sent_at = now() WHERE cid = %s", [arweave_id, cid]
            )

    async def seen(self, cid: str, arweave_id: str) -> None:
        """A gateway has given it back, byte for byte."""
        async with self.books.begin() as book:
            await book.connection.execute(
                "UPDATE launchpad.mirrors SET arweave_id = %s, seen_at = now() WHERE cid = %s", [arweave_id, cid]
            )
