"""Many transactions of one run: one that something holds keeps neither the others nor the run's own end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from domain.launchpad.transactions import Landing, LandKey, Outcome, SignedAttempt
from domain.shared.processes import SOLANA_SIGNER
from localnet.running import running_temporal
from tests.patience import until
from workflows.client import connect
from workflows.launchpad import aftercare, tax
from workflows.launchpad.cycles import AT_ONCE, land_each
from workflows.schedules import LaunchpadTimes, wanted

ASKED: list[str] = []
BUSY: set[str] = set()
MOST: list[int] = []


@activity.defn
async def sign_solana(command: LandKey) -> SignedAttempt:
    """A signer that lets one wait for as long as its key says, refuses one, and finds the others done."""
    ASKED.append(command.key)
    BUSY.add(command.key)
    MOST.append(len(BUSY))
    try:
        if command.key.startswith("hangs"):
            while True:
                await asyncio.sleep(0.1)
                activity.heartbeat()
        await asyncio.sleep(0.1)
    finally:
        BUSY.discard(command.key)
    if command.key.startswith("held"):
        raise ApplicationError("no more today", type="solana_day_limit")
    if command.key.startswith("refused"):
        raise ApplicationError("no", type="wrong_owner", non_retryable=True)
    return SignedAttempt(key=command.key, ended=Landing(key=command.key, outcome=Outcome.LANDED, finalized=True))


@workflow.defn
class Lands:
    @workflow.run
    async def run(self, keys: list[str], each_s: float, within_s: float) -> dict[str, str]:
        return await land_each(keys, each=timedelta(seconds=each_s), within=timedelta(seconds=within_s))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    directory: Path = tmp_path_factory.mktemp("lands")
    async with running_temporal(directory) as server:
        yield await connect(server.address, "default")


@asynccontextmanager
async def workers(client: Client) -> AsyncIterator[str]:
    for told in (ASKED, BUSY, MOST):
        told.clear()
    queue = uuid4().hex
    lands = Worker(client, task_queue=queue, workflows=[Lands], workflow_runner=UnsandboxedWorkflowRunner())
    async with lands, Worker(client, task_queue=SOLANA_SIGNER, activities=[sign_solana]):
        yield queue


async def test_one_that_is_held_holds_up_no_other(client: Client) -> None:
    keys = ["held", "hangs", "refused", *(f"good-{number}" for number in range(3 * AT_ONCE))]
    async with workers(client) as queue:
        handle = await client.start_workflow(Lands.run, args=[keys, 6.0, 60.0], id=uuid4().hex, task_queue=queue)
        await until(lambda: asyncio.sleep(0, len(set(ASKED)) == len(keys)))
        assert "hangs" in BUSY, "the others had their turn meanwhile"
        told = await handle.result()
    assert {key: why for key, why in told.items() if why} == {
        "held": "timed_out",
        "hangs": "timed_out",
        "refused": "wrong_owner",
    }
    assert list(told) == keys
    assert max(MOST) <= AT_ONCE


async def test_the_run_ends_in_its_time_when_all_are_held(client: Client) -> None:
    keys = [f"hangs-{number}" for number in range(2 * AT_ONCE + 1)]
    async with workers(client) as queue:
        told = await client.execute_workflow(
            Lands.run, args=[keys, 4.0, 6.0], id=uuid4().hex, task_queue=queue, execution_timeout=timedelta(seconds=30)
        )
    assert told == dict.fromkeys(keys, "timed_out")
    assert keys[-1] not in ASKED, "its turn did not come"


async def test_a_cancelled_run_is_cancelled(client: Client) -> None:
    async with workers(client) as queue:
        keys = ["hangs", "held", *(f"hangs-{number}" for number in range(AT_ONCE))]
        handle = await client.start_workflow(Lands.run, args=[keys, 600.0, 600.0], id=uuid4().hex, task_queue=queue)
        await until(lambda: asyncio.sleep(0, len(BUSY) >= AT_ONCE - 1))
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as ended:
            await asyncio.wait_for(handle.result(), 60)
    assert isinstance(ended.value.cause, CancelledError)


def test_runs_end_before_their_schedules_end_them() -> None:
    times = LaunchpadTimes(reconcile_s=1, tax_cycle_s=1, tax_least_lamports=1, slice_s=1)
    listed = wanted(1, custody_interval_s=1, check_interval_s=1, backup_hour_utc=0, backups=False, launchpad=times)
    longest = {one.workflow: one.longest for one in listed}
    assert tax.WITHIN + timedelta(minutes=1) <= longest["TaxDistribution"]
    assert aftercare.WITHIN + timedelta(minutes=30) <= longest["SaleAftercare"]
