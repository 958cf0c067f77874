"""The chain as we have seen it: cursor, block hashes, observed transfers. One scanner step is one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from domain.exchange import deposits as rules
from domain.exchange.deposits import DepositPolicy
from domain.exchange.messages import BlockRef, Head, TransferLog
from domain.shared import ids
from domain.shared.errors import Broken, Unavailable
from domain.shared.events import Event
from domain.shared.money import format_usdc
from storage.books import Book, Books
from storage.events import emit, new_id, raise_alert, resolve_alert
from storage.operations import mark_step, open_operation, set_operation

DEPOSIT_STEPS = ("seen", "confirm", "credit")
KEEP_BLOCKS = 2_000


class Cursor(BaseModel):
    model_config = ConfigDict(frozen=True)
    next_block: int
    finalized_block: int
    halted_reason: str | None


class ChainStore:
    """Everything the scanner and the head watcher write."""

    def __init__(self, books: Books, chain_id: int, policy: DepositPolicy, hot_wallet: str) -> None:
        self.books = books
        self.chain_id = chain_id
        self.policy = policy
        self.hot_wallet = hot_wallet
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
                    "SELECT next_block, finalized_block, halted_reason FROM exchange.chain_cursors WHERE chain_id = %s",
                    [self.chain_id],
                )
            ).fetchone()
        return Cursor.model_validate(row)

    async def watched_addresses(self) -> list[str]:
        """Every address ever handed out, retired ones too, and the hot wallet (refills from outside).

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
        return [*self._addresses, self.hot_wallet]

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
            changed = 0
            own = await self._own_addresses(book, logs)
            for log in logs:
                changed += await self._observe(book, log, own)
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

    async def _own_addresses(self, book: Book, logs: Sequence[TransferLog]) -> dict[str, str]:
        names = sorted({log.to_address for log in logs} | {log.from_address for log in logs})
        cursor = await book.connection.execute(
            "SELECT address, account_id FROM exchange.deposit_addresses WHERE chain_id = %s AND address = ANY(%s)",
            [self.chain_id, names],
        )
        return {row["address"]: row["account_id"] for row in await cursor.fetchall()}

    async def _observe(self, book: Book, log: TransferLog, own: dict[str, str]) -> int:
        """Insert the transfer, or bring an orphaned or moved one back. Sweeps into the hot wallet are our own."""
        if log.to_address == self.hot_wallet and (log.from_address in own or log.token != self.policy.token):
            return 0
        tier = self.policy.tier(log.amount)
        reason = rules.ignore_reason(log, self.policy)
        status = "ignored" if reason else "seen"
        if log.to_address == self.hot_wallet and reason is None:
            reason = "treasury"
        cursor = await book.connection.execute(
            _OBSERVE,
            {
                **log.model_dump(),
                "id": new_id(),
                "account_id": own.get(log.to_address),
                "status": status,
                "reason": reason,
                "required": tier.confirmations,
                "tag": tier.tag,
                "due": log.block_number + tier.confirmations,
            },
        )
        row = await cursor.fetchone()
        if row is None:
            return await self._check_credited(book, log)
        if status == "seen":
            await self._open(book, log, row["id"], row["generation"], row["account_id"], returned=not row["inserted"])
        return 1

    async def _open(
        self, book: Book, log: TransferLog, deposit_id: str, generation: int, account_id: str | None, *, returned: bool
    ) -> None:
        summary = f"Deposit of {format_usdc(log.amount)} USDC seen in block {log.block_number}"
        operation_id = await open_operation(
            book.connection,
            kind="deposit",
            subject_id=deposit_id,
            workflow_id=ids.deposit(log.chain_id, log.tx_hash, log.log_ordinal, generation),
            steps=DEPOSIT_STEPS,
            summary=summary,
            account_id=account_id,
        )
        if returned:
            await set_operation(book.connection, operation_id, "running", f"{summary}, after a reorganisation")
        await book.connection.execute(
            "UPDATE exchange.deposits SET operation_id = %s WHERE id = %s", [operation_id, deposit_id]
        )
        detail = f"block {log.block_number}" + (", after a reorganisation" if returned else "")
        await mark_step(book.connection, operation_id, "seen", "done", detail)
        await mark_step(book.connection, operation_id, "confirm", "running", f"due at block {log.block_number}+")
        await emit(book.connection, _event("deposit_seen", deposit_id, log.tx_hash, log.amount, account_id))

    async def _check_credited(self, book: Book, log: TransferLog) -> int:
        """A credited transfer came back after a reorganisation: the same amount ends the incident, another is one."""
        row = await (
            await book.connection.execute(
                """SELECT id, amount, token, to_address, status FROM exchange.deposits
                   WHERE chain_id = %s AND tx_hash = %s AND log_ordinal = %s FOR UPDATE""",
                [log.chain_id, log.tx_hash, log.log_ordinal],
            )
        ).fetchone()
        if row is None or row["status"] != "credited":
            return 0
        if (row["amount"], row["token"], row["to_address"]) != (log.amount, log.token, log.to_address):
            await raise_alert(
                book.connection,
                "deep_reorg",
                row["id"],
                f"a credited deposit came back as {log.amount} instead of {row['amount']}",
                critical=True,
            )
            return 0
        await book.connection.execute(
            """UPDATE exchange.deposits SET block_number = %s, block_hash = %s, log_index = %s, reason = NULL,
                 updated_at = clock_timestamp() WHERE id = %s""",
            [log.block_number, log.block_hash, log.log_index, row["id"]],
        )
        await resolve_alert(book.connection, "deep_reorg", row["id"], "scanner: included again")
        return 1

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
                    _event("deposit_orphaned", row["id"], row["tx_hash"], row["amount"], row["account_id"]),
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


def _event(kind: str, deposit_id: str, tx_hash: str, amount: int, account_id: str | None) -> Event:
    return Event(
        topic="deposits",
        type=kind,
        account_id=account_id,
        payload={"id": deposit_id, "tx_hash": tx_hash, "amount_usdc": format_usdc(amount)},
    )


_OBSERVE = """
INSERT INTO exchange.deposits AS d (id, chain_id, tx_hash, log_ordinal, block_number, block_hash, log_index, token,
  from_address, to_address, amount, account_id, status, reason, required_confirmations, required_tag, due_block)
VALUES (%(id)s, %(chain_id)s, %(tx_hash)s, %(log_ordinal)s, %(block_number)s, %(block_hash)s, %(log_index)s, %(token)s,
  %(from_address)s, %(to_address)s, %(amount)s, %(account_id)s, %(status)s, %(reason)s, %(required)s, %(tag)s, %(due)s)
ON CONFLICT (chain_id, tx_hash, log_ordinal) DO UPDATE SET
  block_number = excluded.block_number, block_hash = excluded.block_hash, log_index = excluded.log_index,
  token = excluded.token, from_address = excluded.from_address, to_address = excluded.to_address,
  amount = excluded.amount, account_id = excluded.account_id, status = excluded.status, reason = excluded.reason,
  required_confirmations = excluded.required_confirmations, required_tag = excluded.required_tag,
  due_block = excluded.due_block, signalled_at = NULL, confirmed_at = NULL,
  generation = d.generation + d.closed::int, closed = false, updated_at = clock_timestamp()
WHERE d.status <> 'credited' AND (d.block_hash <> excluded.block_hash OR d.status = 'orphaned')
RETURNING id, generation, account_id, (xmax = 0) AS inserted
"""
