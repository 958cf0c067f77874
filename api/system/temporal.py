"""What only Temporal knows: is it there, how long its queues are, what failed, when schedules run next."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.service import RPCError

from domain.shared.processes import QUEUES
from workflows.client import Processes

_TIMEOUT: Final = timedelta(seconds=2)
_KINDS: Final = {
    "workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}


async def reachable(processes: Processes) -> bool:
    """Does the frontend answer within two seconds?"""
    try:
        async with asyncio.timeout(_TIMEOUT.total_seconds()):
            return await processes.client.service_client.check_health(timeout=_TIMEOUT)
    except (RPCError, RuntimeError, TimeoutError):
        return False


async def state(processes: Processes) -> dict[str, Any] | None:
    """Backlogs per queue, failed workflows, schedules; None when Temporal does not answer in time."""
    try:
        async with asyncio.timeout(_TIMEOUT.total_seconds() * 2):
            return await _state(processes)
    except (RPCError, RuntimeError, TimeoutError):
        return None


async def _state(processes: Processes) -> dict[str, Any]:
    client = processes.client
    failed = await client.count_workflows("ExecutionStatus = 'Failed'", rpc_timeout=_TIMEOUT)
    running = await client.count_workflows("ExecutionStatus = 'Running'", rpc_timeout=_TIMEOUT)
    schedules = []
    async for item in await client.list_schedules(rpc_timeout=_TIMEOUT):
        following = item.info.next_action_times[:1] if item.info else []
        schedules.append(
            {
                "id": item.id,
                "paused": bool(item.schedule and item.schedule.state.paused),
                "next_run_at": following[0].strftime("%Y-%m-%dT%H:%M:%SZ") if following else None,
            }
        )
    return {
        "failed_workflows": failed.count,
        "running_workflows": running.count,
        "queues": [await _queue(processes, name) for name in QUEUES],
        "schedules": schedules,
    }


async def _queue(processes: Processes, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name}
    for kind, number in _KINDS.items():
        answer = await processes.client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=processes.client.namespace,
                task_queue=TaskQueue(name=name),
                task_queue_type=number,
                report_stats=True,
            ),
            timeout=_TIMEOUT,
        )
        found[f"{kind}_backlog"] = answer.stats.approximate_backlog_count
        found[f"{kind}_pollers"] = len(answer.pollers)
    return found
