"""Whatever stops a process, an operator is called once, under a code that has a runbook."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.operations.parking import ParkingActivities
from domain.shared.errors import Broken, Failure, Rejected
from domain.shared.processes import RetryProcess, Start
from localnet.running import running_temporal
from storage.books import Books
from storage.database import Pool, make_pool
from storage.jobs import JobStore
from storage.reads.base import fetch_all
from tests.patience import until
from workflows import search
from workflows.client import connect
from workflows.failures import FailureInterceptor
from workflows.parking import Parking

QUEUE = "stumbling"
FAILURES: dict[str, Failure] = {}
"""What the step of each process raises, until it is taken away."""


@activity.defn
async def stumble() -> None:
    if failure := FAILURES.get(activity.info().workflow_id or ""):
        raise failure


@workflow.defn
class Stumbling(Parking):
    """One step, in the worker itself or through the server."""

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__()

    @workflow.run
    async def run(self, start: Start) -> str:
        return await self.to_the_end(lambda: self._step(start.subject_id == "local"), None)

    async def _step(self, local: bool) -> str:
        run = workflow.execute_local_activity if local else workflow.execute_activity
        await run(stumble, start_to_close_timeout=timedelta(seconds=5))
        return "done"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pool(new_database: Callable[[], Awaitable[str]]) -> AsyncIterator[Pool]:
    async with make_pool(await new_database(), size=4, name="test") as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(tmp_path_factory: pytest.TempPathFactory, pool: Pool) -> AsyncIterator[Client]:
    directory: Path = tmp_path_factory.mktemp("temporal")
    jobs = JobStore(Books(pool))
    async with running_temporal(directory) as temporal:
        connected = await connect(temporal.address, temporal.namespace)
        async with Worker(
            connected,
            task_queue=QUEUE,
            workflows=[Stumbling],
            activities=[stumble, ParkingActivities(jobs).park_operation],
            interceptors=[FailureInterceptor(jobs.alert_broken, jobs.quarantine)],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ):
            yield connected


@pytest.mark.parametrize("where", ["local", "server"])
@pytest.mark.parametrize(
    ("failure", "code", "detail"),
    [
        (Broken("nonce_drift", "drifted"), "nonce_drift", "drifted"),
        (Rejected("send_refused", "underpriced"), "internal_error", "send_refused: underpriced"),
        (Broken("unheard_of", "odd"), "internal_error", "unheard_of: odd"),
    ],
)
async def test_a_stopped_process_opens_one_alert_and_closes_it_when_it_goes_on(
    client: Client, pool: Pool, failure: Failure, code: str, detail: str, where: str
) -> None:
    process = f"{failure.code}-{where}"
    FAILURES[process] = failure
    handle = await client.start_workflow(Stumbling.run, Start(subject_id=where), id=process, task_queue=QUEUE)

    async def waits() -> object:
        return (await handle.describe()).typed_search_attributes.get(search.NEEDS_OPERATOR)

    async def alerts() -> list[dict[str, object]]:
        return await fetch_all(
            pool,
            "SELECT code, detail FROM platform.alerts WHERE subject = %s AND resolved_at IS NULL ORDER BY id",
            [process],
        )

    await until(waits)
    await until(alerts)
    assert await alerts() == [{"code": code, "detail": detail}]
    del FAILURES[process]
    await handle.signal("retry", RetryProcess())
    assert await handle.result() == "done"
    assert await alerts() == []
