"""SIGKILL in the middle of what paper portfolios do: snapshots, a rebuild, a test of rules and a sale come out once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest_asyncio
from psycopg import sql
from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy

from domain.copytrade.portfolio_messages import CloseDone, ConfigTested, RebuildDone, SnapshotsTaken
from domain.shared.processes import Start
from localnet.running import RunningTemporal, running_temporal
from storage.intents.opened import Opened
from tests.paper_worker import start_worker
from tests.patience import until
from tests.portfolio_lab import USDC, PortfolioLab, portfolio_lab
from tests.workflows.record_paper import close, config_test, copied, rebuild
from tests.world import copytrade as world
from tests.world.venue import RunningVenue, running_venue
from workflows import client as temporal


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[RunningTemporal]:
    async with running_temporal(tmp_path / "temporal") as running:
        yield running


class Lab:
    """Portfolios, a venue, and a worker that is killed and started again."""

    def __init__(self, paper: PortfolioLab, venue: RunningVenue, server: RunningTemporal, client: Any) -> None:
        self.paper, self.venue, self.server, self.client = paper, venue, server, client
        self.worker: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.worker = await start_worker(self.paper.dsn, self.server.address, self.venue.clob_url)

    async def kill(self) -> None:
        if self.worker is not None:
            self.worker.kill()
            await self.worker.wait()
            self.worker = None

    async def run(self, workflow: str, result: type[Any], opened: Opened | None = None) -> WorkflowHandle[Any, Any]:
        arguments = [] if opened is None else [Start(subject_id=opened.subject_id, operation_id=opened.operation_id)]
        handle: WorkflowHandle[Any, Any] = await self.client.start_workflow(
            workflow,
            args=arguments,
            id=workflow,
            task_queue="copytrade",
            result_type=result,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        return handle

    async def operator(self) -> str:
        return str((await world.rows(self.paper.dsn, "SELECT id FROM platform.accounts LIMIT 1"))[0]["id"])

    @asynccontextmanager
    async def held(self, table: str) -> AsyncIterator[None]:
        """Nobody writes this table while the block runs; whoever wants to is killed there."""
        async with await psycopg.AsyncConnection.connect(self.paper.dsn) as connection:
            await connection.execute(sql.SQL("LOCK TABLE copytrade.{} IN SHARE MODE").format(sql.Identifier(table)))
            yield
            query = """SELECT 1 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                       WHERE NOT l.granted AND c.relname = %s"""
            await until(lambda: world.rows(self.paper.dsn, query, table))
            await self.kill()


@asynccontextmanager
async def lab_of(dsn: str, server: RunningTemporal) -> AsyncIterator[Lab]:
    async with portfolio_lab(dsn) as paper, running_venue(seed=3) as venue:
        made = Lab(paper, venue, server, await temporal.connect(server.address, "default"))
        try:
            yield made
        finally:
            await made.kill()


async def snapshots(dsn: str) -> list[dict[str, Any]]:
    rows = await world.rows(dsn, "SELECT * FROM copytrade.portfolio_snapshots ORDER BY portfolio_id, bucket_time")
    return [{key: value for key, value in row.items() if key != "created_at"} for row in rows]


async def test_snapshots_and_their_rebuild_survive_kills(database: str, server: RunningTemporal) -> None:
    async with lab_of(database, server) as lab:
        user, token = await copied(lab.paper, lab.venue)
        portfolio = await world.portfolio(database, "SHADOW_USER", user)
        chance = random.Random(5)
        for hour in range(60):
            at = datetime.now(UTC) - timedelta(hours=62 - hour)
            await world.mark(database, token, chance.randrange(100_000, 900_000), at)
            await world.line(database, portfolio, "DEPOSIT", cash=USDC, at=at)

        await lab.start()
        async with lab.held("portfolio_hours"):
            taking = await lab.run("CopytradeSnapshots", SnapshotsTaken)
        await lab.start()
        await asyncio.wait_for(taking.result(), 60)
        before = await snapshots(database)
        assert len(before) > 3_000

        await world.rows(database, "UPDATE copytrade.portfolio_snapshots SET equity_micros = 0 WHERE unpriced = 0")
        opened = await rebuild(lab.paper, await lab.operator())
        async with lab.held("portfolio_snapshots"):
            rebuilding = await lab.run("RebuildSnapshots", RebuildDone, opened)
        for _ in range(3):
            await lab.start()
            await asyncio.sleep(chance.random())
            await lab.kill()
        await lab.start()
        done = await asyncio.wait_for(rebuilding.result(), 60)
        assert done.ended
        assert done.changed > 100
        after = await snapshots(database)
        assert [row for row in after if row["bucket_time"] <= before[-1]["bucket_time"]] == before


async def test_a_test_of_rules_survives_a_kill(database: str, server: RunningTemporal) -> None:
    async with lab_of(database, server) as lab:
        await copied(lab.paper, lab.venue)
        opened = await config_test(lab.paper, await lab.operator())
        await lab.start()
        async with lab.held("config_tests"):
            testing = await lab.run("ConfigTest", ConfigTested, opened)
        await lab.start()
        done = await asyncio.wait_for(testing.result(), 60)
        assert (done.groups, done.changed) == (2, 2)
        [row] = await world.rows(database, "SELECT done, result FROM copytrade.config_tests")
        assert row["done"]
        assert row["result"]["changed_total"] == 2


async def test_a_sale_by_hand_survives_a_kill_and_reads_one_book(database: str, server: RunningTemporal) -> None:
    async with lab_of(database, server) as lab:
        user, token = await copied(lab.paper, lab.venue)
        opened = await close(lab.paper, user, token, await lab.operator())
        await lab.start()
        async with lab.held("ledger_entries"):
            closing = await lab.run("PaperClose", CloseDone, opened)
        await lab.venue.book(token, [("0.01", "1")], [("0.99", "1")])
        await lab.start()
        done = await asyncio.wait_for(closing.result(), 60)
        assert done.status == "closed"
        lines = await world.rows(
            database, "SELECT share_delta_micros AS shares FROM copytrade.ledger_entries WHERE entry_type = 'CLOSE'"
        )
        assert [line["shares"] for line in lines] == [-5 * USDC]
        assert sum(count for route, count in lab.venue.calls.items() if route.endswith("/book")) == 1
