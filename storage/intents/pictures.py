"""The intents to use a picture and to remove one: it is kept once per account and content."""

from __future__ import annotations

from typing import Final

from domain.launchpad.pictures import Picture
from domain.shared.errors import Rejected
from storage.database import Connection
from storage.events import audit, new_id

MOST: Final = 200
"""Pictures of one account: a gigabyte."""

_KEEP: Final = """
INSERT INTO launchpad.assets (id, account_id, sha256, cid, content_type, width, height, content)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (account_id, sha256) DO NOTHING
"""


async def keep_picture(
    connection: Connection, *, account_id: str, picture: Picture, sha256: str, cid: str, content: bytes
) -> str:
    """Insert the picture unless the account has it; either way it is kept some days from now. Returns its id.

    Raises: Rejected asset_limit.
    """
    known = """UPDATE launchpad.assets SET uploaded_at = clock_timestamp()
               WHERE account_id = %s AND sha256 = %s RETURNING id"""
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


async def remove_picture(connection: Connection, picture_id: str, *, principal: str) -> None:
    """Raises: Rejected not_found, conflict when a launch uses it."""
    found = await connection.execute(
        "SELECT account_id FROM launchpad.assets WHERE id = %s FOR UPDATE", [picture_id]
    )  # from here on no launch can begin to use it
    row = await found.fetchone()
    if row is None:
        raise Rejected("not_found", "no such picture")
    used = await connection.execute("SELECT launch_id FROM launchpad.launch_assets WHERE asset_id = %s", [picture_id])
    launch = await used.fetchone()
    if launch is not None:
        raise Rejected("conflict", f"launch {launch['launch_id']} uses it")
    await connection.execute("DELETE FROM launchpad.assets WHERE id = %s", [picture_id])
    await audit(connection, principal, "picture_removed", picture_id, account_id=str(row["account_id"]))
