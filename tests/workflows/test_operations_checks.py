"""The ledger check and retention as processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from temporalio.client import Client, WorkflowHandle

from domain.operations.messages import Gone, LedgerChecked, ProcessesFound, RetentionDone
from domain.shared.processes import OPERATIONS
from localnet.running import RunningTemporal, running_temporal
from storage import retention as stored
from storage.open_processes import OpenProcesses
from tests.ops_lab import Lab, make_vault, open_lab, working
from workflows.operations import retention
from workflows.operations.checks import LedgerCheckWorkflow, ProcessCheckWorkflow
from workflows.operations.retention import RetentionWorkflow


@pytest_asyncio.fixture(loop_scope="session")
async def temporal(tmp_path: Path) -> AsyncIterator[RunningTemporal]:
    async with running_temporal(tmp_path / "temporal") as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[Lab]:
    async with open_lab(database) as opened:
        await opened.fund(await opened.account(), 1_000_000)
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def client(lab: Lab, temporal: RunningTemporal, tmp_path: Path) -> AsyncIterator[Client]:
    async with working(lab, temporal, make_vault(lab.dsn, tmp_path / "vault")) as connected:
        yield connected


async def check(client: Client, name: str) -> LedgerChecked:
    return await client.execute_workflow(
        LedgerCheckWorkflow.run, id=name, task_queue=OPERATIONS, result_type=LedgerChecked
    )


async def test_books_that_add_up_leave_everything_as_it_is(lab: Lab, client: Client) -> None:
    assert (await check(client, "a")).ok
    assert await lab.control("exchange.withdrawals") in (None, True)
    (run,) = await lab.runs_of("ledger_check")
    assert run["ok"]


async def test_a_changed_line_stops_withdrawals_and_calls_an_operator(lab: Lab, client: Client) -> None:
    """Somebody with superuser rights goes behind the guards."""
    await lab.rows(
        "SET session_replication_role = replica; UPDATE platform.postings SET amount = amount + 1 WHERE id = 1"
    )
    found = await check(client, "a")
    assert not found.ok
    assert await lab.control("exchange.withdrawals") is False
    (alert,) = await lab.alerts("ledger_mismatch")
    assert alert["severity"] == "critical"
    assert "ledger_transfers_sum_to_zero" in alert["detail"]
    await check(client, "b")
    (alert,) = await lab.alerts("ledger_mismatch")
    assert alert["times"] == 2
    assert [r["ok"] for r in await lab.runs_of("ledger_check")] == [False, False]
    assert len(await lab.rows("SELECT 1 FROM platform.audit_log WHERE action = 'control_off'")) == 1


async def processes(client: Client, name: str) -> ProcessesFound:
    return await client.execute_workflow(
        ProcessCheckWorkflow.run, id=name, task_queue=OPERATIONS, result_type=ProcessesFound
    )


async def start(client: Client, workflow_id: str) -> WorkflowHandle[Any, Any]:
    """A process that nobody serves: it runs until it is ended."""
    return await client.start_workflow("Correction", id=workflow_id, task_queue="nobody")


async def test_an_operation_whose_process_temporal_lost_is_started_again(lab: Lab, client: Client) -> None:
    lost, fresh = await lab.operation("correction:lost"), await lab.operation("correction:new", seconds_ago=10)
    over = await lab.operation("correction:over", status="completed")
    found = await processes(client, "a")
    assert [gone.workflow_id for gone in found.unknown] == ["correction:lost"]
    assert not await lab.dispatched(lost), "the dispatcher takes it up"
    assert await lab.dispatched(fresh)
    assert await lab.dispatched(over)
    assert await lab.alerts("process_gone") == []


async def test_a_process_that_was_ended_by_hand_calls_an_operator_until_it_runs_again(lab: Lab, client: Client) -> None:
    operation = await lab.operation("correction:x")
    handle = await start(client, "correction:x")
    assert (await processes(client, "a")).ended == ()
    await handle.terminate("by mistake")
    for name in ("b", "c"):
        (gone,) = (await processes(client, name)).ended
        assert gone == Gone(operation_id=operation, workflow_id="correction:x", status="terminated")
    (alert,) = await lab.alerts("process_gone")
    assert (alert["subject"], alert["severity"], alert["times"]) == ("correction:x", "critical", 2)
    assert "holdfast workflows retry correction:x" in alert["detail"]
    assert await lab.dispatched(operation), "an operator decides"
    again = await start(client, "correction:x")
    assert (await processes(client, "d")).ended == ()
    assert await lab.alerts("process_gone") == []
    await again.terminate()


async def test_what_ends_while_it_is_looked_at_is_nobodys_affair(lab: Lab) -> None:
    """The operation's end is booked between the look and the record."""
    lost, ended = await lab.operation("correction:l", status="completed"), await lab.operation("c", status="cancelled")
    await OpenProcesses(lab.books).record(
        ProcessesFound(
            looked_at=2,
            unknown=(Gone(operation_id=lost, workflow_id="correction:l"),),
            ended=(Gone(operation_id=ended, workflow_id="c", status="failed"),),
        )
    )
    assert await lab.dispatched(lost)
    assert await lab.alerts("process_gone") == []


async def test_retention_removes_what_is_old_and_nothing_that_is_needed(lab: Lab, client: Client) -> None:
    admin = await lab.account("admin")
    slow = await lab.webhook(admin, "http://127.0.0.1:1/", ["deposits"])
    await lab.tell("deposits", 1)
    await lab.tell("deposits", 2)
    await lab.rows("UPDATE platform.outbox SET created_at = created_at - interval '31 days'")
    await lab.tell("deposits", 3)
    account = await lab.account()
    await lab.rows(
        """INSERT INTO platform.idempotency_keys (principal, method, path, key, body_hash, created_at)
           SELECT 'p', 'POST', '/', n::text, '', now() - interval '8 days' FROM generate_series(1, 4500) n"""
    )
    await lab.rows(
        """INSERT INTO platform.idempotency_keys (principal, method, path, key, body_hash)
           VALUES ('p', 'POST', '/', 'new', '')"""
    )
    await lab.rows(
        """INSERT INTO platform.sessions (token_hash, account_id, csrf_token, expires_at)
           VALUES ('a', %s, '', now() - interval '1 second'), ('b', %s, '', now() + interval '1 hour')""",
        account,
        account,
    )
    first = await run_retention(client, "a")
    assert first.deleted["idempotency_keys"] == 4500
    assert first.deleted["sessions"] == 1
    assert first.deleted["outbox"] == 0, "the webhook has not read them"
    assert len(await lab.rows("SELECT 1 FROM platform.idempotency_keys")) == 1

    while await lab.hooks.fan_out():
        pass
    assert (await run_retention(client, "b")).deleted["outbox"] == 0, "their deliveries are under way"
    await lab.rows(
        """UPDATE platform.webhook_deliveries SET status = 'delivered', created_at = now() - interval '31 days'
           WHERE webhook_id = %s""",
        slow,
    )
    last = await run_retention(client, "c")
    assert last.deleted["webhook_deliveries"] == 3
    assert last.deleted["outbox"] >= 2
    left = await lab.rows("SELECT (payload->>'n')::int AS n FROM platform.outbox WHERE topic = 'deposits'")
    assert [row["n"] for row in left] == [3]
    assert all(r["ok"] for r in await lab.runs_of("retention"))


async def run_retention(client: Client, name: str) -> RetentionDone:
    return await client.execute_workflow(
        RetentionWorkflow.run, id=name, task_queue=OPERATIONS, result_type=RetentionDone
    )


def test_the_process_applies_every_rule_there_is() -> None:
    assert tuple(stored.RULES) == (*retention.RULES, *retention.LATER, *retention.PAPER, *retention.PICTURES)
