"""The ledger check and retention as processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from temporalio.client import Client

from domain.operations.messages import LedgerChecked, RetentionDone
from domain.shared.processes import OPERATIONS
from localnet.running import RunningTemporal, running_temporal
from storage import retention as stored
from tests.ops_lab import Lab, make_vault, open_lab, working
from workflows.operations import retention
from workflows.operations.checks import LedgerCheckWorkflow
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
    assert tuple(stored.RULES) == (*retention.RULES, *retention.LATER, *retention.PAPER)
