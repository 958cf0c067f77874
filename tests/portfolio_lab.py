"""Decisions as the product makes them, without waiting: groups and books by hand, inputs kept, portfolios drained."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.copytrade.asked import Asked
from domain.copytrade.entries import Scope
from domain.copytrade.venue import Book, Level
from storage.books import Books
from storage.copytrade.drain import drain
from storage.copytrade.inputs import InputsStore
from storage.database import Pool, make_pool, transaction
from tests.world import copytrade as world
from tests.world import groups

USDC = 10**6
Ladder = Sequence[tuple[int, int]]


def book_of(token: str, condition: str, bids: Ladder, asks: Ladder) -> Book:
    """Prices in micros, sizes in whole shares, best first."""
    sides = [tuple(Level(price, size * USDC) for price, size in side) for side in (bids, asks)]
    return Book(token, condition, sides[0], sides[1], 0, "", 10_000, 5 * USDC, False)


def around(token: str, condition: str, mid: int, spread: int = 10_000, size: int = 100_000) -> Book:
    """Plenty on both sides of a price."""
    bid, ask = mid - spread // 2, mid + spread // 2
    return book_of(token, condition, [(bid, size), (bid - 10_000, size)], [(ask, size), (ask + 10_000, size)])


class PortfolioLab:
    def __init__(self, dsn: str, pool: Pool) -> None:
        self.dsn, self.pool, self.books = dsn, pool, Books(pool)
        self.inputs = InputsStore(pool)

    async def leader(self, bankroll: int = groups.BANKROLL) -> str:
        """A followed user with an executable portfolio; the global one is opened with the first."""
        user = await world.leader(self.dsn)
        opened = "SELECT id FROM copytrade.portfolios WHERE portfolio_scope = 'EXEC_GLOBAL'"
        if not await world.rows(self.dsn, opened):
            await groups.bankroll(self.dsn, None, groups.BANKROLL)
        await groups.bankroll(self.dsn, user, bankroll)
        return user

    async def portfolio(self, scope: str, user: str | None = None) -> dict[str, Any]:
        [row] = await world.rows(
            self.dsn,
            """SELECT * FROM copytrade.portfolios WHERE portfolio_scope = %s::copytrade.portfolio_scope
               AND followed_user_id IS NOT DISTINCT FROM %s""",
            *(scope, user),
        )
        return row

    async def ask(self, user: str, condition: str, token: str, kind: str, book: Book | None, **but: Any) -> str:
        """A group that is due now and its inputs; not decided yet."""
        due = but.pop("due_at", None) or datetime.now(UTC)
        detected = but.pop("detect_time", None) or due - timedelta(milliseconds=750)
        key = await groups.group(self.dsn, user, condition, token, kind, detect_time=detected, due_at=due, **but)
        found = await self.inputs.group(key)
        assert found is not None
        asked = Asked(due, due, 1, book, None if book is None else {"by": "hand"})
        await self.inputs.keep(found.group, asked, await self.inputs.facts(key))
        return key

    async def copy(self, user: str, condition: str, token: str, kind: str, book: Book | None, **but: Any) -> str:
        """A group decided in both portfolios."""
        key = await self.ask(user, condition, token, kind, book, **but)
        await self.drain(user)
        return key

    async def drain(self, user: str) -> None:
        """Decide what is ready, his own portfolio first."""
        for scope, whose in ((Scope.EXEC_USER, user), (Scope.EXEC_GLOBAL, None)):
            async with transaction(self.pool) as connection:
                await drain(connection, scope, whose)


@asynccontextmanager
async def portfolio_lab(dsn: str) -> AsyncIterator[PortfolioLab]:
    async with make_pool(dsn, size=4, name="test") as pool:
        yield PortfolioLab(dsn, pool)
