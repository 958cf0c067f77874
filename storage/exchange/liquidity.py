"""LP principal leaving, on the books. Each change is one transaction under the asset's lock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString, NamedTuple

from pydantic import BaseModel, ConfigDict

from domain.exchange import liquidity as rules
from domain.exchange import vesting
from domain.exchange.liquidity import Payment, Payout, Pool, Waiting
from domain.exchange.liquidity_messages import LpWithdrawalState
from domain.exchange.vesting import Grant, LpPolicy
from domain.shared import ids
from domain.shared.errors import Rejected
from domain.shared.money import format_usdc
from storage.books import Book, Books
from storage.events import audit, emit
from storage.exchange.pools import (
    AssetFacts,
    asset_of,
    lock_asset,
    read_positions,
    show_progress,
    told,
    write_positions,
)
from storage.operations import mark_step, set_operation

AT_ONCE: Final = 200
"""Queued requests looked at in one transaction."""


class WithdrawalRow(BaseModel):
    model_config = ConfigDict(frozen=True)
    id: str
    asset_id: str
    account_id: str
    amount_micros: int
    paid_micros: int
    status: str
    refuse_code: str | None
    due_at: datetime | None
    operation_id: str | None
    parts: int

    @property
    def unpaid(self) -> int:
        return self.amount_micros - self.paid_micros


class Paying(NamedTuple):
    """One part of one request, about to be paid."""

    row: WithdrawalRow
    amount: int
    instant: bool = False


_ROWS: Final = """
SELECT w.id, w.asset_id, w.account_id, w.amount_micros, w.paid_micros, w.status::text AS status, w.refuse_code,
  w.due_at, w.operation_id, (SELECT count(*) FROM exchange.lp_payouts p WHERE p.withdrawal_id = w.id) AS parts
FROM exchange.lp_withdrawals w
"""


class LpStore:
    """What the `LpWithdrawal` workflow asks of the books."""

    def __init__(self, books: Books, policy: LpPolicy) -> None:
        self.books = books
        self.policy = policy

    async def check(self, withdrawal_id: str, at: datetime) -> LpWithdrawalState:
        """Decide a request: refuse it, pay its instant part, queue the rest. Asked again it answers what stands."""
        async with self.books.begin() as book:
            asset, row = await _locked(book, withdrawal_id)
            at = asset.moment(at)
            if row.status != "requested":
                return await self._state(book, asset, row, at)
            try:
                allowed = await self._allowed(book, asset, row, at)
            except Rejected as refusal:
                return await _refuse(book, asset, row, refusal)
            await mark_step(book.connection, row.operation_id, "check", "done")
            due = await _queued(book, "asset_id = %s AND due_at <= %s", [asset.id, at])
            now = rules.instant_part(await self._pool(book, asset, at), row.amount_micros, allowed, at, due)
            await mark_step(
                book.connection, row.operation_id, "instant", "done" if now else "skipped", f"{format_usdc(now)} USDC"
            )
            if now:
                [row] = await _pay(book, asset, [Paying(row, now, instant=True)], at)
            if row.unpaid:
                row = await self._enqueue(book, asset, row, at)
            return await self._state(book, asset, row, at)

    async def _allowed(self, book: Book, asset: AssetFacts, row: WithdrawalRow, at: datetime) -> int:
        """Micros that may be paid at once. Raises: Rejected asset_not_active, not_vested."""
        if asset.status not in rules.OPEN_POOLS:
            raise Rejected("asset_not_active", f"the asset is {asset.status}")
        position = (await read_positions(book, asset.id, [row.account_id]))[row.account_id]
        found = vesting.standing(
            self.policy,
            await _grants(book, asset.id, row.account_id),
            at,
            withdrawn=position.withdrawn,
            instant=position.instant,
            pending=await _queued(book, "asset_id = %s AND account_id = %s", [asset.id, row.account_id]),
        )
        vesting.check_vested(found, row.amount_micros)
        return found.instant_available(self.policy.instant_bps)

    async def _enqueue(self, book: Book, asset: AssetFacts, row: WithdrawalRow, at: datetime) -> WithdrawalRow:
        due = at + timedelta(seconds=self.policy.queue_s)
        await book.connection.execute(
            "UPDATE exchange.lp_withdrawals SET status = 'queued', due_at = %s WHERE id = %s", [due, row.id]
        )
        row = row.model_copy(update={"status": "queued", "due_at": due})
        await mark_step(book.connection, row.operation_id, "queue", "running")
        await set_operation(book.connection, row.operation_id, "waiting", _sentence(asset, row))
        payload = {"id": row.id, "left_usdc": format_usdc(row.unpaid), "due_at": due.isoformat()}
        await emit(book.connection, told("lp_withdrawal_queued", row.account_id, asset, **payload))
        return row

    async def pay_queue(self, withdrawal_id: str, at: datetime) -> LpWithdrawalState:
        """Pay the pool's queue in order as far as time and headroom allow, whoever asks; answer for this request."""
        async with self.books.begin() as book:
            asset, row = await _locked(book, withdrawal_id)
            at = asset.moment(at)
            queue = await _queue(book, asset.id, AT_ONCE)
            found = rules.plan(await self._pool(book, asset, at), [_waiting(r) for r in queue], at)
            paid = await _pay(book, asset, _paying(queue, found.payments), at)
            ended = [r for r in paid if r.status == "paid"]
            row = next((r for r in paid if r.id == row.id), row)
            state = await self._state(book, asset, row, at)
            heads = await _queue(book, asset.id, 1) if ended else []
            others = {r.id for r in [*ended, *heads]} - {row.id}
            return state.model_copy(update={"wake": tuple(ids.lp_withdrawal(other) for other in sorted(others))})

    async def cancel(self, withdrawal_id: str, principal: str) -> LpWithdrawalState:
        """Give up what is not paid yet. Asked again it answers cancelled."""
        async with self.books.begin() as book:
            asset, row = await _locked(book, withdrawal_id)
            if row.status == "cancelled":
                return LpWithdrawalState(status=row.status, summary=_sentence(asset, row))
            if row.status not in rules.CANCELLABLE:
                raise Rejected("not_cancellable", f"it is {row.status}")
            row = row.model_copy(update={"status": "cancelled"})
            await book.connection.execute(
                """UPDATE exchange.lp_withdrawals SET status = 'cancelled', finished_at = clock_timestamp()
                   WHERE id = %s""",
                [row.id],
            )
            await audit(book.connection, principal, "lp_withdrawal_cancelled", row.id)
            await set_operation(book.connection, row.operation_id, "cancelled", _sentence(asset, row))
            payload = {"id": row.id, "paid_usdc": format_usdc(row.paid_micros)}
            await emit(book.connection, told("lp_withdrawal_cancelled", row.account_id, asset, **payload))
            heads = tuple(ids.lp_withdrawal(head.id) for head in await _queue(book, asset.id, 1))
            return LpWithdrawalState(status=row.status, summary=_sentence(asset, row), wake=heads)

    async def _pool(self, book: Book, asset: AssetFacts, at: datetime) -> Pool:
        cursor = await book.connection.execute(
            """SELECT paid_at, amount_micros FROM exchange.lp_payouts
               WHERE asset_id = %s AND paid_at > %s ORDER BY paid_at""",
            [asset.id, at - rules.WINDOW],
        )
        payouts = tuple(Payout(*row.values()) for row in await cursor.fetchall())
        return Pool(asset.lp_shares_micros, payouts, self.policy.pool_daily_bps)

    async def _state(self, book: Book, asset: AssetFacts, row: WithdrawalRow, at: datetime) -> LpWithdrawalState:
        """How the request stands; the head of the queue looks when something can be paid, the others once a day."""
        look_at = None
        if row.status == "queued":
            head = (await _queue(book, asset.id, 1))[0]
            fresh = await lock_asset(book, asset.id)
            coming = rules.plan(await self._pool(book, fresh, at), [_waiting(head)], at).look_at
            look_at = (coming or at) if head.id == row.id else at + rules.WINDOW
        return LpWithdrawalState(
            status=row.status, code=row.refuse_code, summary=_sentence(asset, row), look_at=look_at
        )


async def _locked(book: Book, withdrawal_id: str) -> tuple[AssetFacts, WithdrawalRow]:
    asset = await lock_asset(book, await asset_of(book, "exchange.lp_withdrawals", withdrawal_id))
    cursor = await book.connection.execute(_ROWS + "WHERE w.id = %s", [withdrawal_id])
    return asset, WithdrawalRow.model_validate(await cursor.fetchone())


async def _queue(book: Book, asset_id: str, limit: int) -> list[WithdrawalRow]:
    """The beginning of the pool's queue."""
    cursor = await book.connection.execute(
        _ROWS + "WHERE w.asset_id = %s AND w.status = 'queued' ORDER BY w.seq LIMIT %s", [asset_id, limit]
    )
    return [WithdrawalRow.model_validate(row) for row in await cursor.fetchall()]


async def _grants(book: Book, asset_id: str, account_id: str) -> list[Grant]:
    cursor = await book.connection.execute(
        """SELECT amount_micros, accepted_at FROM exchange.contributions
           WHERE asset_id = %s AND account_id = %s AND status = 'accepted'""",
        [asset_id, account_id],
    )
    return [Grant(*row.values()) for row in await cursor.fetchall()]


async def _queued(book: Book, condition: LiteralString, arguments: list[Any]) -> int:
    """Micros that queued requests still wait for."""
    query = f"""SELECT coalesce(sum(amount_micros - paid_micros), 0)::bigint AS micros FROM exchange.lp_withdrawals
                WHERE status = 'queued' AND {condition}"""
    row = await (await book.connection.execute(query, arguments)).fetchone()
    return int(row["micros"]) if row is not None else 0


def _waiting(row: WithdrawalRow) -> Waiting:
    assert row.due_at is not None
    return Waiting(row.id, row.unpaid, row.due_at)


def _paying(queue: Sequence[WithdrawalRow], payments: Sequence[Payment]) -> list[Paying]:
    amounts = {payment.id: payment.amount for payment in payments}
    return [Paying(row, amounts[row.id]) for row in queue if row.id in amounts]


async def _refuse(book: Book, asset: AssetFacts, row: WithdrawalRow, refusal: Rejected) -> LpWithdrawalState:
    await book.connection.execute(
        """UPDATE exchange.lp_withdrawals SET status = 'refused', refuse_code = %s, finished_at = clock_timestamp()
           WHERE id = %s""",
        [refusal.code, row.id],
    )
    summary = f"Refused ({refusal.code}): {refusal.detail}"
    await mark_step(book.connection, row.operation_id, "check", "failed", refusal.detail)
    await set_operation(book.connection, row.operation_id, "failed", summary, refusal.code)
    payload = {"id": row.id, "code": refusal.code}
    await emit(book.connection, told("lp_withdrawal_refused", row.account_id, asset, **payload))
    return LpWithdrawalState(status="refused", code=refusal.code, summary=summary)


async def _pay(book: Book, asset: AssetFacts, paying: Sequence[Paying], at: datetime) -> list[WithdrawalRow]:
    """Book these parts, burn the shares, settle fees, write payouts and rows; the rows as they are afterwards."""
    if not paying:
        return []
    parts = [(p, p.row.parts + 1) for p in paying]
    await book.book(*(rules.payout(asset.id, p.row.account_id, p.row.id, part, p.amount) for p, part in parts))
    before = await read_positions(book, asset.id, {p.row.account_id for p in paying})
    after = dict(before)
    for p in paying:
        position = after[p.row.account_id]
        after[p.row.account_id] = rules.paid_out(position, asset.fee_index, p.amount, instant=p.instant)
    await write_positions(book, asset, before, after)
    await book.connection.execute(
        """INSERT INTO exchange.lp_payouts (withdrawal_id, part, asset_id, account_id, amount_micros, instant, paid_at)
           SELECT id, part, %s, account_id, amount, instant, %s
           FROM unnest(%s::uuid[], %s::int[], %s::uuid[], %s::bigint[], %s::bool[])
             AS p(id, part, account_id, amount, instant)""",
        [
            asset.id, at, [p.row.id for p in paying], [part for _, part in parts],
            [p.row.account_id for p in paying], [p.amount for p in paying], [p.instant for p in paying],
        ],
    )  # fmt: skip
    return [await _paid(book, asset, p, part) for p, part in parts]


async def _paid(book: Book, asset: AssetFacts, paying: Paying, part: int) -> WithdrawalRow:
    row, amount = paying.row, format_usdc(paying.amount)
    paid = row.paid_micros + paying.amount
    status = "paid" if paid == row.amount_micros else row.status
    row = row.model_copy(update={"paid_micros": paid, "status": status, "parts": part})
    await book.connection.execute(
        """UPDATE exchange.lp_withdrawals SET paid_micros = %s, status = %s,
             finished_at = CASE WHEN %s THEN clock_timestamp() END WHERE id = %s""",
        [paid, status, status == "paid", row.id],
    )
    if not paying.instant:
        await show_progress(book, row.operation_id, "queue", f"{format_usdc(paid)} USDC paid in {part} parts")
    await set_operation(
        book.connection, row.operation_id, "completed" if status == "paid" else "waiting", _sentence(asset, row)
    )
    named = {"id": row.id, "amount_usdc": amount, "status": status}
    event = told("lp_payout", row.account_id, asset, part=part, instant=paying.instant, **named)
    await emit(book.connection, event)
    return row


def _sentence(asset: AssetFacts, row: WithdrawalRow) -> str:
    paid = f"{format_usdc(row.paid_micros)} of {format_usdc(row.amount_micros)} USDC paid from {asset.symbol}"
    if row.status == "queued" and row.due_at is not None:
        return f"{paid}; the rest is queued, due {row.due_at:%Y-%m-%d %H:%M} UTC"
    return f"{paid}, {row.status}"
