"""The embedded Temporal server: attributes, fast timers, and the same file after a SIGKILL."""

from __future__ import annotations

import time
import uuid
from datetime import timedelta
from pathlib import Path

from temporalio import workflow
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from localnet.running import running_temporal
from localnet.temporal import RETENTION_SECONDS

AREA = SearchAttributeKey.for_keyword("Area")


@workflow.defn
class Nap:
    """Sleeps once on the server."""

    @workflow.run
    async def run(self, milliseconds: int) -> str:
        await workflow.sleep(timedelta(milliseconds=milliseconds))
        return "slept"


async def test_timers_attributes_retention_and_kill(folder: Path) -> None:
    async with running_temporal(folder / "t") as server:
        await server.server.set_retention()
        client = await Client.connect(server.address, namespace=server.namespace)
        queue = uuid.uuid4().hex
        async with Worker(client, task_queue=queue, workflows=[Nap], workflow_runner=UnsandboxedWorkflowRunner()):
            took = []
            for _ in range(10):
                began = time.monotonic()
                await client.execute_workflow(Nap.run, 10, id=uuid.uuid4().hex, task_queue=queue)
                took.append(time.monotonic() - began)
            assert min(took) < 1, "a 10 ms timer lasts a second: the dynamic configuration is not in use"
        attributes = TypedSearchAttributes([SearchAttributePair(AREA, "exchange")])
        handle = await client.start_workflow(Nap.run, 50, id="survivor", task_queue=queue, search_attributes=attributes)
        pid, port = server.pid, server.address
        await server.kill()
        await server.start()
        assert (server.pid != pid, server.address) == (True, port)
        client = await Client.connect(server.address)
        async with Worker(client, task_queue=queue, workflows=[Nap], workflow_runner=UnsandboxedWorkflowRunner()):
            handle = client.get_workflow_handle("survivor")
            assert await handle.result() == "slept"
        described = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
        assert described.config.workflow_execution_retention_ttl.seconds == RETENTION_SECONDS
