"""Copying as it runs in production: attempts and the global portfolio in worker processes that a test may kill.

Groups are written by hand, books are the local venue's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import Client

from benchmarks import copy_worker
from localnet.polymarket.markets import Market
from tests.patience import until
from tests.world import copytrade, groups
from tests.world.venue import RunningVenue, running_venue
from workflows import client as temporal
from workflows.client import Processes

LADDER = ([("0.50", "100000"), ("0.49", "100000")], [("0.51", "100000"), ("0.52", "100000")])


class CopyingLab:
    until = staticmethod(until)

    def __init__(self, dsn: str, address: str, client: Client, venue: RunningVenue, *, exec_user: bool) -> None:
        self.dsn, self.address, self.client, self.venue, self.exec_user = dsn, address, client, venue, exec_user
        self.processes = Processes(client)
        self.workers: list[asyncio.subprocess.Process] = []

    # Workers.

    async def start_worker(self) -> None:
        started = await copy_worker.start_worker(self.dsn, self.address, self.venue.clob_url, exec_user=self.exec_user)
        self.workers.append(started)

    async def kill(self) -> None:
        """SIGKILL to every worker."""
        while self.workers:
            child = self.workers.pop()
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    # Leaders, markets, groups.

    async def leader(self, *, bankroll: int = groups.BANKROLL, mode: str = "full") -> str:
        user = await copytrade.leader(self.dsn, mode=mode)
        await groups.bankroll(self.dsn, user, bankroll)
        return user

    async def market(self, slug: str, ladder: Any = LADDER) -> Market:
        """A market of the venue that the books know, with a book of both tokens."""
        made = await self.venue.market(slug)
        tokens = [token.id for token in made.tokens]
        await self.venue.book(tokens[0], *ladder)
        await copytrade.rows(
            self.dsn,
            """WITH m AS (INSERT INTO copytrade.markets (condition_id, slug, tick_micros, min_order_micros, read_at)
                 VALUES (%(condition)s, %(slug)s, 10000, 5000000, clock_timestamp()) ON CONFLICT DO NOTHING)
               INSERT INTO copytrade.outcome_assets (token_id, condition_id, place, outcome)
               SELECT t, %(condition)s, n - 1, 'outcome' FROM unnest(%(tokens)s::text[]) WITH ORDINALITY AS x(t, n)
               ON CONFLICT DO NOTHING""",
            {"condition": made.condition_id, "slug": slug, "tokens": tokens},
        )
        return made

    async def group(self, user: str, market: Market, kind: str = "BUY", *, place: int = 0, **but: Any) -> str:
        tokens = market.tokens[place].id if kind in ("BUY", "SELL") else [token.id for token in market.tokens]
        return await groups.group(self.dsn, user, market.condition_id, tokens, kind, **but)

    async def copy(self, *keys: str) -> None:
        """Start the attempts, as the feed does."""
        for key in keys:
            await self.processes.copy_group(key)

    # What came of it.

    async def decided(self, key: str, scope: str = "EXEC_USER") -> dict[str, Any]:
        """The attempt of a group in a scope, once there is one."""

        async def look() -> list[dict[str, Any]]:
            return [row for row in await groups.attempts(self.dsn, key) if row["portfolio_scope"] == scope]

        [found] = await self.until(look)
        return found

    async def inputs(self, key: str) -> dict[str, Any]:
        return await groups.inputs(self.dsn, key)

    async def rows(self, statement: Any, *parameters: Any) -> list[dict[str, Any]]:
        return await copytrade.rows(self.dsn, statement, *parameters)

    def requested_books(self) -> int:
        """Books asked for at the venue."""
        return sum(count for route, count in self.venue.calls.items() if route.endswith("/book"))


def soon(ms: int = 750) -> datetime:
    return datetime.now(UTC) + timedelta(milliseconds=ms)


@asynccontextmanager
async def copying_lab(
    dsn: str, address: str, *, workers: int = 1, exec_user: bool = True, bankroll: int = groups.BANKROLL
) -> AsyncIterator[CopyingLab]:
    """With the global portfolio open, unless `bankroll` is 0."""
    client = await temporal.connect(address, "default")
    async with running_venue(world=False) as venue:
        lab = CopyingLab(dsn, address, client, venue, exec_user=exec_user)
        if bankroll:
            await groups.bankroll(dsn, None, bankroll)
        try:
            for _ in range(workers):
                await lab.start_worker()
            yield lab
        finally:
            await lab.kill()
