"""Durable nonces on the books: lent to a transaction that waits for a wallet, until that is settled.

What is settled on the chain gives its nonce back in the transaction that says so (transactions.py). Were a nonce ever
lent twice, one of the two could still not land: the chain takes a nonce once.
"""

from __future__ import annotations

from typing import Final

from domain.launchpad.launch_messages import Lent
from domain.launchpad.nonces import address_of, creation, key_of
from storage.books import Books
from storage.database import Connection
from storage.events import new_id
from storage.launchpad.transactions import plan, read

_READY: Final = (
    """(SELECT made.status = 'finalized' FROM launchpad.transactions made WHERE made.key = 'nonce:' || n.id)"""
)
_HELD: Final = f"SELECT n.id, {_READY} AS ready FROM launchpad.nonces n WHERE n.transaction_id = %s"
_LEND: Final = f"""
UPDATE launchpad.nonces n SET transaction_id = %s WHERE n.id =
  (SELECT n.id FROM launchpad.nonces n WHERE n.transaction_id IS NULL AND n.authority = %s
   ORDER BY {_READY} DESC, n.id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING n.id, {_READY} AS ready
"""


class NonceStore:
    """`platform`: whose they are. `most`: how many it has at most; 0: none is lent."""

    def __init__(self, books: Books, platform: str, *, most: int) -> None:
        self.books = books
        self.platform = platform
        self.most = most

    async def lend(self, key: str) -> Lent:
        """A nonce for the transaction of this key: its own, a free one, or one that is to be made; or none."""
        async with self.books.begin() as book:
            planned = await read(book.connection, key, lock=True)
            signed = planned.newest is not None and planned.newest.live
            if signed or self.most == 0:
                return Lent()
            for query, values in ((_HELD, [planned.id]), (_LEND, [planned.id, self.platform])):
                row = await (await book.connection.execute(query, values)).fetchone()
                if row is not None:
                    return Lent(makes=None if row["ready"] else key_of(row["id"]))
            return Lent(makes=await self._another(book.connection, planned.id))

    async def _another(self, connection: Connection, transaction_id: str) -> str | None:
        """Planned, and lent before it stands; None: there are enough, and all are lent."""
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('launchpad.nonces', 0))")
        cursor = await connection.execute(
            "SELECT count(*) AS count FROM launchpad.nonces WHERE authority = %s", [self.platform]
        )
        there = await cursor.fetchone()
        if there is not None and there["count"] >= self.most:
            return None
        nonce_id = new_id()
        await connection.execute(
            "INSERT INTO launchpad.nonces (id, address, authority, transaction_id) VALUES (%s, %s, %s, %s)",
            [nonce_id, address_of(self.platform, nonce_id), self.platform, transaction_id],
        )
        await plan(connection, creation(self.platform, nonce_id))
        return key_of(nonce_id)

    async def give_back(self, key: str) -> None:
        """No wallet is waited for any more: its message ends with the loan. What a wallet has signed keeps both."""
        async with self.books.begin() as book:
            planned = await read(book.connection, key, lock=True)
            if planned.newest is not None and planned.newest.live:
                return
            await book.connection.execute(
                """UPDATE launchpad.transaction_attempts SET status = 'expired', ended_at = clock_timestamp()
                   WHERE transaction_id = %s AND status = 'issued' AND nonce_id IS NOT NULL""",
                [planned.id],
            )
            await book.connection.execute(
                "UPDATE launchpad.nonces SET transaction_id = NULL WHERE transaction_id = %s", [planned.id]
            )


async def give_back_all(connection: Connection, launch_id: str) -> None:
    """Of a launch that was undone: nothing of it can land any more."""
    await connection.execute(
        """UPDATE launchpad.nonces SET transaction_id = NULL WHERE transaction_id IN
             (SELECT id FROM launchpad.transactions WHERE subject_kind = 'launch' AND subject_id = %s)""",
        [launch_id],
    )


async def nonce_of(connection: Connection, key: str) -> str | None:
    """Which nonce the transaction of this key is to be on; None: on an ordinary blockhash."""
    cursor = await connection.execute(
        f"""SELECT n.id FROM launchpad.nonces n JOIN launchpad.transactions t ON t.id = n.transaction_id
            WHERE t.key = %s AND {_READY}""",
        [key],
    )
    row = await cursor.fetchone()
    return str(row["id"]) if row is not None else None
