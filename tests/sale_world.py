"""Sales as they run in production: workers in processes that may be killed, a Solana with our programs, real Postgres
and Temporal. Slots become final quickly, so that a sale ends within seconds."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from solders.keypair import Keypair
from temporalio.service import RPCError

from domain.launchpad.sale import SaleKeys
from domain.launchpad.sale_messages import OpenedSale, RunSales
from domain.shared import ids
from domain.shared.processes import LAUNCHPAD
from localnet.svm.programs import PROGRAMS, configure_pools
from storage.database import make_pool
from tests.launch_lab import LaunchLab
from tests.patience import PATIENCE_S
from tests.sale_lab import LAUNCH, POOL, SaleDesk, book_sale
from tests.svm_lab import SOL
from tests.world.svm import running_svm_process
from workflows import client as temporal
from workflows.client import Processes


class SaleWorld(LaunchLab):
    """`creator`: makes the sales. `hurrying`: slots become final at once."""

    creator: Keypair
    hurrying = True

    @property
    def desk(self) -> SaleDesk:
        desk = SaleDesk(self.url, self.wallet)
        desk._made = self.sales = getattr(self, "sales", 0) + 1
        return desk

    async def person(self, lamports: int = 100 * SOL) -> Keypair:
        keys = Keypair()
        await self.node.control("account", key=str(keys.pubkey()), lamports=lamports)
        return keys

    async def sale(self, **change: Any) -> tuple[SaleKeys, OpenedSale]:
        """On the chain and in the books, its process running."""
        desk = self.desk
        keys, terms = await desk.create(self.creator, await desk.now(), **change)
        opened = await book_sale(self.pool, keys, terms, change.get("fee_bps", 0))
        row = await self.row(opened)
        await self.processes.start(
            "curve_sale", opened.sale_id, ids.curve_sale(row["project_id"]), "test", operation_id=opened.operation_id
        )
        return keys, opened

    async def follow(self) -> None:
        """The feed, as a worker starts it."""
        await self.processes.client.start_workflow("SaleFeed", RunSales(), id=ids.SALE_FEED, task_queue=LAUNCHPAD)

    async def row(self, opened: OpenedSale) -> dict[str, Any]:
        [found] = await self.rows(
            """SELECT s.*, s.status::text AS status, p.status::text AS project, o.status::text AS operation,
                 o.failure_code, o.summary
               FROM launchpad.sales s JOIN launchpad.projects p ON p.id = s.project_id
               JOIN platform.operations o ON o.id = s.operation_id WHERE s.id = %s""",
            opened.sale_id,
        )
        return found

    async def reaches(self, opened: OpenedSale, status: str, seconds: float = PATIENCE_S) -> dict[str, Any]:
        """The sale, once it or its operation has this status."""
        return await self.until(
            lambda: self.row(opened), lambda row: status in (row["status"], row["operation"]), seconds, 0.05
        )

    async def burden(self, who: Keypair, size: int = 100_000) -> None:
        """The wallet becomes an account of so many bytes that no refund pays its rent: the chain refuses every one."""
        data = base64.b64encode(bytes(size)).decode()
        await self.node.control("account", key=str(who.pubkey()), lamports=1, data=data)

    async def relieve(self, who: Keypair) -> None:
        await self.node.control("account", key=str(who.pubkey()), lamports=SOL)

    async def later(self, seconds: int) -> None:
        """The chain's clock goes on."""
        await self.node.control("warp", seconds=seconds)


async def _hurry(world: SaleWorld, every: float) -> None:
    """Makes what is confirmed final."""
    while True:
        if world.hurrying:
            with contextlib.suppress(aiohttp.ClientError):  # a test has killed the node
                await world.node.control("finalize")
        await asyncio.sleep(every)


@asynccontextmanager
async def sale_world(
    dsn: str, address: str, directory: Path, *, hurry: float = 0.1, **more: str
) -> AsyncIterator[SaleWorld]:
    """No worker is started yet. `more`: their settings."""
    processes = Processes(await temporal.connect(address, "default"))
    programs = {program.address: program.elf for program in PROGRAMS.values()}
    async with contextlib.AsyncExitStack() as stack:
        node = await stack.enter_async_context(running_svm_process(directory, programs=programs))
        pool = await stack.enter_async_context(make_pool(dsn, size=4, name="lab"))
        world = SaleWorld(dsn, address, processes, pool, node)
        world.more = {"launchpad_program_id": LAUNCH, "launchpad_pool_program_id": POOL, **more}
        await node.control("account", key=world.platform, lamports=100 * SOL)
        await configure_pools(node.urls[0])
        world.creator = await world.person()
        hurrying = asyncio.create_task(_hurry(world, hurry))
        try:
            yield world
        finally:
            hurrying.cancel()
            await world.kill()
            with contextlib.suppress(RPCError):  # not every test follows
                await processes.client.get_workflow_handle(ids.SALE_FEED).terminate()
