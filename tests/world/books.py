"""The books' side of a test world: rows, balances, statuses, and waiting for them."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.string import TextLoader

from storage.events import new_id
from tests.patience import until


class BooksSide:
    """Reads what the product wrote."""

    until = staticmethod(until)

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    async def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        async with await psycopg.AsyncConnection.connect(self.dsn, row_factory=dict_row) as connection:
            connection.adapters.register_loader("uuid", TextLoader)
            cursor = await connection.execute(query, arguments or None)  # type: ignore[arg-type]
            return await cursor.fetchall() if cursor.description else []

    async def row(self, query: str, *arguments: Any) -> dict[str, Any]:
        found = await self.rows(query, *arguments)
        assert len(found) == 1, f"{len(found)} rows for {query}"
        return found[0]

    async def account(self, name: str = "trader") -> str:
        account_id = new_id()
        await self.rows("INSERT INTO platform.accounts (id, name, role) VALUES (%s, %s, 'trader')", account_id, name)
        return account_id

    async def available(self, account_id: str) -> int:
        return await self.ledger(f"users:{account_id}:available")

    async def held(self, account_id: str) -> int:
        return await self.ledger(f"users:{account_id}:held")

    async def ledger(self, path: str) -> int:
        found = await self.rows("SELECT balance FROM platform.balances WHERE account = %s AND unit = 'USDC'", path)
        return int(found[0]["balance"]) if found else 0

    async def deposit(self, tx_hash: str, ordinal: int = 0) -> dict[str, Any]:
        found = await self.rows(
            "SELECT * FROM exchange.deposits WHERE tx_hash = %s AND log_ordinal = %s", tx_hash, ordinal
        )
        return found[0] if found else {"status": "unseen", "id": None, "reason": None}

    async def deposit_status(self, tx_hash: str, status: str, ordinal: int = 0) -> dict[str, Any]:
        return await self.until(lambda: self.deposit(tx_hash, ordinal), lambda row: row["status"] == status)

    async def withdrawal(self, withdrawal_id: str) -> dict[str, Any]:
        return await self.row("SELECT * FROM exchange.withdrawals WHERE id = %s", withdrawal_id)

    async def withdrawal_status(self, withdrawal_id: str, *statuses: str) -> dict[str, Any]:
        return await self.until(lambda: self.withdrawal(withdrawal_id), lambda row: row["status"] in statuses)

    async def check_books(self) -> None:
        """The invariants that every test ends with."""
        assert (
            await self.rows(
                "SELECT transfer_id FROM platform.postings GROUP BY transfer_id, unit HAVING sum(amount) <> 0"
            )
            == []
        )
        drift = await self.rows(
            """SELECT b.account, b.balance, s.sum FROM platform.balances b FULL JOIN
                 (SELECT account, unit, sum(amount) FROM platform.postings GROUP BY 1, 2) s USING (account, unit)
               WHERE b.balance IS DISTINCT FROM s.sum"""
        )
        assert drift == []
