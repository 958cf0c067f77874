"""Deposits on their way to the books: which are due, what is known about one, who is credited, who must be told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from domain.exchange.custody import OUR_MONEY
from domain.exchange.deposits import DepositPolicy, dust_is_creditable, is_plain
from domain.exchange.messages import DepositCredited, DepositVerdict, Head, VerifiedDeposit
from domain.shared.money import format_usdc
from storage.books import Book, Books
from storage.exchange.crediting import DepositFacts, credit_rows, workflow_id
from storage.operations import mark_step, set_operation


class DueDeposit(DepositFacts):
    """`plain`: may be credited by itself. Its process decides on all others."""

    workflow_id: str
    plain: bool


class Untold(BaseModel):
    """A credited deposit whose process may still wait."""

    model_config = ConfigDict(frozen=True)
    id: str
    workflow_id: str


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
            return [self._due(row) for row in await cursor.fetchall()]

    def _due(self, row: dict[str, Any]) -> DueDeposit:
        plain = is_plain(row["amount"], row["reason"], self.policy, dust_waits=row["dust_waits"], parked=row["parked"])
        return DueDeposit.model_validate({**row, "plain": plain and row["status"] != "orphaned"})

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
                await self._note(book, [deposit_id])
                return DepositCredited(verdict=DepositVerdict.CREDITED, summary=_credited(mine))
            rows = [r for r in rows if r.status != "credited"]
            if mine.reason not in OUR_MONEY and not dust_is_creditable([r.amount for r in rows], self.policy):
                return await self._keep_dust(book, mine)
            credited = [mine] if mine.reason in OUR_MONEY else rows
            await credit_rows(book, credited, told=[deposit_id])
        return DepositCredited(
            verdict=DepositVerdict.CREDITED,
            credited=tuple(r.id for r in credited),
            workflow_ids=tuple(workflow_id(r) for r in credited if r.id != deposit_id),
            summary=_credited(mine),
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

    async def credit_plain(self, verified: Sequence[VerifiedDeposit]) -> list[str]:
        """Credit deposits that need no decision, all in one transaction; their processes are told afterwards.

        Args:    verified  deposits that were `plain` when due, their logs just read from canonical blocks.
        Returns: ids credited now. Left out is what changed since: moved, orphaned, kept as dust, parked, credited, or
                 locked by whoever works on it. Nothing here waits for such a lock, so two writers cannot deadlock.
        """
        hashes = {v.deposit_id: v.block_hash for v in verified}
        async with self.books.begin() as book:
            cursor = await book.connection.execute(_LOCK_PLAIN, [sorted(hashes)])
            rows = [DepositFacts.model_validate(r) for r in await cursor.fetchall()]
            rows = [r for r in rows if r.block_hash == hashes[r.id]]
            if rows:
                await credit_rows(book, rows)
        return [r.id for r in rows]

    async def untold(self, again_after_s: int, limit: int) -> list[Untold]:
        """Credited deposits whose process runs and is not known to have seen it; each again after a while."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(_UNTOLD, [self.chain_id, again_after_s, limit])
            return [Untold.model_validate(row) for row in await cursor.fetchall()]

    async def note_told(self, *, signalled: Sequence[str] = (), ended: Sequence[str] = ()) -> None:
        """`signalled` were sent the news; the processes of `ended` have ended or looked at the row themselves."""
        if signalled or ended:
            async with self.books.begin() as book:
                await self._note(book, ended, signalled)

    async def _note(self, book: Book, ended: Sequence[str], signalled: Sequence[str] = ()) -> None:
        await book.connection.execute(_TOLD, {"ended": list(ended), "all": [*signalled, *ended]})

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


_LOCK_PLAIN = """
SELECT d.* FROM exchange.deposits d JOIN platform.operations o ON o.id = d.operation_id
WHERE d.id = ANY(%s::uuid[]) AND d.status IN ('seen', 'confirming') AND d.confirmed_at IS NULL
  AND o.status <> 'needs_operator'
ORDER BY d.id FOR NO KEY UPDATE OF d, o SKIP LOCKED
"""

_UNTOLD = """
SELECT d.id, o.workflow_id FROM exchange.deposits d JOIN platform.operations o ON o.id = d.operation_id
WHERE d.chain_id = %s AND d.status = 'credited' AND d.told_at IS NULL AND o.dispatched_at IS NOT NULL
  AND (d.signalled_at IS NULL OR d.signalled_at < clock_timestamp() - make_interval(secs => %s))
ORDER BY d.credited_at LIMIT %s
"""
"""A process that is not started yet would miss the signal, and nothing may be noted as told that nobody heard."""

_TOLD = """
UPDATE exchange.deposits SET signalled_at = clock_timestamp(),
  told_at = CASE WHEN id = ANY(%(ended)s::uuid[]) THEN clock_timestamp() END
WHERE id = ANY(%(all)s::uuid[]) AND status = 'credited' AND told_at IS NULL
"""

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
WHERE d.id = due.id AND o.id = d.operation_id AND (o.status <> 'needs_operator' OR d.signalled_at IS NULL
  OR d.signalled_at < clock_timestamp() - make_interval(secs => %(again)s * 120))
RETURNING d.*, o.workflow_id, o.status = 'needs_operator' AS parked, EXISTS (
    SELECT 1 FROM exchange.deposits w WHERE w.chain_id = d.chain_id AND w.to_address = d.to_address
      AND w.status = 'confirming' AND w.confirmed_at IS NOT NULL AND w.id <> d.id) AS dust_waits
"""
"""A parked process cannot use the news: at the usual pace it would fill its history within two days."""


def _credited(deposit: DepositFacts) -> str:
    return f"Credited {format_usdc(deposit.amount)} USDC from block {deposit.block_number}"
