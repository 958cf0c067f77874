"""What one observed transfer becomes: a row, its process, or nothing. Works inside the scanner's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain.exchange import deposits as rules
from domain.exchange.custody import MOVES, Wallets
from domain.exchange.deposits import DepositPolicy
from domain.exchange.messages import TransferLog
from domain.shared import ids
from domain.shared.events import Event
from domain.shared.money import format_usdc
from storage.books import Book
from storage.events import emit, new_id, raise_alert, resolve_alert
from storage.operations import mark_step, open_operation, set_operation

DEPOSIT_STEPS = ("seen", "confirm", "credit")


class Observations:
    """Records transfers into deposit addresses and into our own wallets, through any reorganisation."""

    def __init__(self, chain_id: int, policy: DepositPolicy, wallets: Wallets) -> None:
        self.chain_id = chain_id
        self.policy = policy
        self.wallets = wallets

    async def record(self, book: Book, logs: Sequence[TransferLog]) -> int:
        """Returns: how many transfers were new or came back."""
        own = await self._deposit_addresses(book, logs)
        signed = await self._signed(book, [log for log in logs if log.to_address in self.wallets.holding])
        return sum([await self._observe(book, log, own, signed=log.tx_hash in signed) for log in logs])

    async def _deposit_addresses(self, book: Book, logs: Sequence[TransferLog]) -> dict[str, str]:
        names = sorted({log.to_address for log in logs} | {log.from_address for log in logs})
        cursor = await book.connection.execute(
            "SELECT address, account_id FROM exchange.deposit_addresses WHERE chain_id = %s AND address = ANY(%s)",
            [self.chain_id, names],
        )
        return {row["address"]: row["account_id"] for row in await cursor.fetchall()}

    async def _signed(self, book: Book, logs: Sequence[TransferLog]) -> set[str]:
        """Transactions of ours: their bytes are stored before they are sent, so they are known when they are seen."""
        if not logs:
            return set()
        cursor = await book.connection.execute(
            "SELECT tx_hash FROM exchange.signed_transactions WHERE tx_hash = ANY(%s)", [[log.tx_hash for log in logs]]
        )
        return {row["tx_hash"] for row in await cursor.fetchall()}

    async def _observe(self, book: Book, log: TransferLog, own: dict[str, str], *, signed: bool) -> int:
        """Insert the transfer, or bring an orphaned or moved one back."""
        found = rules.sighting(
            log, self.policy, self.wallets, from_deposit_address=log.from_address in own, signed=signed
        )
        if found is None:
            return 0
        tier = self.policy.tier(log.amount)
        cursor = await book.connection.execute(
            _OBSERVE,
            {
                **log.model_dump(),
                "id": new_id(),
                "account_id": own.get(log.to_address),
                "status": found.status,
                "reason": found.reason,
                "required": tier.confirmations,
                "tag": tier.tag,
                "due": log.block_number + tier.confirmations,
            },
        )
        row = await cursor.fetchone()
        if row is None:
            return await self._check_credited(book, log)
        if found.status == "seen":
            await self._open(book, log, row, found.reason)
        return 1

    async def _open(self, book: Book, log: TransferLog, row: dict[str, Any], reason: str | None) -> None:
        deposit_id, account_id, returned = row["id"], row["account_id"], not row["inserted"]
        kind = MOVES[reason].words if reason in MOVES else "Deposit"
        summary = f"{kind} of {format_usdc(log.amount)} USDC seen in block {log.block_number}"
        operation_id = await open_operation(
            book.connection,
            kind="deposit",
            subject_id=deposit_id,
            workflow_id=ids.deposit(log.chain_id, log.tx_hash, log.log_ordinal, row["generation"]),
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
        await emit(book.connection, deposit_event("deposit_seen", deposit_id, log.tx_hash, log.amount, account_id))

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


def deposit_event(kind: str, deposit_id: str, tx_hash: str, amount: int, account_id: str | None) -> Event:
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
