"""The transactions of a launch in the books: planned before anything is signed."""

from __future__ import annotations

from domain.launchpad.sale import SaleKeys
from domain.launchpad.steps import MINT, Step, plan_key
from domain.launchpad.transactions import Plan
from storage.books import Books
from storage.database import Connection
from storage.launchpad.transactions import plan as write


class LaunchPlans:
    def __init__(self, books: Books) -> None:
        self.books = books

    async def write(self, keys: SaleKeys, plan: Plan) -> None:
        """Where token and sale will stand, and the plan: one transaction."""
        async with self.books.begin() as book:
            await book.connection.execute(
                "UPDATE launchpad.launches SET mint = %s, sale_address = %s WHERE id = %s",
                [keys.mint, keys.address, plan.subject_id],
            )
            await write(book.connection, plan)

    async def signature(self, launch_id: str, step: Step) -> str | None:
        """Under which the step's transaction landed."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                "SELECT signature FROM launchpad.transactions WHERE key = %s", [plan_key(launch_id, step)]
            )
            row = await cursor.fetchone()
            return row["signature"] if row is not None else None

    async def wallet_signed(self, launch_id: str, step: Step) -> bool:
        """Whether the creator has handed the step's transaction in, and it may still land."""
        async with self.books.begin() as book:
            cursor = await book.connection.execute(
                """SELECT 1 FROM launchpad.transactions t JOIN launchpad.transaction_attempts a
                     ON a.transaction_id = t.id WHERE t.key = %s AND a.status = 'signed'""",
                [plan_key(launch_id, step)],
            )
            return await cursor.fetchone() is not None

    async def nothing_signed(self, launch_id: str) -> bool:
        """Whether no transaction of the mint is in the world that could still land, or has."""
        async with self.books.begin() as book:
            return await nothing_signed(book.connection, launch_id)


async def nothing_signed(connection: Connection, launch_id: str) -> bool:
    """See LaunchPlans. `signature` is set when the last of them, the platform's, is there; what failed is over."""
    cursor = await connection.execute(
        """SELECT 1 FROM launchpad.transactions t JOIN launchpad.transaction_attempts a ON a.transaction_id = t.id
           WHERE t.key = %s AND (a.status = 'landed' OR (a.status = 'signed' AND a.signature IS NOT NULL)) LIMIT 1""",
        [plan_key(launch_id, MINT)],
    )
    return await cursor.fetchone() is None
