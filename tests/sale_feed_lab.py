"""The feed of sales on a chain of its own: its turns by hand, or the activity as a worker runs it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from solders.keypair import Keypair
from solders.pubkey import Pubkey
from temporalio.testing import ActivityEnvironment

from activities.launchpad.sale_feed import SaleFeedActivities, Waking
from activities.launchpad.sale_turn import Collaborators, SaleTurn
from domain.launchpad.sale import SaleKeys
from domain.launchpad.sale_messages import OpenedSale, RunSales, SaleNews
from gateways.solana.everywhere import Everywhere
from gateways.solana.nodes import RpcNodes
from gateways.solana.sale_events import read_events
from gateways.solana.sale_hints import sale_hints
from localnet.svm.programs import PROGRAMS, configure_pools
from storage.books import Books
from storage.database import make_pool
from storage.fence import Fence, fenced
from storage.jobs import JobStore
from storage.launchpad.sale_feed import SaleFeedStore
from storage.listen import Listener
from tests.sale_lab import LAUNCH, SaleDesk, book_sale
from tests.svm_lab import SOL
from tests.world.books import BooksSide
from tests.world.svm import RunningSvm, running_svm

FENCE = Fence("sales-test", 7_299_050)


class FeedWorld(BooksSide):
    """`signals`: processes that were woken."""

    def __init__(self, dsn: str, books: Books, svm: RunningSvm, nodes: RpcNodes) -> None:
        super().__init__(dsn)
        self.books, self.svm, self.nodes, self.jobs = books, svm, nodes, JobStore(books)
        self.platform, self.creator = Keypair(), Keypair()
        self.desk = SaleDesk(svm.urls[0], self.platform)
        self.signals: list[tuple[str, str]] = []

    def wallet(self) -> Keypair:
        keys = Keypair()
        self.svm.fund(keys.pubkey(), 1_000 * SOL)
        return keys

    async def sale(self, **change: Any) -> tuple[SaleKeys, OpenedSale]:
        """On the chain and in the books; the feed has not looked yet."""
        keys, terms = await self.desk.create(self.creator, await self.desk.now(), **change)
        return keys, await book_sale(self.books.pool, keys, terms)

    def parts(self) -> Collaborators:
        async def signal(workflow_id: str, name: str, news: SaleNews) -> bool:
            self.signals.append((workflow_id, name))
            return True

        return Collaborators(
            self.nodes,
            self.desk.program,
            read_events,
            self.jobs.quarantine,
            signal,
            self.jobs.redispatch,
            Everywhere(self.nodes, quarantine=self.jobs.quarantine).older,
        )

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[SaleTurn]:
        async with fenced(self.dsn, FENCE, 1) as connection:
            yield SaleTurn(SaleFeedStore(connection, LAUNCH), self.parts())

    async def look(self) -> None:
        """Everything that happened becomes final, and the feed looks once."""
        self.svm.finalize()
        async with self.turn() as turn:
            await turn.look()

    async def kinds(self) -> list[str]:
        return [row["kind"] for row in await self.rows("SELECT kind FROM launchpad.sale_events ORDER BY id")]

    async def figures(self, sale: OpenedSale) -> dict[str, Any]:
        return await self.row("SELECT * FROM launchpad.sales WHERE id = %s", sale.sale_id)


@asynccontextmanager
async def following(world: FeedWorld, *, poll_s: float = 60) -> AsyncIterator[asyncio.Task[Any]]:
    """The activity as a worker runs it; its timer would be too late for these tests."""

    @asynccontextmanager
    async def fence() -> AsyncIterator[SaleFeedStore]:
        async with fenced(world.dsn, FENCE, 1) as connection:
            yield SaleFeedStore(connection, LAUNCH)

    hints = sale_hints(world.svm.ws_urls, LAUNCH, poll_s=poll_s)
    waking = Waking(hints.ticks, Listener(world.dsn), silence_s=60)
    acts = SaleFeedActivities(fence, world.parts(), waking)
    task = asyncio.create_task(ActivityEnvironment().run(acts.follow_sales, RunSales()))
    try:
        await world.until(lambda: asyncio.sleep(0, hints.connections), bool)
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def feed_world(database: str, programs: Mapping[Pubkey, Path] = MappingProxyType({})) -> AsyncIterator[FeedWorld]:
    """`programs` stand on the chain beside ours."""
    ours = {Pubkey.from_string(program.address): program.elf for program in PROGRAMS.values()}
    async with contextlib.AsyncExitStack() as stack:
        svm = await stack.enter_async_context(running_svm(programs=ours | dict(programs)))
        pool = await stack.enter_async_context(make_pool(database, size=4, name="test"))
        books = Books(pool)
        nodes = RpcNodes.connect(svm.urls, calls_per_s=1_000, quarantine=JobStore(books).quarantine)
        stack.push_async_callback(nodes.aclose)
        found = FeedWorld(database, books, svm, nodes)
        for keys in (found.platform, found.creator):
            svm.fund(keys.pubkey(), 1_000 * SOL)
        await configure_pools(svm.urls[0])
        yield found


async def alerted(world: FeedWorld) -> dict[str, str]:
    rows = await world.rows("SELECT subject, detail FROM platform.alerts WHERE code = 'chain_differs'")
    return {row["subject"]: row["detail"] for row in rows}


async def agreed(world: FeedWorld, keys: SaleKeys, sale: OpenedSale) -> bool:
    """The books are what the chain says, and nobody was called."""
    state, row = await world.desk.state(keys), await world.figures(sale)
    assert (row["sold"], row["raised_lamports"], row["held"]) == (state.sold, state.raised, state.held)
    return not await world.rows("SELECT 1 FROM platform.alerts UNION ALL SELECT 1 FROM platform.quarantine")
