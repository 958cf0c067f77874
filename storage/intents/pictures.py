"""The intent to use a picture: kept once per account and content."""

from __future__ import annotations

from typing import Final

from domain.launchpad.pictures import Picture
from domain.shared.errors import Rejected
from storage.database import Connection
from storage.events import new_id

MOST: Final = 200
"""Pictures of one account: a gigabyte."""

_KEEP: Final = """
INSERT INTO launchpad.assets (id, account_id, sha256, cid, content_type, width, height, content)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (account_id, sha256) DO NOTHING
"""


async def keep_picture(
    connection: Connection, *, account_id: str, picture: Picture, sha256: str, cid: str, content: bytes
) -> str:
    """Insert the picture unless the account has it. Returns its id.

    Raises: Rejected asset_limit.
    """
    known = "SELECT id FROM launchpad.assets WHERE account_id = %s AND sha256 = %s"
    row = await (await connection.execute(known, [account_id, sha256])).fetchone()
    if row is not None:
        return str(row["id"])
    # uploads of one account one after the other, so that the limit holds
    await connection.execute("SELECT FROM platform.accounts WHERE id = %s FOR NO KEY UPDATE", [account_id])
    counted = await connection.execute("SELECT count(*) AS n FROM launchpad.assets WHERE account_id = %s", [account_id])
    row = await counted.fetchone()
    if row is not None and row["n"] >= MOST:
        raise Rejected("asset_limit", f"an account has at most {MOST} pictures")
    await connection.execute(_KEEP, [new_id(), account_id, sha256, cid, *picture, content])
    row = await (await connection.execute(known, [account_id, sha256])).fetchone()
    assert row is not None
    return str(row["id"])
