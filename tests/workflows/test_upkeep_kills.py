"""The launchpad's upkeep while its worker is killed: everything due is paid once, a comparison is made again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from solders.pubkey import Pubkey
from temporalio.client import WorkflowHandle

from domain.launchpad.reconcile import Reconcile, Reconciled
from domain.launchpad.tax_cycle import TaxCycle, TaxDone
from domain.shared.processes import LAUNCHPAD
from localnet.running import RunningTemporal, running_temporal
from localnet.svm.programs import PROGRAMS
from storage.database import make_pool
from tests.launch_lab import LaunchLab
from tests.upkeep_lab import Upkeep, upkeep_over
from tests.world.svm import RunningSvmProcess, running_svm_process
from workflows import client as temporal_client
from workflows.client import Processes

LEAST = 10_000_000


class OverControl:
    """The node's own control side."""

    def __init__(self, node: RunningSvmProcess) -> None:
        self.node = node

    async def fund(self, key: Pubkey, lamports: int) -> None:
        await self.node.control("account", key=str(key), lamports=lamports)

    async def finalize(self) -> None:
        await self.node.control("finalize")


class Stage:
    """Workers that may be killed, and the sales they look after."""

    def __init__(self, lab: LaunchLab, sales: Upkeep) -> None:
        self.lab, self.sales = lab, sales
        self.client = lab.processes.client

    async def start(self, kind: str, argument: Any) -> WorkflowHandle[Any, Any]:
        result = TaxDone if kind == "TaxDistribution" else Reconciled
        return await self.client.start_workflow(
            kind, argument, id=f"{kind}:kills", task_queue=LAUNCHPAD, result_type=result
        )

    async def again(self) -> None:
        await self.lab.kill()
        await self.lab.start_worker()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: Any) -> AsyncIterator[RunningTemporal]:
    directory: Path = tmp_path_factory.mktemp("upkeep")
    async with running_temporal(directory / "temporal") as running:
        yield running


async def _hurry(node: RunningSvmProcess) -> None:
    """Finality need not be waited for."""
    while True:
        await asyncio.sleep(0.3)
        await node.control("finalize")


@pytest_asyncio.fixture(loop_scope="session")
async def stage(
    server: RunningTemporal, new_database: Callable[[], Awaitable[str]], tmp_path: Path
) -> AsyncIterator[Stage]:
    dsn, programs = await new_database(), {program.address: program.elf for program in PROGRAMS.values()}
    processes = Processes(await temporal_client.connect(server.address, "default"))
    async with contextlib.AsyncExitStack() as stack:
        node = await stack.enter_async_context(running_svm_process(tmp_path, programs=programs))
        pool = await stack.enter_async_context(make_pool(dsn, size=4, name="lab"))
        lab = LaunchLab(dsn, server.address, processes, pool, node)
        lab.more = {
            "launchpad_program_id": PROGRAMS["launchpad"].address,
            "launchpad_pool_program_id": PROGRAMS["pool"].address,
        }
        sales = await stack.enter_async_context(upkeep_over(dsn, node.urls, OverControl(node), lab.wallet))
        hurrying = asyncio.create_task(_hurry(node))
        try:
            await lab.start_worker()
            yield Stage(lab, sales)
        finally:
            hurrying.cancel()
            await lab.kill()


async def test_a_cycle_whose_worker_is_killed_at_every_step_pays_once(stage: Stage) -> None:
    keys, _ = await stage.sales.latched()
    before = await stage.sales.desk.state(keys)
    handle = await stage.start("TaxDistribution", TaxCycle(least_lamports=LEAST))
    for look in (
        "SELECT 1 FROM launchpad.transactions",
        "SELECT 1 FROM launchpad.transaction_attempts",
        "SELECT 1 FROM launchpad.transactions WHERE status IN ('landed', 'finalized')",
    ):
        await stage.lab.until(lambda look=look: stage.lab.rows(look), bool)  # type: ignore[misc]
        await stage.again()
    done: TaxDone = await asyncio.wait_for(handle.result(), 120)
    assert (done.landed, done.failed) == (3, 0), done
    after = await stage.sales.desk.state(keys)
    assert (after.marketing_due, after.treasury_due, after.rewards_due, after.referral_due) == (0, 0, 0, 0)
    assert before.burn_due - after.burn_due == after.raised - before.raised
    await stage.sales.look()
    kinds = await stage.lab.rows("SELECT kind FROM launchpad.sale_events WHERE kind <> 'Traded' ORDER BY kind")
    assert [row["kind"] for row in kinds] == ["Burned", "Distributed", "ReferralSettled", "SaleCreated"]
    sent = await stage.lab.rows("SELECT status::text AS status FROM launchpad.transactions ORDER BY status")
    assert [row["status"] for row in sent if row["status"] != "abandoned"] == ["finalized"] * 3
    assert await stage.lab.rows("SELECT ok FROM platform.job_runs WHERE job = 'tax_distribution'") == [{"ok": True}]


@pytest.mark.parametrize("wrong", [False, True], ids=["agreeing", "differing"])
async def test_a_comparison_whose_worker_is_killed_is_made_again(stage: Stage, wrong: bool) -> None:
    _, sale = await stage.sales.latched()
    if wrong:
        await stage.sales.change("UPDATE launchpad.sales SET sold = sold - 1 WHERE id = %s", sale.sale_id)
    for port in (0, 1):
        await stage.lab.node.control(
            "fault", port=port, method="getMultipleAccounts", fault="slow", seconds=2, times=None
        )
    handle = await stage.start("LaunchpadReconcile", Reconcile())
    await stage.lab.until(lambda: _pending(handle), bool)
    await stage.again()
    for port in (0, 1):
        await stage.lab.node.control("heal", port=port)
    found: Reconciled = await asyncio.wait_for(handle.result(), 60)
    assert list(found.differs) == ([sale.sale_id] if wrong else [])
    alerts = await stage.lab.rows("SELECT code, times FROM platform.alerts WHERE resolved_at IS NULL")
    assert alerts == ([{"code": "chain_differs", "times": 1}] if wrong else [])
    assert await stage.lab.rows("SELECT ok FROM platform.job_runs WHERE job = 'launchpad_reconcile'") == [
        {"ok": not wrong}
    ]


async def _pending(handle: WorkflowHandle[Any, Any]) -> bool:
    """Has a worker begun with it?"""
    described = await handle.describe()
    return any(one.state == 2 for one in described.raw_description.pending_activities)
