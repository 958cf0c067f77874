"""The chain as we have seen it: cursor, block hashes, observed transfers. One scanner step is one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from domain.exchange.custody import Wallets
from domain.exchange.deposits import DepositPolicy
from domain.exchange.messages import BlockRef, Head, TransferLog
from domain.shared.errors import Broken, Unavailable
from storage.books import Book, Books
from storage.events import emit, raise_alert
from storage.exchange import replays
from storage.exchange.observations import Observations, deposit_event
from storage.exchange.replays import Replay
from storage.operations import mark_step, set_operation

KEEP_BLOCKS = 2_000


class Cursor(BaseModel):
    model_config = ConfigDict(frozen=True)
    next_block: int
    finalized_block: int
    halted_reason: str | None
    marked: bool = False
    """Does an operator want something read again?"""


class ChainStore:
    """Everything the scanner and the head watcher write."""

    def __init__(self, books: Books, chain_id: int, policy: DepositPolicy, wallets: Wallets) -> None:
        self.books = books
        self.chain_id = chain_id
        self.wallets = wallets
        self.observations = Observations(chain_id, policy, wallets)
        self._addresses: list[str] = []
        self._last_index = -1

    async def cursor(self, start_block: int) -> Cursor:
        """Where to go on; a new database starts at `start_block`."""
        async with self.books.begin() as book:
            await book.connection.execute(
                """INSERT INTO exchange.chain_cursors (chain_id, next_block, head_block, safe_block, finalized_block)
                   VALUES (%s, %s, %s, 0, 0) ON CONFLICT DO NOTHING""",
                [self.chain_id, start_block, start_block],
            )
            row = await (
                await book.connection.execute(
                    f"""SELECT next_block, finalized_block, halted_reason,
                          EXISTS (SELECT 1 FROM platform.quarantine WHERE {replays.WAITING}) AS marked
                        FROM exchange.chain_cursors WHERE chain_id = %s""",
                    [self.chain_id],
                )
            ).fetchone()
        return Cursor.model_validate(row)

    async def watched_addresses(self) -> list[str]:
        """Every address ever handed out, retired ones too, and our wallets (refills, moves by hand).

        Only new ones are read: indices are allocated under a lock, so they are committed in their order.
        """
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                """SELECT address, derivation_index FROM exchange.deposit_addresses
                   WHERE chain_id = %s AND derivation_index > %s ORDER BY derivation_index""",
                [self.chain_id, self._last_index],
            )
            for row in await cursor.fetchall():
                self._addresses.append(row["address"])
                self._last_index = row["derivation_index"]
        return [*self._addresses, *sorted(self.wallets.holding)]

    async def recent_blocks(self, limit: int = KEEP_BLOCKS) -> list[BlockRef]:
        """The newest blocks we saw, newest first."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                """SELECT number, hash, parent_hash FROM exchange.chain_blocks WHERE chain_id = %s
                   ORDER BY number DESC LIMIT %s""",
                [self.chain_id, limit],
            )
            return [BlockRef.model_validate(row) for row in await cursor.fetchall()]

    async def record(
        self, expected: int, upto: int, head: Head, blocks: Sequence[BlockRef], logs: Sequence[TransferLog]
    ) -> int:
        """Write one scanned range and move the cursor past it.

        Args:    expected  next_block the caller read; another scanner's progress makes this one step aside.
        Returns: how many transfers were new or came back.
        Raises:  Unavailable conflict-like when the cursor moved in between.
        """
        async with self.books.begin() as book:
            await self._lock(book, expected)
            changed = await self.observations.record(book, logs)
            await book.connection.execute(
                """INSERT INTO exchange.chain_blocks (chain_id, number, hash, parent_hash)
                   SELECT %s, * FROM unnest(%s::bigint[], %s::text[], %s::text[])
                   ON CONFLICT (chain_id, number)
                   DO UPDATE SET hash = excluded.hash, parent_hash = excluded.parent_hash""",
                [self.chain_id, [b.number for b in blocks], [b.hash for b in blocks], [b.parent_hash for b in blocks]],
            )
            await book.connection.execute(
                "DELETE FROM exchange.chain_blocks WHERE chain_id = %s AND number < %s",
                [self.chain_id, min(head.finalized, upto - KEEP_BLOCKS)],
            )
            await book.connection.execute(
                """UPDATE exchange.chain_cursors SET next_block = %s, head_block = %s, safe_block = %s,
                     finalized_block = greatest(finalized_block, %s), updated_at = clock_timestamp()
                   WHERE chain_id = %s""",
                [upto + 1, head.latest.number, head.safe, min(head.finalized, upto), self.chain_id],
            )
        return changed

    async def replays(self, next_block: int) -> list[Replay]:
        """What an operator wants read again, of the blocks already read."""
        async with self.books.begin() as book:
            return await replays.waiting(book, next_block)

    async def record_replay(self, expected: int, replay: Replay, logs: Sequence[TransferLog]) -> int:
        """Write what reading an item's blocks again found; the cursor stays.

        Returns: how many transfers were new.
        Raises:  Unavailable conflict-like when the cursor moved in between.
        """
        async with self.books.begin() as book:
            await self._lock(book, expected)
            changed = await self.observations.record(book, logs)
            await replays.taken_up(book, replay, logs, changed)
        return changed

    async def _lock(self, book: Book, expected: int) -> None:
        row = await (
            await book.connection.execute(
                "SELECT next_block, halted_reason FROM exchange.chain_cursors WHERE chain_id = %s FOR UPDATE",
                [self.chain_id],
            )
        ).fetchone()
        if row is None or row["next_block"] != expected:
            raise Unavailable("conflict", "another scanner moved the cursor")
        if row["halted_reason"]:
            raise Broken("deep_reorg", row["halted_reason"])

    async def rewind(self, expected: int, ancestor: int) -> int:
        """The chain left us above `ancestor`: orphan what was seen there and read it again.

        Returns: deposits orphaned. Credited ones stay credited and open an incident: users' money is never taken back
                 by itself.
        """
        async with self.books.begin() as book:
            await self._lock(book, expected)
            cursor = await book.connection.execute(
                """UPDATE exchange.deposits SET status = 'orphaned', signalled_at = NULL, confirmed_at = NULL,
                     updated_at = clock_timestamp()
                   WHERE chain_id = %s AND block_number > %s AND status IN ('seen', 'confirming', 'ignored')
                   RETURNING id, tx_hash, amount, account_id, operation_id""",
                [self.chain_id, ancestor],
            )
            orphans = await cursor.fetchall()
            for row in orphans:
                await mark_step(
                    book.connection, row["operation_id"], "confirm", "running", "orphaned by a reorganisation"
                )
                await set_operation(
                    book.connection, row["operation_id"], "waiting", "Orphaned: waits to be included again"
                )
                await emit(
                    book.connection,
                    deposit_event("deposit_orphaned", row["id"], row["tx_hash"], row["amount"], row["account_id"]),
                )
            await self._flag_credited(book, ancestor)
            await book.connection.execute(
                "DELETE FROM exchange.chain_blocks WHERE chain_id = %s AND number > %s", [self.chain_id, ancestor]
            )
            await book.connection.execute(
                "UPDATE exchange.chain_cursors SET next_block = %s, updated_at = clock_timestamp() WHERE chain_id = %s",
                [ancestor + 1, self.chain_id],
            )
        return len(orphans)

    async def _flag_credited(self, book: Book, ancestor: int) -> None:
        cursor = await book.connection.execute(
            """UPDATE exchange.deposits SET reason = 'reorged_after_credit', updated_at = clock_timestamp()
               WHERE chain_id = %s AND block_number > %s AND status = 'credited' RETURNING id, tx_hash, amount""",
            [self.chain_id, ancestor],
        )
        for row in await cursor.fetchall():
            detail = f"credited deposit {row['tx_hash']} of {row['amount']} micros left the chain"
            await raise_alert(book.connection, "deep_reorg", row["id"], detail, critical=True)

    async def halt(self, reason: str) -> None:
        """Stop this chain until an operator resumes it."""
        async with self.books.begin() as book:
            await book.connection.execute(
                "UPDATE exchange.chain_cursors SET halted_reason = %s WHERE chain_id = %s", [reason, self.chain_id]
            )
            await raise_alert(book.connection, "deep_reorg", f"chain:{self.chain_id}", reason, critical=True)
