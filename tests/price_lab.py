"""A small world for prices: real Postgres, real Temporal, our price processes, no chain.

`python -m tests.price_lab DSN ADDRESS` serves them in a process of its own, for tests that kill it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.exchange.pricing import FeedActivities, HaltActivities, PricingActivities
from activities.operations.dispatch import DispatchActivities
from activities.operations.parking import ParkingActivities
from domain.exchange.price_messages import AssetNews, HaltState, PriceEngineState
from domain.exchange.pricing import Policy
from domain.shared import ids
from domain.shared.money import USDC_ONE
from domain.shared.processes import EXCHANGE, OPERATIONS
from storage.books import Books
from storage.database import Pool, make_pool, transaction
from storage.exchange.feed import FeedStore
from storage.exchange.halts import HaltStore
from storage.exchange.pricing import Pace, PricingStore
from storage.intents.halts import halt_by_operator
from storage.jobs import JobStore, Undispatched
from storage.listen import Listener
from tests.world.assets import funded_asset, trader
from tests.world.books import BooksSide
from tests.world.child import start_child
from workflows.client import Processes, connect
from workflows.exchange.halts import AssetHaltWorkflow
from workflows.exchange.pricing import PriceEngineWorkflow, PriceFeedWorkflow
from workflows.failures import FailureInterceptor
from workflows.operations.dispatcher import DispatcherWorkflow
from workflows.registry import WORKFLOW_FAILURES

POLICY = Policy(beta_millionths=200_000, volume_scale=1_000 * USDC_ONE, delta_cap_bps=500)
PACE = Pace(heartbeat_s=2, halt_s=300)


class PriceLab(BooksSide):
    """Stores on one database, and processes on one Temporal server."""

    def __init__(self, dsn: str, pool: Pool, client: Client, pace: Pace) -> None:
        super().__init__(dsn)
        self.pool, self.client = pool, client
        self.books = Books(pool)
        self.processes = Processes(client)
        self.feed = FeedStore(self.books)
        self.store = PricingStore(self.books, POLICY, pace)

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str, client: Client, pace: Pace = PACE) -> AsyncIterator[PriceLab]:
        async with make_pool(dsn, size=6, name="price-lab") as pool:
            yield cls(dsn, pool, client, pace)

    async def tell(self, asset_id: str, news: AssetNews) -> None:
        state = PriceEngineState(asset_id=asset_id)
        engine, summary = ids.price_engine(asset_id), f"Prices of asset {asset_id}"
        await self.processes.wake(asset_id, "PriceEngine", engine, state, "trades", news, summary=summary)

    async def _start(self, intent: Undispatched) -> None:
        await self.processes.start(
            intent.kind,
            intent.subject_id,
            intent.workflow_id,
            intent.summary,
            operation_id=intent.operation_id,
            account_id=intent.account_id,
        )

    @asynccontextmanager
    async def serving(self, *, follow: bool = True) -> AsyncIterator[None]:
        """Our workers in this process; with `follow` the feed and the dispatcher run too."""
        async with contextlib.AsyncExitStack() as stack:
            for worker in self._workers():
                await stack.enter_async_context(worker)
            if follow:
                await self.follow()
            yield

    async def follow(self) -> None:
        for workflow, name, queue in (
            ("PriceFeed", ids.PRICE_FEED, EXCHANGE),
            ("Dispatcher", "dispatcher", OPERATIONS),
        ):
            with contextlib.suppress(Exception):
                await self.client.start_workflow(workflow, id=name, task_queue=queue)

    def _workers(self) -> list[Worker]:
        jobs, listen = JobStore(self.books), Listener(self.dsn).listen
        feed = FeedActivities(self.feed, self.tell, listen)
        halts = HaltActivities(HaltStore(self.books))
        pricing = PricingActivities(self.store)
        more: dict[str, Any] = {
            "interceptors": [FailureInterceptor(jobs.alert_broken, jobs.quarantine)],
            "workflow_runner": SandboxedWorkflowRunner(
                restrictions=SandboxRestrictions.default.with_passthrough_modules("domain", "activities")
            ),
            "workflow_failure_exception_types": WORKFLOW_FAILURES,
        }
        exchange = Worker(
            self.client,
            task_queue=EXCHANGE,
            workflows=[PriceFeedWorkflow, PriceEngineWorkflow, AssetHaltWorkflow],
            activities=[
                feed.feed_prices,
                pricing.record_tick,
                halts.read_halt,
                halts.end_halt,
                halts.extend_halt,
                ParkingActivities(jobs).park_operation,
            ],
            **more,
        )
        operations = Worker(
            self.client,
            task_queue=OPERATIONS,
            workflows=[DispatcherWorkflow],
            activities=[DispatchActivities(jobs, self._start, listen).dispatch],
            **more,
        )
        return [exchange, operations]

    async def asset(self, **more: Any) -> tuple[str, str]:
        """An asset that trades, and somebody to trade in it."""
        return await funded_asset(self.dsn, **more), await trader(self.dsn)

    async def halted(self, asset_id: str, seconds: int = 300) -> str:
        """An operator's halt, as the API writes it; returns its id."""
        row = await self.row("SELECT clock_timestamp() + %s * interval '1 second' AS until", seconds)
        async with transaction(self.pool) as connection:
            opened = await halt_by_operator(
                connection, asset_id=asset_id, reason="news", principal="operator", until=row["until"]
            )
        return opened.subject_id

    async def ask(self, halt_id: str, name: str, argument: Any, update_id: str) -> HaltState:
        return await self.processes.update(ids.asset_halt(halt_id), name, argument, HaltState, update_id=update_id)

    async def ticks(self, asset_id: str) -> list[dict[str, Any]]:
        return await self.rows("SELECT * FROM exchange.price_ticks WHERE asset_id = %s ORDER BY id", asset_id)

    async def summed(self, asset_id: str) -> bool:
        """Have ticks summed up every trade, each once?"""
        row = await self.row(
            """SELECT (SELECT coalesce(sum(pool_micros), 0) FROM exchange.trades WHERE asset_id = a.id) AS traded,
                 (SELECT coalesce(sum(volume_micros), 0) FROM exchange.price_ticks WHERE asset_id = a.id) AS summed
               FROM exchange.assets a WHERE id = %s""",
            asset_id,
        )
        assert row["summed"] <= row["traded"]
        return bool(row["summed"] == row["traded"])

    async def status(self, asset_id: str) -> str:
        row = await self.row("SELECT status::text AS status FROM exchange.assets WHERE id = %s", asset_id)
        return str(row["status"])


async def spawn(dsn: str, address: str) -> Process:
    """Our workers in a process of their own, ready to serve."""
    return await start_child("tests.price_lab", dsn, address)


async def main(dsn: str, address: str) -> None:
    client = await connect(address, "default")
    async with PriceLab.open(dsn, client) as lab, lab.serving():
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
