"""Withdrawals on the books: hold, decisions, settlement. Each status change is one locked transaction."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from domain.exchange import withdrawals as rules
from domain.exchange.addresses import check_destination
from domain.exchange.messages import Decision, HoldPlaced, SettleWithdrawal, WithdrawalState
from domain.exchange.withdrawals import WithdrawalPolicy
from domain.shared.errors import Rejected
from domain.shared.events import Event
from domain.shared.ledger import available, hold, void
from domain.shared.money import USDC, format_usdc
from storage.books import Book, Books
from storage.events import audit, emit, raise_alert
from storage.operations import mark_step, set_operation

CONTROL = "exchange.withdrawals"
_LIMITS_LOCK = 7_200_010


class WithdrawalFacts(BaseModel):
    model_config = ConfigDict(frozen=True)
    id: str
    account_id: str
    chain_id: int
    to_address: str
    amount_micros: int
    fee_micros: int
    status: str
    failure_code: str | None
    requested_by: str
    operation_id: str | None

    @property
    def held_micros(self) -> int:
        return self.amount_micros + self.fee_micros

    @property
    def sentence(self) -> str:
        return f"{format_usdc(self.amount_micros)} USDC to {self.to_address[:8]}…{self.to_address[-6:]}"


class WithdrawalStore:
    """What the `Withdrawal` workflow asks of the books."""

    def __init__(self, books: Books, policy: WithdrawalPolicy, own_addresses: frozenset[str] = frozenset()) -> None:
        """`own_addresses`: our wallets and the token, lower case; deposit addresses are looked up."""
        self.books = books
        self.policy = policy
        self.own_addresses = own_addresses

    async def facts(self, withdrawal_id: str) -> WithdrawalFacts:
        async with self.books.begin() as book:
            return await self._row(book, withdrawal_id, lock=False)

    async def _row(self, book: Book, withdrawal_id: str, *, lock: bool = True) -> WithdrawalFacts:
        query = "SELECT * FROM exchange.withdrawals WHERE id = %s" + (" FOR UPDATE" if lock else "")
        row = await (await book.connection.execute(query, [withdrawal_id])).fetchone()
        if row is None:
            raise Rejected("not_found", f"withdrawal {withdrawal_id}")
        return WithdrawalFacts.model_validate(row)

    async def place_hold(self, withdrawal_id: str) -> HoldPlaced:
        """Check limits and balance under lock, then set the money aside; or reject, which moves nothing.

        Asked again it answers what it answered before: the status says whether the hold stands.
        """
        async with self.books.begin() as book:
            await book.connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LIMITS_LOCK])
            row = await self._row(book, withdrawal_id)
            if row.status in rules.ENDED:
                return HoldPlaced(status=row.status, code=row.failure_code, summary=row.sentence)
            cooldown = await self._cooldown(book, row)
            status = row.status
            if status == "requested":
                code = await self._refusal(book, row)
                if code is not None:
                    await self._end(book, row, "rejected", code, f"Rejected ({code}): {row.sentence}")
                    return HoldPlaced(status="rejected", code=code, summary=row.sentence)
                status = await self._hold(book, row)
            return HoldPlaced(status=status, usable_in_s=cooldown, summary=row.sentence)

    async def _hold(self, book: Book, row: WithdrawalFacts) -> str:
        review = rules.needs_review(row.amount_micros, self.policy)
        status = "pending_approval" if review else "approved"
        await book.book(
            hold(rules.hold_key(row.id), "withdrawal_hold", row.account_id, USDC, row.held_micros, ref=row.id)
        )
        await self._move(book, row, status)
        await mark_step(book.connection, row.operation_id, "hold", "done", f"{format_usdc(row.held_micros)} USDC")
        await mark_step(book.connection, row.operation_id, "approval", "running" if review else "skipped")
        waits = "Waits for another operator's approval: " if review else "Approved: "
        await set_operation(book.connection, row.operation_id, "waiting" if review else "running", waits + row.sentence)
        return status

    async def _refusal(self, book: Book, row: WithdrawalFacts) -> str | None:
        balance = await self._one(
            book,
            "SELECT balance AS value FROM platform.balances WHERE account = %s AND unit = %s FOR UPDATE",
            [available(row.account_id), USDC],
        )
        if balance < row.held_micros:
            return "insufficient_funds"
        used = """SELECT coalesce(sum(amount_micros), 0) AS value FROM exchange.withdrawals
                  WHERE created_at > clock_timestamp() - interval '24 hours' AND id <> %s
                  AND status NOT IN ('requested', 'rejected', 'cancelled', 'failed')"""
        account = await self._one(book, used + " AND account_id = %s", [row.id, row.account_id])
        platform = await self._one(book, used, [row.id])
        deposit_address = await self._one(
            book,
            "SELECT count(*) AS value FROM exchange.deposit_addresses WHERE chain_id = %s AND address = %s",
            [row.chain_id, row.to_address],
        )
        forbidden = self.own_addresses | ({row.to_address} if deposit_address else set())
        try:
            check_destination(row.to_address, forbidden)
            rules.check_limits(row.amount_micros, account, platform, self.policy)
        except Rejected as refusal:
            return refusal.code
        return None

    async def _one(self, book: Book, query: str, arguments: list[Any]) -> int:
        row = await (await book.connection.execute(query, arguments)).fetchone()
        return int(row["value"]) if row is not None else 0

    async def _cooldown(self, book: Book, row: WithdrawalFacts) -> int:
        cursor = await book.connection.execute(
            """INSERT INTO exchange.withdrawal_addresses AS a (account_id, address, usable_at)
               VALUES (%s, %s, clock_timestamp() + make_interval(secs => %s))
               ON CONFLICT (account_id, address) DO UPDATE SET address = excluded.address
               RETURNING greatest(0, ceil(extract(epoch FROM a.usable_at - clock_timestamp())))::int AS seconds""",
            [row.account_id, row.to_address, self.policy.new_address_cooldown_s],
        )
        found = await cursor.fetchone()
        return int(found["seconds"]) if found is not None else 0

    async def decide(self, withdrawal_id: str, decision: Decision) -> WithdrawalState:
        """Approve or reject, by someone else than the requester. Rejecting gives the hold back."""
        async with self.books.begin() as book:
            row = await self._row(book, withdrawal_id)
            wanted = "approved" if decision.approve else "rejected"
            if row.status == wanted:
                return WithdrawalState(status=row.status, failure_code=row.failure_code)
            if row.status != "pending_approval":
                raise Rejected("not_approvable", f"it is {row.status}")
            if decision.principal == row.requested_by:
                raise Rejected("self_approval", "another operator must decide")
            await audit(book.connection, decision.principal, f"withdrawal_{wanted}", row.id, note=decision.note)
            await book.connection.execute(
                "UPDATE exchange.withdrawals SET decided_by = %s WHERE id = %s", [decision.principal, row.id]
            )
            await mark_step(
                book.connection, row.operation_id, "approval", "done" if decision.approve else "failed", decision.note
            )
            if decision.approve:
                await self._move(book, row, "approved")
                await set_operation(book.connection, row.operation_id, "running", f"Approved: {row.sentence}")
                return WithdrawalState(status="approved")
            await self._release(book, row)
            await self._end(book, row, "rejected", "review_rejected", f"Rejected in review: {row.sentence}")
            return WithdrawalState(status="rejected", failure_code="review_rejected")

    async def cancel(self, withdrawal_id: str, principal: str) -> WithdrawalState:
        """Give the hold back, unless it is signed: from then on only the chain decides."""
        async with self.books.begin() as book:
            row = await self._row(book, withdrawal_id)
            if row.status == "cancelled":
                return WithdrawalState(status=row.status)
            if row.status not in rules.CANCELLABLE:
                raise Rejected("not_cancellable", f"it is {row.status}")
            if row.status != "requested":
                await self._release(book, row)
            await audit(book.connection, principal, "withdrawal_cancelled", row.id)
            await self._end(book, row, "cancelled", None, f"Cancelled: {row.sentence}", operation="cancelled")
            return WithdrawalState(status="cancelled")

    async def refuse(self, withdrawal_id: str, code: str, detail: str) -> WithdrawalState:
        """End before anything was signed: the token itself refuses this transfer. The hold goes back."""
        async with self.books.begin() as book:
            row = await self._row(book, withdrawal_id)
            if row.status in rules.ENDED:
                return WithdrawalState(status=row.status, failure_code=row.failure_code)
            if row.status != "approved":
                raise Rejected("not_cancellable", f"it is {row.status}")
            await self._release(book, row)
            await mark_step(book.connection, row.operation_id, "funds", "failed", detail)
            await self._end(book, row, "failed", code, f"Failed, money released: {detail}")
            return WithdrawalState(status="failed", failure_code=code)

    async def wait_reason(self, withdrawal_id: str, reason: str, detail: str) -> None:
        """Show why it waits (gas, hot wallet, kill switch, cool-down); empty clears it."""
        async with self.books.begin() as book:
            row = await self._row(book, withdrawal_id)
            await book.connection.execute(
                "UPDATE exchange.withdrawals SET reason = nullif(%s, ''), updated_at = clock_timestamp() WHERE id = %s",
                [reason, row.id],
            )
            await mark_step(book.connection, row.operation_id, "funds", "running" if reason else "done", detail)
            if reason:
                await set_operation(book.connection, row.operation_id, "waiting", f"Waits ({reason}): {row.sentence}")
            if reason in ("gas_wallet_low", "hot_wallet_low"):
                await raise_alert(book.connection, reason, "hot", f"a withdrawal waits: {detail}")

    async def settle(self, command: SettleWithdrawal) -> WithdrawalState:
        """Book what the chain proved: spend the hold, give it back, or keep it and call an operator."""
        async with self.books.begin() as book:
            row = await self._row(book, command.withdrawal_id)
            if row.status in rules.ENDED:
                return WithdrawalState(status=row.status, failure_code=row.failure_code)
            await book.connection.execute(
                "UPDATE exchange.withdrawals SET tx_hash = %s, mined_block = %s WHERE id = %s",
                [command.tx_hash or None, command.block_number or None, row.id],
            )
            await book.connection.execute(
                """UPDATE exchange.transactions SET finished_at = clock_timestamp()
                   WHERE purpose = 'withdrawal' AND ref_id = %s""",
                [row.id],
            )
            code = rules.FAILURE_CODES.get(command.outcome)
            if code is None:
                await book.book(
                    rules.settlement(
                        row.id, row.account_id, row.chain_id, row.amount_micros, row.fee_micros, command.tx_hash
                    )
                )
                await mark_step(book.connection, row.operation_id, "settle", "done")
                summary = f"Settled in block {command.block_number}: {row.sentence}"
                await self._end(book, row, "settled", None, summary, operation="completed")
                return WithdrawalState(status="settled")
            if rules.releases(command.outcome):
                await self._release(book, row)
                await self._end(book, row, "failed", code, f"Failed, money released: {command.detail}")
                return WithdrawalState(status="failed", failure_code=code)
            await raise_alert(book.connection, "stuck_withdrawal", row.id, command.detail, critical=True)
            await self._end(
                book, row, "failed", code, f"Held until proved: {command.detail}", operation="needs_operator"
            )
            return WithdrawalState(status="failed", failure_code=code)

    async def resolve_uncertain(
        self, withdrawal_id: str, principal: str, *, paid: bool, tx_hash: str, note: str
    ) -> None:
        """An operator's proof ends an uncertain withdrawal: `paid` spends the hold, otherwise it is given back."""
        async with self.books.begin() as book:
            row = await self._row(book, withdrawal_id)
            if row.status != "failed" or row.failure_code not in ("mined_without_proof", rules.FOREIGN_CODE):
                raise Rejected("conflict", f"withdrawal is {row.status} ({row.failure_code})")
            await audit(
                book.connection, principal, "withdrawal_resolved", row.id, paid=paid, tx_hash=tx_hash, note=note
            )
            if paid:
                await book.book(
                    rules.settlement(row.id, row.account_id, row.chain_id, row.amount_micros, row.fee_micros, tx_hash)
                )
                await self._end(book, row, "settled", None, f"Settled by hand: {row.sentence}", operation="completed")
            else:
                await self._release(book, row)
                await self._end(book, row, "failed", "released_by_operator", f"Released by hand: {row.sentence}")

    async def _release(self, book: Book, row: WithdrawalFacts) -> None:
        await book.book(
            void(rules.hold_key(row.id), "withdrawal_released", row.account_id, USDC, row.held_micros, ref=row.id)
        )

    async def _move(self, book: Book, row: WithdrawalFacts, status: str) -> None:
        await book.connection.execute(
            "UPDATE exchange.withdrawals SET status = %s, updated_at = clock_timestamp() WHERE id = %s",
            [status, row.id],
        )
        await emit(book.connection, _event(row, status))

    async def _end(
        self,
        book: Book,
        row: WithdrawalFacts,
        status: str,
        code: str | None,
        summary: str,
        *,
        operation: str = "failed",
    ) -> None:
        await book.connection.execute(
            """UPDATE exchange.withdrawals SET status = %s, failure_code = %s, reason = NULL,
                 updated_at = clock_timestamp(), finished_at = clock_timestamp() WHERE id = %s""",
            [status, code, row.id],
        )
        await set_operation(book.connection, row.operation_id, operation, summary, code)
        await emit(book.connection, _event(row, status))


def _event(row: WithdrawalFacts, status: str) -> Event:
    return Event(
        topic="withdrawals",
        type=f"withdrawal_{status}",
        account_id=row.account_id,
        payload={"id": row.id, "status": status, "amount_usdc": format_usdc(row.amount_micros)},
    )
