"""Compensations run to the end, whatever happens while they run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from localnet.running import running_temporal
from tests.patience import until
from workflows.client import connect
from workflows.saga import Saga, is_business_end

BEGUN: dict[str, list[str]] = {}
UNDONE: dict[str, list[str]] = {}


@activity.defn
async def undo_step(name: str) -> None:
    run = activity.info().workflow_id
    BEGUN.setdefault(run, []).append(name)
    await asyncio.sleep(0.5)
    if name.endswith("fails"):
        raise ApplicationError("cannot be undone", non_retryable=True)
    UNDONE.setdefault(run, []).append(name)


@workflow.defn
class ThreeSteps:
    """Three steps, then a failure or a long wait in which it is cancelled; every step is undone."""

    @workflow.run
    async def run(self, names: list[str]) -> list[str]:
        saga = Saga()
        try:
            for name in names:
                saga.add(name, lambda name=name: self._undo(name))
            await workflow.sleep(timedelta(hours=1))
        except BaseException as error:
            if not is_business_end(error):
                raise
            await saga.undo()
            if saga.failed:
                return saga.failed
            raise
        return []

    async def _undo(self, name: str) -> None:
        await workflow.execute_activity(undo_step, name, start_to_close_timeout=timedelta(seconds=10))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    directory: Path = tmp_path_factory.mktemp("saga")
    async with running_temporal(directory) as server:
        yield await connect(server.address, "default")


@asynccontextmanager
async def worker(client: Client) -> AsyncIterator[str]:
    queue = uuid4().hex
    async with Worker(
        client,
        task_queue=queue,
        workflows=[ThreeSteps],
        activities=[undo_step],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield queue


async def sleeps(handle: WorkflowHandle[Any, Any]) -> None:
    """Until it has taken its steps and sleeps its hour."""

    async def look() -> bool:
        history = await handle.fetch_history()
        return any(event.HasField("timer_started_event_attributes") for event in history.events)

    await until(look)


async def begun(handle: WorkflowHandle[Any, Any]) -> list[str]:
    return BEGUN.get(handle.id, [])


async def test_all_three_are_undone_last_first_when_cancelled_again_while_undoing(client: Client) -> None:
    async with worker(client) as queue:
        handle = await client.start_workflow(ThreeSteps.run, ["a", "b", "c"], id=uuid4().hex, task_queue=queue)
        await sleeps(handle)
        await handle.cancel()
        await until(lambda: begun(handle))  # in the middle of the first compensation
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as ended:
            await handle.result()
    assert isinstance(ended.value.cause, CancelledError)
    assert UNDONE[handle.id] == ["c", "b", "a"]


async def test_a_compensation_that_fails_is_reported_and_the_others_still_run(client: Client) -> None:
    async with worker(client) as queue:
        handle = await client.start_workflow(ThreeSteps.run, ["a", "b fails", "c"], id=uuid4().hex, task_queue=queue)
        await sleeps(handle)
        await handle.cancel()
        assert await handle.result() == ["b fails"]
    assert UNDONE[handle.id] == ["c", "a"]
