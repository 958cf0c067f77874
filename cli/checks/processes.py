"""Checks of Temporal: the server, what it must know, who polls, how well it keeps time."""

from __future__ import annotations

import time
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING, Final

from cli.checks import Finding, away, broken, good, look

if TYPE_CHECKING:
    from temporalio.client import Client

POLLED_WITHIN_S: Final = 90
SLOW_TIMER_MS: Final = 100
PROBE_S: Final = 8


async def namespace(client: Client) -> Finding:
    """Does the server answer, and does it know our namespace?"""
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
    from temporalio.service import RPCError, RPCStatusCode

    try:
        answer = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        fix = f"temporal operator namespace create {client.namespace}"
        return broken("temporal", f"has no namespace {client.namespace}", fix)
    days = answer.config.workflow_execution_retention_ttl.seconds / 86_400
    return good("temporal", f"namespace {client.namespace} keeps closed processes {days:g} days")


async def search_attributes(client: Client) -> Finding:
    """Are the attributes registered by which operators find processes?"""
    from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest

    from workflows import search

    answer = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    missing = [key for key in search.ALL if key.name not in answer.custom_attributes]
    if not missing:
        return good("search attributes", ", ".join(key.name for key in search.ALL))
    kinds = " ".join(
        f"--name {key.name} --type {'Bool' if key.indexed_value_type.name == 'BOOL' else 'Keyword'}" for key in missing
    )
    names = ", ".join(key.name for key in missing)
    return broken("search attributes", f"missing: {names}", f"temporal operator search-attribute create {kinds}")


async def pollers(client: Client, queue: str) -> Finding:
    """Does a worker poll this queue?"""
    from temporalio.api.enums.v1 import TaskQueueType
    from temporalio.api.taskqueue.v1 import TaskQueue
    from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

    from workflows.registry import WORKFLOWS

    kinds = [TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY]
    if WORKFLOWS.get(queue):
        kinds.append(TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW)
    counts = []
    for kind in kinds:
        request = DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
        )
        answer = await client.workflow_service.describe_task_queue(request)
        recent = time.time() - POLLED_WITHIN_S
        counts.append(sum(poller.last_access_time.seconds > recent for poller in answer.pollers))
    if not all(counts):
        return away(f"worker {queue}", "nobody polls this queue: its work waits", f"holdfast worker --queues {queue}")
    return good(f"worker {queue}", f"{max(counts)} pollers")


async def timers(client: Client) -> Finding:
    """How long does a timer of 10 ms last? Tells a tuned development server; on a cluster it only informs."""
    import asyncio

    from domain.operations.probe import ProbeTimers, TimersProbed
    from domain.shared.processes import OPERATIONS
    from storage.events import new_id

    probe = ProbeTimers()
    try:
        async with asyncio.timeout(PROBE_S):
            found: TimersProbed = await client.execute_workflow(
                "TimerProbe",
                probe,
                id=f"timer-probe:{new_id()}",
                task_queue=OPERATIONS,
                execution_timeout=timedelta(seconds=PROBE_S),
                result_type=TimersProbed,
                static_summary="How long does a short timer last?",
            )
    except TimeoutError:
        return look("timers", f"the probe did not end within {PROBE_S} s", "is a worker polling `operations`?")
    middle = median(found.elapsed_ms)
    words = f"a timer of {probe.timer_ms} ms lasts {middle:.0f} ms"
    if await _is_development(client) and middle > SLOW_TIMER_MS:
        return look("timers", f"{words}: the development server is not tuned", "start it with `holdfast up`")
    return good("timers", words)


async def _is_development(client: Client) -> bool:
    """One file on one machine, as `temporal server start-dev` has it. A cluster may refuse to tell."""
    from temporalio.api.workflowservice.v1 import GetClusterInfoRequest
    from temporalio.service import RPCError

    try:
        answer = await client.workflow_service.get_cluster_info(GetClusterInfoRequest())
    except RPCError:  # Temporal Cloud does not answer this: it is no development server
        return False
    return bool(answer.persistence_store == "sqlite")
