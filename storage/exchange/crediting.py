"""The credit itself: any number of deposits in the caller's transaction, in a few statements, whoever asks for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from psycopg.types.json import Json
from pydantic import BaseModel, ConfigDict

from domain.exchange.custody import MOVES, move_transfer
from domain.shared import ids
from domain.shared.events import Event
from domain.shared.ledger import PLATFORM_TREASURY, Transfer, available, custody, move
from domain.shared.money import USDC, format_usdc
from storage.books import Book
from storage.events import emit
from storage.exchange.overdue import not_overdue


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


async def credit_rows(book: Book, deposits: Sequence[DepositFacts], *, told: Collection[str] = ()) -> None:
    """Book the transfers, end the rows, their steps and operations, and write the events.

    Args:  deposits  rows the caller holds locked and has checked.
           told      ids whose process asks itself; the others' processes are told afterwards (`told_at` is null).
    """
    await book.book(*(_transfer(d) for d in deposits))
    rows = [
        {"id": d.id, "operation_id": d.operation_id, "summary": _summary(d), "told": d.id in told} for d in deposits
    ]
    await book.connection.execute(_CREDIT, {"rows": Json(rows)})
    await emit(book.connection, *(event for d in deposits for event in _events(d)))
    await not_overdue(book, [d.id for d in deposits])


def workflow_id(deposit: DepositFacts) -> str:
    return ids.deposit(deposit.chain_id, deposit.tx_hash, deposit.log_ordinal, deposit.generation)


def _summary(deposit: DepositFacts) -> str:
    amount = f"{format_usdc(deposit.amount)} USDC"
    return f"{MOVES[deposit.reason].words}: {amount}" if deposit.reason in MOVES else f"Credited {amount}"


def _transfer(deposit: DepositFacts) -> Transfer:
    key = ids.deposit(deposit.chain_id, deposit.tx_hash, deposit.log_ordinal)
    ref = f"{deposit.tx_hash}:{deposit.log_ordinal}"
    if deposit.reason in MOVES:
        return move_transfer(deposit.reason, key, deposit.chain_id, deposit.amount, ref)
    owner = PLATFORM_TREASURY if deposit.account_id is None else available(deposit.account_id)
    bucket = "hot" if deposit.account_id is None else "deposits"
    return Transfer(
        key=key,
        kind="deposit",
        ref=ref,
        postings=move(USDC, deposit.amount, custody(deposit.chain_id, bucket), owner),
    )


def _events(deposit: DepositFacts) -> list[Event]:
    operation = {"id": deposit.operation_id, "kind": "deposit", "subject_id": deposit.id, "status": "completed"}
    credited = {"id": deposit.id, "tx_hash": deposit.tx_hash, "amount_usdc": format_usdc(deposit.amount)}
    changed = Event(topic="operations", type="operation_changed", account_id=deposit.account_id, payload={**operation})
    if deposit.reason in MOVES:
        return [changed, Event(topic="custody", type=deposit.reason, payload={**credited})]
    return [
        changed,
        Event(topic="deposits", type="deposit_credited", account_id=deposit.account_id, payload={**credited}),
    ]


_CREDIT = """
WITH given AS (
  SELECT * FROM json_to_recordset(%(rows)s) AS g(id uuid, operation_id uuid, summary text, told boolean)
), ended AS (
  UPDATE exchange.deposits d SET status = 'credited', credited_at = clock_timestamp(),
    reason = CASE WHEN d.account_id IS NULL THEN d.reason END, signalled_at = NULL,
    told_at = CASE WHEN g.told THEN clock_timestamp() END, updated_at = clock_timestamp()
  FROM given g WHERE d.id = g.id
), steps AS (
  UPDATE platform.operation_steps s SET status = 'done', attempts = greatest(s.attempts, 1),
    detail = CASE WHEN s.name = 'credit' THEN g.summary ELSE s.detail END,
    started_at = coalesce(s.started_at, clock_timestamp()), finished_at = clock_timestamp()
  FROM given g WHERE s.operation_id = g.operation_id AND s.name IN ('confirm', 'credit')
)
UPDATE platform.operations o SET status = 'completed', summary = g.summary, failure_code = NULL,
  finished_at = clock_timestamp()
FROM given g WHERE o.id = g.operation_id
"""
