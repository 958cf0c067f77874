"""Deposits on their way to the books: which are due, what is known about one, and the credit itself."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from domain.exchange.deposits import DepositPolicy, dust_is_creditable
from domain.exchange.messages import DepositCredited, DepositVerdict, Head
from domain.shared import ids
from domain.shared.events import Event
from domain.shared.ledger import PLATFORM_TREASURY, Transfer, available, custody, move
from domain.shared.money import USDC, format_usdc
from storage.books import Book, Books
from storage.events import emit
from storage.operations import mark_step, set_operation


class DueDeposit(BaseModel):
    model_config = ConfigDict(frozen=True)
    deposit_id: str
    operation_id: str | None
    workflow_id: str
    amount_micros: int


class DepositFacts(BaseModel):
    """A deposit's row. `tx_hash` and `log_ordinal` name it; the block may change until it is credited."""

    model_config = ConfigDict(frozen=True)
    id: str
    chain_id: int
    tx_hash: str
    log_ordinal: int
    generation: int
    block_number: int
    block_hash: str
    token: str
    to_address: str
    amount: int
    account_id: str | None
    status: str
    reason: str | None
    required_confirmations: int
    required_tag: str | None
    operation_id: str | None
    closed: bool


class DepositStore:
    """What the head watcher and the `Deposit` workflow ask for."""

    def __init__(self, books: Books, chain_id: int, policy: DepositPolicy) -> None:
        self.books = books
        self.chain_id = chain_id
        self.policy = policy

    async def due(self, head: Head, again_after_s: int) -> list[DueDeposit]:
        """Deposits whose block is reached, or whose orphaning is final: each is handed out again until it has ended."""
        async with self.books.begin() as book:
            await book.connection.execute(
                """UPDATE exchange.deposits SET status = 'confirming'
                   WHERE chain_id = %s AND status = 'seen' AND block_number < %s""",
                [self.chain_id, head.latest.number],
            )
            cursor = await book.connection.execute(
                _DUE,
                {
                    "chain": self.chain_id,
                    "head": head.latest.number,
                    "safe": head.safe,
                    "finalized": head.finalized,
                    "again": again_after_s,
                },
            )
            return [DueDeposit.model_validate(row) for row in await cursor.fetchall()]

    async def facts(self, deposit_id: str) -> tuple[DepositFacts, list[DepositFacts]]:
        """The deposit, and the dust waiting at the same address (confirmed, below the minimum)."""
        async with self.books.begin() as book:
            row = await (
                await book.connection.execute("SELECT * FROM exchange.deposits WHERE id = %s", [deposit_id])
            ).fetchone()
            deposit = DepositFacts.model_validate(row)
            cursor = await book.connection.execute(
                """SELECT * FROM exchange.deposits WHERE chain_id = %s AND to_address = %s AND status = 'confirming'
                   AND confirmed_at IS NOT NULL AND id <> %s ORDER BY id LIMIT 1000""",
                [self.chain_id, deposit.to_address, deposit_id],
            )
            dust = [DepositFacts.model_validate(r) for r in await cursor.fetchall()]
        return deposit, dust

    async def credit(self, deposit_id: str, verified: tuple[tuple[str, str], ...]) -> DepositCredited:
        """Credit a verified deposit and the verified dust beside it, once each; or keep it as dust.

        Args:    verified  (deposit id, block hash) pairs whose logs were just read from canonical blocks. A row that
                 moved to another block since is left alone: it will be due again.
        """
        hashes = dict(verified)
        async with self.books.begin() as book:
            rows = await self._lock(book, hashes)
            mine = next((r for r in rows if r.id == deposit_id), None)
            if mine is None:
                return DepositCredited(
                    verdict=DepositVerdict.WAITING, summary="moved to another block; due again later"
                )
            if mine.status == "credited":
                return DepositCredited(verdict=DepositVerdict.CREDITED, summary="credited before")
            rows = [r for r in rows if r.status != "credited"]
            if mine.reason != "treasury" and not dust_is_creditable([r.amount for r in rows], self.policy):
                return await self._keep_dust(book, mine)
            credited = [mine] if mine.reason == "treasury" else rows
            await book.book(*(self._transfer(r) for r in credited))
            workflow_ids = [await self._finish(book, r) for r in credited]
        return DepositCredited(
            verdict=DepositVerdict.CREDITED,
            credited=tuple(r.id for r in credited),
            workflow_ids=tuple(w for r, w in zip(credited, workflow_ids, strict=True) if r.id != deposit_id),
            summary=f"Credited {format_usdc(mine.amount)} USDC from block {mine.block_number}",
        )

    async def _lock(self, book: Book, hashes: dict[str, str]) -> list[DepositFacts]:
        cursor = await book.connection.execute(
            "SELECT * FROM exchange.deposits WHERE id = ANY(%s::uuid[]) ORDER BY id FOR UPDATE", [sorted(hashes)]
        )
        rows = [DepositFacts.model_validate(r) for r in await cursor.fetchall()]
        return [
            r
            for r in rows
            if r.status == "credited" or (r.status in ("seen", "confirming") and r.block_hash == hashes[r.id])
        ]

    async def _keep_dust(self, book: Book, deposit: DepositFacts) -> DepositCredited:
        await book.connection.execute(
            """UPDATE exchange.deposits SET status = 'confirming', reason = 'below_minimum',
                 confirmed_at = clock_timestamp(), updated_at = clock_timestamp() WHERE id = %s""",
            [deposit.id],
        )
        summary = f"{format_usdc(deposit.amount)} USDC is below the minimum: waits for more on the same address"
        await mark_step(book.connection, deposit.operation_id, "confirm", "done")
        await set_operation(book.connection, deposit.operation_id, "waiting", summary)
        return DepositCredited(verdict=DepositVerdict.WAITING, summary=summary)

    def _transfer(self, deposit: DepositFacts) -> Transfer:
        owner = PLATFORM_TREASURY if deposit.account_id is None else available(deposit.account_id)
        bucket = "hot" if deposit.account_id is None else "deposits"
        return Transfer(
            key=ids.deposit(deposit.chain_id, deposit.tx_hash, deposit.log_ordinal),
            kind="deposit",
            ref=f"{deposit.tx_hash}:{deposit.log_ordinal}",
            postings=move(USDC, deposit.amount, custody(self.chain_id, bucket), owner),
        )

    async def _finish(self, book: Book, deposit: DepositFacts) -> str:
        await book.connection.execute(
            """UPDATE exchange.deposits SET status = 'credited', reason = NULL, credited_at = clock_timestamp(),
                 updated_at = clock_timestamp() WHERE id = %s""",
            [deposit.id],
        )
        summary = f"Credited {format_usdc(deposit.amount)} USDC"
        await mark_step(book.connection, deposit.operation_id, "confirm", "done")
        await mark_step(book.connection, deposit.operation_id, "credit", "done", summary)
        await set_operation(book.connection, deposit.operation_id, "completed", summary)
        payload = {"id": deposit.id, "tx_hash": deposit.tx_hash, "amount_usdc": format_usdc(deposit.amount)}
        await emit(
            book.connection,
            Event(topic="deposits", type="deposit_credited", account_id=deposit.account_id, payload={**payload}),
        )
        return ids.deposit(deposit.chain_id, deposit.tx_hash, deposit.log_ordinal, deposit.generation)

    async def close_orphan(self, deposit_id: str, finalized: int) -> DepositCredited:
        """End this life of an orphan whose block was finalized away; a later re-inclusion starts the next one."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                """UPDATE exchange.deposits SET closed = true, updated_at = clock_timestamp()
                   WHERE id = %s AND status = 'orphaned' AND block_number <= %s RETURNING operation_id""",
                [deposit_id, finalized],
            )
            row = await cursor.fetchone()
            if row is None:
                return DepositCredited(verdict=DepositVerdict.WAITING, summary="included again")
            await mark_step(
                book.connection, row["operation_id"], "confirm", "failed", "dropped from the chain for good"
            )
            summary = "Orphaned: the transaction is no longer on the chain"
            await set_operation(book.connection, row["operation_id"], "failed", summary, "orphaned")
        return DepositCredited(verdict=DepositVerdict.FINAL_ORPHAN, summary=summary)


_DUE = """
WITH due AS (
  SELECT id FROM exchange.deposits
  WHERE chain_id = %(chain)s AND status IN ('seen', 'confirming') AND confirmed_at IS NULL AND due_block <= %(head)s
    AND (required_tag IS NULL OR block_number <= CASE required_tag WHEN 'safe' THEN %(safe)s ELSE %(finalized)s END)
    AND (signalled_at IS NULL OR signalled_at < clock_timestamp() - make_interval(secs => %(again)s))
  UNION ALL
  SELECT id FROM exchange.deposits
  WHERE chain_id = %(chain)s AND status = 'orphaned' AND NOT closed AND block_number <= %(finalized)s
    AND operation_id IS NOT NULL
    AND (signalled_at IS NULL OR signalled_at < clock_timestamp() - make_interval(secs => %(again)s))
)
UPDATE exchange.deposits d SET signalled_at = clock_timestamp()
FROM due, platform.operations o
WHERE d.id = due.id AND o.id = d.operation_id
RETURNING d.id AS deposit_id, d.operation_id, o.workflow_id, d.amount AS amount_micros
"""
