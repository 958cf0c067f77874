"""Our own wallets on the books: sweeps, what is asked of the hot wallet, and the alerts of upkeep."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from domain.exchange.custody import AddressBalance, choose_sweeps, sweep_transfer
from domain.exchange.messages import FinishSweep, Mined
from domain.shared import ids
from domain.shared.errors import Rejected
from domain.shared.events import Event
from domain.shared.money import format_usdc
from storage.books import Book, Books
from storage.events import emit, new_id, raise_alert, resolve_alert
from storage.operations import mark_step, open_operation, set_operation

SWEEP_STEPS = ("gas", "sweep", "book")


class SweepFacts(BaseModel):
    model_config = ConfigDict(frozen=True)
    id: str
    chain_id: int
    address: str
    amount_micros: int
    top_up_wei: int
    status: str
    operation_id: str | None


class Demand(BaseModel):
    """USDC that approved withdrawals wait for, and what withdrawals of the last 24 hours come to."""

    model_config = ConfigDict(frozen=True)
    waiting_micros: int
    day_micros: int


_UNSWEPT = """
SELECT a.address, d.micros - coalesce(s.micros, 0) - coalesce(u.micros, 0) AS micros
FROM exchange.deposit_addresses a
JOIN (SELECT to_address, sum(amount) AS micros FROM exchange.deposits
      WHERE chain_id = %(chain)s AND status = 'credited' AND account_id IS NOT NULL GROUP BY to_address) d
  ON d.to_address = a.address
LEFT JOIN (SELECT address, sum(amount_micros) AS micros FROM exchange.sweeps
      WHERE chain_id = %(chain)s AND status IN ('open', 'done') GROUP BY address) s ON s.address = a.address
LEFT JOIN (SELECT from_address, sum(amount) AS micros FROM exchange.deposits
      WHERE chain_id = %(chain)s AND account_id IS NULL AND status IN ('seen', 'confirming', 'credited')
      GROUP BY from_address) u ON u.from_address = a.address
WHERE a.chain_id = %(chain)s AND d.micros > coalesce(s.micros, 0) + coalesce(u.micros, 0)
  AND NOT EXISTS (SELECT 1 FROM exchange.sweeps o
    WHERE o.chain_id = a.chain_id AND o.address = a.address AND o.status = 'open')
"""


class CustodyStore:
    """Sweeps, and what upkeep asks and reports."""

    def __init__(self, books: Books, chain_id: int, sweep_minimum_micros: int) -> None:
        self.books = books
        self.chain_id = chain_id
        self.sweep_minimum_micros = sweep_minimum_micros

    async def open_sweeps(self, needed: int | None = None) -> list[str]:
        """Open sweeps of what is worth it, or of enough to bring `needed` micros; one at a time per address."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(_UNSWEPT, {"chain": self.chain_id})
            balances = [AddressBalance.model_validate(row) for row in await cursor.fetchall()]
            if needed is not None:
                needed -= await self._incoming(book)
            chosen = choose_sweeps(balances, at_least=self.sweep_minimum_micros, needed=needed)
            return [await self._open(book, balance) for balance in chosen]

    async def _incoming(self, book: Book) -> int:
        row = await (
            await book.connection.execute(
                """SELECT coalesce(sum(amount_micros), 0) AS micros FROM exchange.sweeps
                   WHERE chain_id = %s AND status = 'open'""",
                [self.chain_id],
            )
        ).fetchone()
        return int(row["micros"]) if row is not None else 0

    async def _open(self, book: Book, balance: AddressBalance) -> str:
        sweep_id = new_id()
        operation_id = await open_operation(
            book.connection,
            kind="sweep",
            subject_id=sweep_id,
            workflow_id=ids.sweep(sweep_id),
            steps=SWEEP_STEPS,
            summary=f"Sweep {format_usdc(balance.micros)} USDC from {balance.address} to the hot wallet",
        )
        await book.connection.execute(
            """INSERT INTO exchange.sweeps (id, chain_id, address, amount_micros, top_up_wei, operation_id)
               VALUES (%s, %s, %s, %s, 0, %s)""",
            [sweep_id, self.chain_id, balance.address, balance.micros, operation_id],
        )
        return sweep_id

    async def sweep(self, sweep_id: str) -> SweepFacts:
        async with self.books.begin() as book:
            return await self._row(book, sweep_id)

    async def _row(self, book: Book, sweep_id: str) -> SweepFacts:
        row = await (
            await book.connection.execute("SELECT * FROM exchange.sweeps WHERE id = %s FOR UPDATE", [sweep_id])
        ).fetchone()
        if row is None:
            raise Rejected("not_found", f"sweep {sweep_id}")
        return SweepFacts.model_validate(row)

    async def plan_sweep(self, sweep_id: str, top_up_wei: int) -> None:
        """Fix the gas top-up before anything is signed; a top-up already signed keeps its amount."""
        async with self.books.begin() as book:
            row = await self._row(book, sweep_id)
            await book.connection.execute(
                """UPDATE exchange.sweeps SET top_up_wei = %s WHERE id = %s AND NOT EXISTS
                   (SELECT 1 FROM exchange.transactions WHERE purpose = 'gas_top_up' AND ref_id = %s)""",
                [top_up_wei, sweep_id, sweep_id],
            )
            await mark_step(book.connection, row.operation_id, "gas", "running" if top_up_wei else "skipped")

    async def finish_sweep(self, command: FinishSweep) -> None:
        """Book a mined sweep, or close one that moved nothing; what is uncertain goes to an operator."""
        async with self.books.begin() as book:
            row = await self._row(book, command.sweep_id)
            if row.status != "open":
                return
            await book.connection.execute(
                """UPDATE exchange.transactions SET finished_at = clock_timestamp()
                   WHERE purpose IN ('sweep', 'gas_top_up') AND ref_id = %s""",
                [row.id],
            )
            if command.outcome is Mined.SUCCESS:
                await book.book(sweep_transfer(row.id, row.chain_id, row.amount_micros, command.tx_hash))
                await self._close(book, row, "done", "completed", f"Swept {format_usdc(row.amount_micros)} USDC")
                return
            await self._close(book, row, "failed", "failed", f"Sweep moved nothing ({command.outcome.value})")
            await raise_alert(
                book.connection, "stuck_withdrawal", f"sweep:{row.id}", f"sweep ended {command.outcome.value}"
            )

    async def skip_sweep(self, sweep_id: str, why: str) -> None:
        """Nothing was signed and nothing is worth moving: close without a posting."""
        async with self.books.begin() as book:
            row = await self._row(book, sweep_id)
            if row.status == "open":
                await self._close(book, row, "failed", "cancelled", why)

    async def _close(self, book: Book, row: SweepFacts, status: str, operation: str, summary: str) -> None:
        await book.connection.execute(
            "UPDATE exchange.sweeps SET status = %s, finished_at = clock_timestamp() WHERE id = %s", [status, row.id]
        )
        await mark_step(book.connection, row.operation_id, "book", "done" if status == "done" else "failed", summary)
        await set_operation(book.connection, row.operation_id, operation, summary)
        payload = {"id": row.id, "status": status, "amount_usdc": format_usdc(row.amount_micros)}
        await emit(book.connection, Event(topic="custody", type=f"sweep_{status}", payload={**payload}))

    async def demand(self) -> Demand:
        """What is asked of the hot wallet."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                """SELECT coalesce(sum(amount_micros)
                     FILTER (WHERE status = 'approved' AND reason = 'hot_wallet_low'), 0) AS waiting_micros,
                   coalesce(sum(amount_micros) FILTER (WHERE created_at > clock_timestamp() - interval '24 hours'
                     AND status NOT IN ('requested', 'rejected', 'cancelled', 'failed')), 0) AS day_micros
                   FROM exchange.withdrawals WHERE status = 'approved'
                     OR created_at > clock_timestamp() - interval '24 hours'"""
            )
            return Demand.model_validate(await cursor.fetchone())

    async def report(self, code: str, subject: str, *, bad: bool, detail: str, critical: bool = False) -> None:
        """Open the alert when `bad`, close it when it is good again."""
        async with self.books.begin() as book:
            if bad:
                await raise_alert(book.connection, code, subject, detail, critical=critical)
            else:
                await resolve_alert(book.connection, code, subject, "custody upkeep")
