"""`holdfast workflows`: processes that failed or wait for an operator, and how they go on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli import context
from cli.context import DataDir
from cli.failures import principal
from cli.output import Json, Yes, agreed, out, print_json, progress, table

if TYPE_CHECKING:
    from temporalio.client import Client, WorkflowExecutionDescription

    from composition.parts import Parts

app = typer.Typer(
    help="Processes that failed or wait for an operator: list them, let them go on.", no_args_is_help=True
)

STUCK: Final = (
    "(ExecutionStatus IN ('Failed', 'Terminated', 'TimedOut', 'Canceled')"
    " OR (ExecutionStatus = 'Running' AND NeedsOperator = true)) AND WorkflowType != 'TimerProbe'"
)
"""A probe of `holdfast doctor` that timed out is doctor's own finding."""
OVER: Final = (None, "completed", "failed", "cancelled")
AT_ONCE: Final = 10
"""Descriptions asked of Temporal at the same time."""


@app.command()
def failed(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many of Temporal's list.")] = 100,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Processes that failed, were terminated, timed out, or wait for an operator, with what the books say of them."""

    async def read() -> list[dict[str, Any]]:
        async with context.opened(context.settings(data_dir)) as parts:
            with progress("asking Temporal"):
                return await stuck(parts, limit)

    rows = context.run(read)
    if as_json:
        print_json({"items": rows})
        return
    columns = ("workflow_id", "type", "temporal", "closed_at", "operation_id", "operation", "failure_code", "summary")
    if rows:
        out.print(table(columns, [[row[name] for name in columns] for row in rows]))
    else:
        out.print("nothing failed and nothing waits for an operator")


async def stuck(parts: Parts, limit: int) -> list[dict[str, Any]]:
    """Temporal's view joined with the operations; a run that was followed by a newer one is left out."""
    from storage import operator

    runs = {run.id: run async for run in parts.processes.client.list_workflows(STUCK, limit=limit)}
    newest = await _newest(parts.processes.client, list(runs))
    current = {name: run for name, run in runs.items() if newest.get(name) == run.run_id}
    known = {o["workflow_id"]: o for o in await operator.operations_of(parts.pool, list(current))}
    rows = []
    for name in sorted({*current, *known}):
        run, operation = current.get(name), known.get(name, {})
        if run and run.status is not None and run.status.name == "CANCELED" and operation.get("status") in OVER:
            continue  # somebody cancelled it and the product carried that out
        rows.append(
            {
                "workflow_id": name,
                "type": run.workflow_type if run else operation.get("kind"),
                "temporal": run.status.name.lower() if run and run.status else "ended",
                "closed_at": run.close_time.isoformat(timespec="seconds") if run and run.close_time else None,
                "operation_id": operation.get("id"),
                "operation": operation.get("status"),
                "failure_code": operation.get("failure_code"),
                "summary": operation.get("summary", ""),
            }
        )
    return rows


async def _newest(client: Client, names: list[str]) -> dict[str, str]:
    slots = asyncio.Semaphore(AT_ONCE)

    async def look(name: str) -> tuple[str, str]:
        async with slots:
            return name, (await client.get_workflow_handle(name).describe()).run_id

    return dict(await asyncio.gather(*(look(name) for name in names)))


@app.command()
def retry(
    name: Annotated[str, typer.Argument(metavar="ID", help="Workflow id or operation id (see `workflows failed`).")],
    yes: Yes = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Let a process go on: a waiting one is told to try again, a failed one is started again from its row."""

    async def act() -> None:
        async with context.opened(context.settings(data_dir)) as parts:
            await _retry(parts, name, yes=yes, as_json=as_json)

    context.run(act)


async def _retry(parts: Parts, name: str, *, yes: bool, as_json: bool) -> None:
    from domain.shared.errors import Rejected
    from storage import operator

    operation = await operator.operation_named(parts.pool, name) or await operator.delivery_named(parts.pool, name)
    workflow_id = operation["workflow_id"] if operation else name
    run = await _describe(parts.processes.client, workflow_id)
    if run is None and operation is None:
        raise Rejected("not_found", f"neither Temporal nor the books know {name}")
    status = run.status.name.lower() if run and run.status else "unknown to Temporal"
    if run is not None and status == "running":
        signal = _signal_of(run.workflow_type)
        if signal is None:
            raise Rejected("not_retryable", f"{workflow_id} is running and waits for nobody")
        if agreed(yes, [f"send the signal `{signal}` to {workflow_id}"], as_json=as_json):
            await poke(parts, workflow_id, signal)
            await operator.note_retry(parts.pool, principal(), workflow_id, how=f"signal {signal}")
            _tell(workflow_id, f"signal {signal}", as_json=as_json)
        return
    if operation is None or status in ("completed", "continued_as_new"):
        raise Rejected("not_retryable", _why_not(workflow_id, status, operation))
    plan = [
        f"start a NEW run of {workflow_id} (the last one is {status}); its id no longer keeps a second run away",
        "the process reads its row and goes on from what the books and the chain say, so what was done stays done once",
    ]
    if agreed(yes, plan, as_json=as_json):
        await _start_again(parts, operation)
        await operator.note_retry(parts.pool, principal(), workflow_id, how="new run")
        _tell(workflow_id, "new run", as_json=as_json)


def _tell(workflow_id: str, how: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"workflow_id": workflow_id, "done": how})


def _why_not(workflow_id: str, status: str, operation: dict[str, Any] | None) -> str:
    if operation is None:
        return f"{workflow_id} ({status}) has no row to go on from: restarting a worker starts what must always run"
    if operation["kind"] == "withdrawal" and operation["status"] == "needs_operator":
        return f"its process has ended: settle it with `holdfast withdrawals resolve {operation['subject_id']}`"
    return f"{workflow_id} has ended {status}: there is nothing to try again"


def _signal_of(workflow_type: str) -> str | None:
    """The signal by which this kind of process is told to go on."""
    from workflows.registry import WORKFLOWS

    for cls in (cls for listed in WORKFLOWS.values() for cls in listed):
        if cls.__name__ == f"{workflow_type}Workflow":
            return next((signal for signal in ("resume", "retry") if hasattr(cls, signal)), None)
    return None


async def _describe(client: Client, workflow_id: str) -> WorkflowExecutionDescription | None:
    from temporalio.service import RPCError, RPCStatusCode

    try:
        return await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise


async def poke(parts: Parts, workflow_id: str, signal: str) -> None:
    from domain.exchange.messages import DepositNews
    from domain.shared.errors import Rejected

    if not await parts.processes.signal(workflow_id, signal, DepositNews(cause=principal())):
        raise Rejected("conflict", f"{workflow_id} ended in between")


async def _start_again(parts: Parts, operation: dict[str, Any]) -> None:
    """A second run under the same id, which the product itself never makes. Its row decides what is left to do."""
    from temporalio.common import (
        SearchAttributePair,
        TypedSearchAttributes,
        WorkflowIDConflictPolicy,
        WorkflowIDReusePolicy,
    )

    from domain.shared.processes import PROCESSES, Start
    from workflows import search

    process = PROCESSES[operation["kind"]]
    pairs = [SearchAttributePair(search.AREA, process.area)]
    if operation["account_id"]:
        pairs.append(SearchAttributePair(search.ACCOUNT_ID, operation["account_id"]))
    await parts.processes.client.start_workflow(
        process.workflow,
        Start(subject_id=operation["subject_id"], operation_id=operation["id"]),
        id=operation["workflow_id"],
        task_queue=process.queue,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
        static_summary=operation["summary"],
        search_attributes=TypedSearchAttributes(pairs),
    )
