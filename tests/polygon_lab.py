"""The chain trigger on a local Polygon: a node that can misbehave, followed wallets, and the activity itself."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString

from temporalio.client import Client
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.beating import ended
from activities.copytrade.chain import ChainTriggerActivities
from activities.copytrade.chain_turn import Collaborators
from domain.copytrade.chain_messages import FollowPolygon
from domain.copytrade.contracts import DEFAULT
from domain.shared.processes import COPYTRADE
from gateways.polymarket.chain import PolygonSocket
from gateways.polymarket.chain_rpc import PolygonRpc
from localnet.evm_proxy import EvmProxy
from localnet.polymarket.chain import OnChain
from localnet.polymarket.chain_calls import Order, match
from localnet.polymarket.chain_node import CHAIN_ID, RunningPolygon, running_polygon
from storage.books import Books
from storage.copytrade.chain_checks import ChainCheckStore
from storage.copytrade.chain_logs import ChainLogStore
from storage.copytrade.chain_state import ChainStateStore
from storage.database import make_pool
from storage.jobs import JobStore
from tests.patience import until
from tests.world import copytrade as by_hand
from tests.world.child import running_child
from workflows import client as temporal
from workflows.copytrade.chain import ChainTriggerWorkflow
from workflows.failures import FailureInterceptor

ONE = 1_000_000
UP, DOWN = str(11**60), str(13**60)
"""Tokens of the two outcomes of a market."""


class PolygonLab:
    """`proxy` stands between the node and us. `sockets` holds every socket that was opened, the newest last."""

    until = staticmethod(until)

    def __init__(self, dsn: str, polygon: RunningPolygon, proxy: EvmProxy, books: Books) -> None:
        self.dsn, self.polygon, self.proxy, self.books = dsn, polygon, proxy, books
        self.chain = polygon.exchange
        self.sockets: list[PolygonSocket] = []
        self.silence_s = 30.0

        self.rpc = PolygonRpc(proxy.url, DEFAULT, max_rps=1_000)

    def activities(self, *, rpc: bool = True, **options: Any) -> ChainTriggerActivities:
        def open_socket() -> PolygonSocket:
            socket = PolygonSocket(
                self.proxy.ws_url, DEFAULT, chain_id=CHAIN_ID, silence_s=self.silence_s, sleep=_hurry
            )
            self.sockets.append(socket)
            return socket

        return trigger(self.books, open_socket, self.rpc if rpc else None, **options)

    @asynccontextmanager
    async def listening(self, **options: Any) -> AsyncIterator[asyncio.Task[Any]]:
        """The activity runs while the block does, subscribed when it begins."""
        before = self.proxy.calls["eth_subscribe"]
        run = ActivityEnvironment().run(self.activities(**options).follow_polygon, FollowPolygon(chain_id=CHAIN_ID))
        task: asyncio.Task[Any] = asyncio.ensure_future(run)
        try:
            await self.until(self._subscribed(before))
            yield task
        finally:
            await ended(task)
            with contextlib.suppress(asyncio.CancelledError):
                task.result()

    def _subscribed(self, before: int) -> Callable[[], Awaitable[Any]]:
        async def look() -> bool:
            socket = await self.socket()
            return socket.get("state") == "up" and self.proxy.calls["eth_subscribe"] > before

        return look

    async def socket(self) -> dict[str, Any]:
        found = await self.rows("SELECT value FROM copytrade.checkpoints WHERE key = 'polygon:socket'")
        return dict(found[0]["value"]) if found else {}

    async def follow(self, label: str = "leader") -> str:
        """A followed wallet of its own user; returns the address."""
        user = await by_hand.leader(self.dsn, label, since=datetime.now(UTC) - timedelta(hours=1))
        found = await self.rows("SELECT wallet FROM copytrade.followed_wallets WHERE followed_user_id = %s", user)
        return str(found[0]["wallet"])

    async def trade(
        self, wallet: str, shares: int = 10 * ONE, usdc: int = 6 * ONE, *, fee: int = 0, exchange: str = "v2"
    ) -> OnChain:
        """The wallet buys as taker from a stranger."""
        maker = Order(by_hand.wallet(), "SELL", UP, shares, usdc)
        return await self.chain.send(match(Order(wallet, "BUY", UP, shares, usdc, fee), [maker], exchange))

    async def told_by_api(self, wallet: str, done: OnChain, shares: int, usdc: int, *, side: str = "BUY") -> None:
        """The same fill as the feed writes it."""
        condition, _ = await by_hand.market(self.dsn)
        await self.rows(
            """INSERT INTO copytrade.trade_events (id, source, source_id, followed_user_id, wallet, tx_hash,
                 condition_id, token_id, side, price_micros, share_micros, notional_micros, usdc_micros, fee_micros,
                 occurrence, event_time, detect_time, raw)
               SELECT gen_random_uuid(), 'POLYMARKET_API', gen_random_uuid()::text, followed_user_id, wallet, %s,
                 %s, %s, %s::copytrade.trade_side, 600000, %s, %s, %s, 0, 0, to_timestamp(%s), now(), '{}'
               FROM copytrade.followed_wallets WHERE wallet = %s""",
            *(done.tx_hash, condition, UP, side, shares, usdc, usdc, done.timestamp, wallet),
        )

    async def rows(self, statement: LiteralString, *values: Any) -> list[dict[str, Any]]:
        return await by_hand.rows(self.dsn, statement, *values)

    async def seen(self, *, removed: bool = False) -> list[dict[str, Any]]:
        """Rows of logs, in the order of the chain."""
        return await self.rows(
            "SELECT * FROM copytrade.chain_logs WHERE removed = %s ORDER BY block_number, log_index, wallet", removed
        )

    async def until_seen(self, count: int, *, removed: bool = False) -> list[dict[str, Any]]:
        async def look() -> list[dict[str, Any]]:
            found = await self.seen(removed=removed)
            return found if len(found) == count else []

        found: list[dict[str, Any]] = await self.until(look)
        return found

    async def quiet(self, seconds: float = 1.0) -> None:
        """Time for something that must not happen."""
        await asyncio.sleep(seconds)


async def _hurry(seconds: float) -> None:
    """Waits between two connections, a hundred times shorter."""
    await asyncio.sleep(seconds / 100)


@asynccontextmanager
async def polygon_lab(dsn: str, directory: Path, *, first_block: int = 92_000_000) -> AsyncIterator[PolygonLab]:
    async with (
        running_polygon(directory / "polygon", first_block=first_block) as polygon,
        EvmProxy(polygon.rpc_url) as proxy,
        make_pool(dsn, size=4, name="polygon-lab") as pool,
    ):
        proxy.view.nitro_fields = False
        lab = PolygonLab(dsn, polygon, proxy, Books(pool))
        try:
            yield lab
        finally:
            await lab.rpc.aclose()


def trigger(
    books: Books, open_socket: Callable[[], PolygonSocket], rpc: PolygonRpc | None, *, turn_s: float = 900,
    untold_after_s: float = 20.0,
) -> ChainTriggerActivities:  # fmt: skip
    """The activity with short patience."""
    collaborators = Collaborators(
        rpc=rpc,
        logs=ChainLogStore(books),
        state=ChainStateStore(books),
        checks=ChainCheckStore(books, indexing_s=0, patience_s=0.5),
        quarantine=JobStore(books).quarantine,
        untold_after_s=untold_after_s,
        verify_s=0.2,
    )
    return ChainTriggerActivities(open_socket, collaborators, turn_s=turn_s)


def trigger_worker(client: Client, activities: ChainTriggerActivities, jobs: JobStore) -> Worker:
    """As worker.py builds it, with this one process."""
    return Worker(
        client,
        task_queue=COPYTRADE,
        workflows=[ChainTriggerWorkflow],
        activities=[activities.follow_polygon],
        interceptors=[FailureInterceptor(jobs.alert_broken, jobs.quarantine)],
        workflow_runner=SandboxedWorkflowRunner(
            restrictions=SandboxRestrictions.default.with_passthrough_modules("domain", "activities")
        ),
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
        max_heartbeat_throttle_interval=timedelta(milliseconds=200),
        default_heartbeat_throttle_interval=timedelta(milliseconds=200),
    )


async def serve(dsn: str, address: str, url: str, ws_url: str) -> None:
    """A worker in a process of its own, to be killed."""
    client = await temporal.connect(address, "default")
    async with make_pool(dsn, size=4, name="polygon-worker") as pool:
        books = Books(pool)
        activities = trigger(
            books, lambda: PolygonSocket(ws_url, DEFAULT, chain_id=CHAIN_ID), PolygonRpc(url, DEFAULT, max_rps=1_000)
        )
        async with trigger_worker(client, activities, JobStore(books)):
            print("ready", flush=True)
            await asyncio.Event().wait()


def worker_process(lab: PolygonLab, address: str) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    """`serve` as a child."""
    return running_child("tests.polygon_lab", lab.dsn, address, lab.proxy.url, lab.proxy.ws_url)


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:5]))
