"""Corrections on the books: the second person's word, the end of waiting, the booking. One locked transaction each."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from domain.operations.corrections import (
    PENDING,
    WAITS,
    CorrectionState,
    CorrectionVerdict,
    asset_of,
    check_second_person,
    user_of,
)
from domain.shared.errors import Rejected
from domain.shared.events import Event
from domain.shared.ledger import Line, Posting, Transfer
from domain.shared.money import format_usdc
from storage.books import Book, Books
from storage.events import audit, emit, raise_alert
from storage.operations import mark_step, set_operation

FAILED = "correction_failed"
_LOCK_ASSETS = "SELECT id FROM exchange.assets WHERE id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE"
_UNCOVERED = """
SELECT 1 FROM exchange.assets a WHERE a.id = ANY(%s::uuid[]) AND (
  SELECT coalesce(sum(p.fees_owed_micros
    + div(p.shares_micros * (a.fee_index - p.fee_index_paid), 1000000000000000000)), 0)
  FROM exchange.lp_positions p WHERE p.asset_id = a.id) > coalesce((SELECT b.balance FROM platform.balances b
    WHERE b.account = 'assets:' || a.id || ':lp_fees' AND b.unit = 'USDC'), 0)
"""


class _Correction(BaseModel):
    model_config = ConfigDict(frozen=True)
    id: str
    reason: str
    postings: tuple[Posting, ...]
    status: str
    failure_code: str | None
    requested_by: str
    decided_by: str | None
    operation_id: str | None
    created_at: datetime

    @property
    def lines(self) -> tuple[Line, ...]:
        return tuple((p.account, p.unit, p.amount) for p in self.postings)

    def state(self, status: str | None = None, code: str | None = None) -> CorrectionState:
        now = status or self.status
        shown = f"{now} ({code})" if code else now
        return CorrectionState(
            status=now,
            expires_at=self.created_at + WAITS,
            code=code or self.failure_code,
            summary=f"{shown.replace('_', ' ').capitalize()}: {self.reason[:200]}",
        )


class CorrectionStore:
    """What the `Correction` workflow asks of the books."""

    def __init__(self, books: Books) -> None:
        self.books = books

    async def read(self, correction_id: str) -> CorrectionState:
        async with self.books.begin() as book:
            return (await _row(book, correction_id)).state()

    async def decide(self, correction_id: str, verdict: CorrectionVerdict) -> CorrectionState:
        """Approve, by another person; or reject, by anybody: who asked takes it back.

        Raises: Rejected self_approval, not_approvable. The same word of the same person answers what stands.
        """
        async with self.books.begin() as book:
            row = await _row(book, correction_id)
            if verdict.approve:
                check_second_person(row.requested_by, row.lines, verdict.principal)
            wanted = "approved" if verdict.approve else "rejected"
            if row.status != PENDING:
                if row.decided_by == verdict.principal and (row.status == "rejected") == (not verdict.approve):
                    return row.state()
                raise Rejected("not_approvable", f"it is {row.status}")
            await book.connection.execute(
                """UPDATE platform.corrections SET status = %s, decided_by = %s, decided_at = clock_timestamp()
                   WHERE id = %s""",
                [wanted, verdict.principal, row.id],
            )
            await audit(book.connection, verdict.principal, f"correction_{wanted}", row.id, note=verdict.note)
            state = row.state(wanted)
            await mark_step(book.connection, row.operation_id, "approval", "done", f"{wanted}. {verdict.note}".strip())
            ended = not verdict.approve
            await set_operation(book.connection, row.operation_id, "cancelled" if ended else "running", state.summary)
            await _tell(book, row, wanted)
            return state

    async def expire(self, correction_id: str, at: datetime) -> CorrectionState:
        """Nobody has decided in time. Answers what stands when somebody has, or when it is too early."""
        async with self.books.begin() as book:
            row = await _row(book, correction_id)
            if row.status != PENDING or at < row.created_at + WAITS:
                return row.state()
            await self._end(book, row, "expired", None)
            return row.state("expired")

    async def carry_out(self, correction_id: str) -> CorrectionState:
        """Book an approved correction; what the books refuse ends it, with an alert. Booked ones stay as they are."""
        try:
            return await self._book(correction_id)
        except Rejected as refusal:
            return await self._fail(correction_id, refusal)

    async def _book(self, correction_id: str) -> CorrectionState:
        async with self.books.begin() as book:
            row = await _row(book, correction_id)
            if row.status != "approved":
                return row.state()
            assets = sorted({asset for line in row.lines if (asset := asset_of(line[0]))})
            await book.connection.execute(_LOCK_ASSETS, [assets])
            await book.book(Transfer(key=f"correction:{row.id}", kind="correction", ref=row.id, postings=row.postings))
            if await (await book.connection.execute(_UNCOVERED, [assets])).fetchone() is not None:
                raise Rejected("insufficient_funds", "the fees left would not cover what providers have earned")
            await book.connection.execute(
                "UPDATE platform.corrections SET status = 'booked', booked_at = clock_timestamp() WHERE id = %s",
                [row.id],
            )
            await audit(book.connection, row.decided_by or "", "correction_booked", row.id, asked_by=row.requested_by)
            await mark_step(book.connection, row.operation_id, "booking", "done", f"transfer correction:{row.id}")
            await set_operation(book.connection, row.operation_id, "completed", f"Booked: {row.reason[:200]}")
            await _tell(book, row, "booked")
            await emit(book.connection, *_to_users(row))
            return row.state("booked")

    async def _fail(self, correction_id: str, refusal: Rejected) -> CorrectionState:
        async with self.books.begin() as book:
            row = await _row(book, correction_id)
            if row.status != "approved":
                return row.state()
            await self._end(book, row, "failed", refusal.code)
            await raise_alert(book.connection, FAILED, row.id, f"{refusal.code}: {refusal.detail}", reason=row.reason)
            return row.state("failed", refusal.code)

    async def _end(self, book: Book, row: _Correction, status: str, code: str | None) -> None:
        await book.connection.execute(
            "UPDATE platform.corrections SET status = %s, failure_code = %s WHERE id = %s", [status, code, row.id]
        )
        await audit(book.connection, "system", f"correction_{status}", row.id, code=code)
        done = "failed" if status == "failed" else "cancelled"
        await set_operation(book.connection, row.operation_id, done, row.state(status, code).summary, code)
        await _tell(book, row, status)


async def _row(book: Book, correction_id: str) -> _Correction:
    cursor = await book.connection.execute(
        """SELECT id, reason, postings, status, failure_code, requested_by, decided_by, operation_id, created_at
           FROM platform.corrections WHERE id = %s FOR UPDATE""",
        [correction_id],
    )
    row = await cursor.fetchone()
    if row is None:
        raise Rejected("not_found", f"correction {correction_id}")
    return _Correction.model_validate(row)


async def _tell(book: Book, row: _Correction, status: str) -> None:
    payload = {"id": row.id, "status": status, "reason": row.reason}
    await emit(book.connection, Event(topic="system", type=f"correction_{status}", payload=payload))


def _to_users(row: _Correction) -> list[Event]:
    """Each user concerned hears of the own line only."""
    return [
        Event(
            topic="accounts",
            type="balance_corrected",
            account_id=user,
            payload={"correction_id": row.id, "amount_usdc": format_usdc(amount)},
        )
        for account, _, amount in row.lines
        if (user := user_of(account)) is not None
    ]
