"""Temporal from the outside: connect, start a process by its row, ask it to change. Used by worker, server and cli."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Final, TypeVar

from pydantic import BaseModel
from temporalio.client import Client, Interceptor, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes, PayloadCodec
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from domain.copytrade.messages import CopyGroup
from domain.shared import ids
from domain.shared.errors import Rejected, Unavailable
from domain.shared.processes import COPYTRADE, EXCHANGE, PROCESSES, Start
from workflows import search

Answer = TypeVar("Answer", bound=BaseModel)
_AGAIN: Final = WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY
"""Also after a run that was cancelled, terminated or timed out."""


def data_converter(codec: PayloadCodec | None = None) -> DataConverter:
    """Pydantic payloads; with a codec, payloads and failure details are encrypted."""
    if codec is None:
        return pydantic_data_converter
    return dataclasses.replace(
        pydantic_data_converter,
        payload_codec=codec,
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


async def connect(
    address: str,
    namespace: str,
    *,
    codec: PayloadCodec | None = None,
    tls: bool = False,
    api_key: str | None = None,
    runtime: Runtime | None = None,
    lazy: bool = False,
    interceptors: list[Interceptor] | None = None,
) -> Client:
    """A client with the house's converter. `lazy`: the connection is made by the first call."""
    return await Client.connect(
        address,
        namespace=namespace,
        data_converter=data_converter(codec),
        tls=tls,
        api_key=api_key,
        runtime=runtime,
        lazy=lazy,
        interceptors=interceptors or [],
    )


class Processes:
    """Start and steer the processes of domain.shared.processes. Every call is safe to repeat."""

    def __init__(self, client: Client, rpc_timeout: timedelta = timedelta(seconds=5)) -> None:
        self.client = client
        self.rpc_timeout = rpc_timeout

    async def start(
        self,
        kind: str,
        subject_id: str,
        workflow_id: str,
        summary: str,
        *,
        operation_id: str | None = None,
        account_id: str | None = None,
    ) -> None:
        """Start the process, or find it running or ended already: the id is its idempotency.

        A kind with `again` gets a new run when the last one did not come to its end.

        Raises: Unavailable temporal_unavailable.
        """
        process = PROCESSES[kind]
        pairs = [SearchAttributePair(search.AREA, process.area)]
        if account_id:
            pairs.append(SearchAttributePair(search.ACCOUNT_ID, account_id))
        with _answering(), suppress(WorkflowAlreadyStartedError):
            await self.client.start_workflow(
                process.workflow,
                Start(subject_id=subject_id, operation_id=operation_id),
                id=workflow_id,
                task_queue=process.queue,
                id_reuse_policy=_AGAIN if process.again else WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                static_summary=summary,
                search_attributes=TypedSearchAttributes(pairs),
                rpc_timeout=self.rpc_timeout,
                task_timeout=timedelta(seconds=process.notice_s),
            )

    async def copy_group(self, group_key: str, summary: str = "") -> None:
        """Start the attempt to copy a group, or find it running or ended. One that was stopped runs anew.

        Its first task may run in this very process (eager start), and a lost worker is noticed after two seconds: its
        steps are short and local.

        Raises: Unavailable temporal_unavailable.
        """
        with _answering(), suppress(WorkflowAlreadyStartedError):
            await self.client.start_workflow(
                "CopyAttempt",
                CopyGroup(group_key=group_key),
                id=ids.copy_attempt(group_key),
                task_queue=COPYTRADE,
                id_reuse_policy=_AGAIN,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                static_summary=summary or f"Copy {group_key}",
                search_attributes=TypedSearchAttributes([SearchAttributePair(search.AREA, COPYTRADE)]),
                rpc_timeout=self.rpc_timeout,
                task_timeout=timedelta(seconds=2),
                request_eager_start=True,
            )

    async def signal(self, workflow_id: str, name: str, argument: BaseModel) -> bool:
        """Signal a process; False when no such process is running.

        Raises: Unavailable temporal_unavailable.
        """
        try:
            with _answering():
                await self.client.get_workflow_handle(workflow_id).signal(name, argument, rpc_timeout=self.rpc_timeout)
        except _Unknown:
            return False
        return True

    async def wake(
        self,
        asset_id: str,
        workflow: str,
        workflow_id: str,
        state: BaseModel,
        name: str,
        argument: BaseModel,
        *,
        summary: str,
    ) -> None:
        """Signal the one process of its kind that an asset has; there is none: start it with `state` and the signal.

        Raises: Unavailable temporal_unavailable.
        """
        pairs = [SearchAttributePair(search.AREA, EXCHANGE), SearchAttributePair(search.ASSET_ID, asset_id)]
        with _answering():
            await self.client.start_workflow(
                workflow,
                state,
                id=workflow_id,
                task_queue=EXCHANGE,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                start_signal=name,
                start_signal_args=[argument],
                static_summary=summary,
                search_attributes=TypedSearchAttributes(pairs),
                rpc_timeout=self.rpc_timeout,
            )

    async def state(self, workflow_id: str) -> str | None:
        """How the newest run under this id stands (`running`, `completed`, `terminated` …); None: there is none.

        Raises: Unavailable temporal_unavailable.
        """
        try:
            with _answering():
                run = await self.client.get_workflow_handle(workflow_id).describe(rpc_timeout=self.rpc_timeout)
        except _Unknown:
            return None
        return run.status.name.lower() if run.status is not None else "unknown"

    async def running(self) -> set[str]:
        """The ids of all running processes, as Temporal's list has them: it may be some seconds behind.

        Raises: Unavailable temporal_unavailable.
        """
        with _answering():
            return {run.id async for run in self.client.list_workflows("ExecutionStatus = 'Running'", page_size=1_000)}

    async def update(
        self, workflow_id: str, name: str, argument: BaseModel, answer: type[Answer], *, update_id: str
    ) -> Answer:
        """Ask a process for a validated change and wait for its answer. `update_id` makes it happen once.

        Raises: Rejected with the code the process gave; Rejected conflict when it has ended; Unavailable when no
                worker answers in time (the change may still happen: ask again with the same id).
        """
        handle = self.client.get_workflow_handle(workflow_id)
        try:
            with _answering():
                result: Answer = await handle.execute_update(
                    name, argument, id=update_id, result_type=answer, rpc_timeout=self.rpc_timeout
                )
            return result
        except WorkflowUpdateFailedError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError) and cause.type:
                raise Rejected(cause.type, cause.message) from error
            raise
        except WorkflowUpdateRPCTimeoutOrCancelledError as error:
            raise Unavailable("temporal_unavailable", "no worker answered in time") from error
        except _Unknown as error:
            raise Rejected("conflict", "the process has ended") from error

    async def cancel(self, workflow_id: str) -> None:
        """Ask a process to cancel itself (it undoes what it must). Unknown or ended ones are left alone.

        Raises: Unavailable temporal_unavailable.
        """
        with suppress(_Unknown), _answering():
            await self.client.get_workflow_handle(workflow_id).cancel(rpc_timeout=self.rpc_timeout)


class _Unknown(Unavailable):
    """Temporal has no such process, or it has ended."""


@contextmanager
def _answering() -> Iterator[None]:
    """Turn the ways in which Temporal does not answer into Unavailable temporal_unavailable.

    A client made with lazy=True connects with its first call; when that fails it raises a bare RuntimeError and not
    an RPCError, and tries again with the next call.
    """
    try:
        yield
    except RPCError as error:
        kind = _Unknown if error.status is RPCStatusCode.NOT_FOUND else Unavailable
        raise kind("temporal_unavailable", f"Temporal answered {error.status.name}") from error
    except RuntimeError as error:
        if "client connect" not in str(error):
            raise
        raise Unavailable("temporal_unavailable", "the workflow service does not answer") from error
