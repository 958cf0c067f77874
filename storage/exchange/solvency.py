"""What solvency is computed from, and what follows when it fails."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from storage.books import Books
from storage.events import raise_alert, trip


class Claims(BaseModel):
    """What is owed; (hash, micros) of every signed, unsettled withdrawal; the deposit addresses that may hold money."""

    model_config = ConfigDict(frozen=True)
    liabilities: int
    unsettled: tuple[tuple[str, int], ...]
    addresses: tuple[str, ...]


class SolvencyStore:
    """`claims` only reads: over a read-only pool nothing else works."""

    def __init__(self, books: Books, chain_id: int) -> None:
        self.books = books
        self.chain_id = chain_id

    async def claims(self) -> Claims:
        """Everything owed at one moment, in one snapshot, and where custody has to be looked for."""
        async with self.books.begin() as book:
            await book.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            owed = await (
                await book.connection.execute(
                    """SELECT coalesce(sum(balance), 0) AS micros FROM platform.balances
                       WHERE unit = 'USDC' AND account <> 'world' AND account NOT LIKE 'custody:%%'"""
                )
            ).fetchone()
            cursor = await book.connection.execute(
                """SELECT s.tx_hash, w.amount_micros FROM exchange.withdrawals w
                   JOIN exchange.transactions t ON t.purpose = 'withdrawal' AND t.ref_id = w.id
                   JOIN exchange.signed_transactions s ON s.transaction_id = t.id
                   WHERE w.status IN ('signed', 'broadcast', 'confirming')
                      OR (w.status = 'failed' AND w.failure_code IN ('mined_without_proof'))"""
            )
            unsettled = tuple((r["tx_hash"], r["amount_micros"]) for r in await cursor.fetchall())
            cursor = await book.connection.execute(
                """SELECT DISTINCT to_address AS address FROM exchange.deposits
                   WHERE chain_id = %s AND status = 'credited' AND account_id IS NOT NULL""",
                [self.chain_id],
            )
            addresses = tuple(r["address"] for r in await cursor.fetchall())
        return Claims(liabilities=int(owed["micros"]) if owed else 0, unsettled=unsettled, addresses=addresses)

    async def stop_withdrawals(self, code: str, detail: str) -> None:
        """Trip the kill switch and call an operator, in one transaction."""
        async with self.books.begin() as book:
            await book.connection.execute(
                """INSERT INTO platform.controls (name, enabled, changed_by)
                   VALUES ('exchange.withdrawals', true, 'system')
                   ON CONFLICT DO NOTHING"""
            )
            await trip(book.connection, "exchange.withdrawals", f"{code}: {detail}", f"check:{code}")
            await raise_alert(book.connection, code, "", detail, critical=True)
