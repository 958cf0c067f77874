"""Backup and restore drill as processes: what operators see, and what is left when they fail or are cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import CancelledError

from domain.operations.messages import BackupDone, DrillDone
from domain.shared.processes import OPERATIONS, Start
from gateways.backup import Vault
from localnet.running import RunningTemporal, running_temporal
from storage.database import transaction
from storage.operations import open_operation
from tests.ops_lab import OTHER_KEY, Lab, make_vault, open_lab, working
from tests.patience import until
from workflows.operations.backup import BackupWorkflow, RestoreDrillWorkflow


@pytest_asyncio.fixture(loop_scope="session")
async def temporal(tmp_path: Path) -> AsyncIterator[RunningTemporal]:
    async with running_temporal(tmp_path / "temporal") as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[Lab]:
    async with open_lab(database) as opened:
        account = await opened.account()
        for micros in (1_000_000, 2_500_000):
            await opened.fund(account, micros)
        yield opened


@pytest.fixture
def vault(lab: Lab, temporal: RunningTemporal, tmp_path: Path) -> Vault:
    return make_vault(
        lab.dsn,
        tmp_path / "vault",
        temporal_db_file=str(temporal.db_file),
        data_dirs=(tmp_path / "temporal",),
        keep=2,
    )


@pytest_asyncio.fixture(loop_scope="session")
async def client(lab: Lab, temporal: RunningTemporal, vault: Vault) -> AsyncIterator[Client]:
    async with working(lab, temporal, vault) as connected:
        yield connected


async def backup(client: Client, name: str) -> BackupDone:
    return await client.execute_workflow(
        BackupWorkflow.run, Start(subject_id=""), id=name, task_queue=OPERATIONS, result_type=BackupDone
    )


async def drill(client: Client, name: str) -> DrillDone:
    return await client.execute_workflow(RestoreDrillWorkflow.run, Start(subject_id=""), id=name, task_queue=OPERATIONS)


async def operation(lab: Lab, workflow_id: str) -> dict[str, Any]:
    return await lab.one(
        """SELECT o.status::text, o.summary, o.failure_code, o.dispatched_at IS NOT NULL AS dispatched, o.finished_at,
             (SELECT json_object_agg(s.name, s.status) FROM platform.operation_steps s WHERE s.operation_id = o.id)
               AS steps
           FROM platform.operations o WHERE workflow_id = %s""",
        workflow_id,
    )


async def scratch_databases(lab: Lab) -> list[dict[str, Any]]:
    return await lab.rows("SELECT datname FROM pg_database WHERE datname LIKE 'holdfast_drill_%%'")


async def test_a_scheduled_backup_shows_itself_and_the_drill_restores_it(
    lab: Lab, client: Client, vault: Vault
) -> None:
    done = await backup(client, "backup-nightly-1")
    assert vault.names() == [done.name]
    assert done.size > 10_000
    shown = await operation(lab, "backup-nightly-1")
    assert (shown["status"], shown["failure_code"], shown["dispatched"]) == ("completed", None, True)
    assert shown["steps"] == {"write": "done", "verify": "done", "publish": "done", "prune": "done"}
    (run,) = await lab.runs_of("backup")
    assert run["ok"]
    assert run["detail"]["name"] == done.name

    drilled = await drill(client, "restore-drill-weekly-1")
    assert drilled.archive == done.name
    shown = await operation(lab, "restore-drill-weekly-1")
    assert shown["status"] == "completed"
    assert set(shown["steps"].values()) == {"done"}
    assert "2 transfers and 4 postings" in shown["summary"]
    assert "temporal.sqlite.gz: whole" in shown["summary"]
    assert [r["ok"] for r in await lab.runs_of("restore_drill")] == [True]
    assert await scratch_databases(lab) == []
    assert await lab.alerts("backup_failed") == []


async def test_a_backup_asked_for_by_hand_uses_its_own_operation(lab: Lab, client: Client) -> None:
    async with transaction(lab.books.pool) as connection:
        operation_id = await open_operation(
            connection, kind="backup", subject_id="by-hand", workflow_id="backup:by-hand", steps=("write",), summary=""
        )
    await client.execute_workflow(
        BackupWorkflow.run,
        Start(subject_id="by-hand", operation_id=operation_id),
        id="backup:by-hand",
        task_queue=OPERATIONS,
    )
    rows = await lab.rows("SELECT id::text, status::text FROM platform.operations WHERE kind = 'backup'")
    assert rows == [{"id": operation_id, "status": "completed"}]


async def test_only_the_newest_are_kept(client: Client, vault: Vault) -> None:
    done = []
    for number in range(4):
        done.append(await backup(client, f"backup-{number}"))
        await asyncio.sleep(1)  # names carry seconds
    assert vault.names() == [d.name for d in done[2:]]
    assert [len(d.removed) for d in done] == [0, 0, 1, 1]


async def test_a_failed_backup_calls_an_operator_and_the_next_good_one_gives_the_all_clear(
    lab: Lab, temporal: RunningTemporal, tmp_path: Path, vault: Vault
) -> None:
    keyless = make_vault(lab.dsn, tmp_path / "vault", key="")
    async with working(lab, temporal, keyless) as client:
        with pytest.raises(WorkflowFailureError):
            await backup(client, "backup-a")
    shown = await operation(lab, "backup-a")
    assert (shown["status"], shown["failure_code"]) == ("failed", "backup_failed")
    assert "BACKUP_KEY" in shown["summary"]
    assert shown["steps"]["write"] == "failed"
    (alert,) = await lab.alerts("backup_failed")
    assert alert["subject"] == "backup-a"
    assert [r["ok"] for r in await lab.runs_of("backup")] == [False]
    assert vault.names() == []
    async with working(lab, temporal, vault) as client:
        await backup(client, "backup-b")
    assert await lab.alerts("backup_failed") == []


async def test_cancelling_in_the_middle_leaves_no_archive_and_no_half_one(
    lab: Lab, client: Client, vault: Vault, tmp_path: Path
) -> None:
    async with await psycopg.AsyncConnection.connect(lab.dsn) as locker:
        await locker.execute("LOCK TABLE platform.sessions IN ACCESS EXCLUSIVE MODE")
        handle = await client.start_workflow(
            BackupWorkflow.run, Start(subject_id=""), id="backup-a", task_queue=OPERATIONS
        )
        await until(lambda: _files(tmp_path / "vault"))
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as ended:
            await handle.result()
    assert isinstance(ended.value.cause, CancelledError)
    assert vault.names() == []
    assert await _files(tmp_path / "vault") == []
    assert (await operation(lab, "backup-a"))["status"] == "cancelled"
    assert await lab.alerts("backup_failed") == []


async def _files(directory: Path) -> list[str]:
    return [path.name for path in list(directory.parent.rglob("vault/.*"))]


@pytest.mark.parametrize("harm", ["tampered", "other key", "none"])
async def test_a_drill_that_cannot_restore_says_so(
    lab: Lab, temporal: RunningTemporal, vault: Vault, tmp_path: Path, harm: str
) -> None:
    if harm != "none":
        async with working(lab, temporal, vault) as client:
            done = await backup(client, "backup-a")
    used = vault
    if harm == "tampered":
        path = tmp_path / "vault" / done.name
        content = bytearray(path.read_bytes())
        content[-100] ^= 1
        path.write_bytes(content)
    elif harm == "other key":
        used = make_vault(lab.dsn, tmp_path / "vault", key=OTHER_KEY)
    async with working(lab, temporal, used) as client:
        with pytest.raises(WorkflowFailureError):
            await drill(client, "drill-a")
    assert (await operation(lab, "drill-a"))["status"] == "failed"
    (alert,) = await lab.alerts("backup_failed")
    assert alert["subject"] == "drill-a"
    assert await scratch_databases(lab) == []


async def test_the_drill_finds_books_that_are_not_those_of_the_manifest_and_drops_its_scratch(
    lab: Lab, temporal: RunningTemporal, vault: Vault
) -> None:
    """An archive whose ledger does not add up: a line was changed behind the guards before it was dumped."""
    await lab.rows(
        "SET session_replication_role = replica; UPDATE platform.postings SET amount = amount + 1 WHERE id = 1"
    )
    async with working(lab, temporal, vault) as client:
        await backup(client, "backup-a")
        with pytest.raises(WorkflowFailureError):
            await drill(client, "drill-a")
    shown = await operation(lab, "drill-a")
    assert "ledger_transfers_sum_to_zero" in shown["summary"]
    assert shown["steps"]["ledger"] == "failed"
    assert await scratch_databases(lab) == []


async def test_a_cancelled_drill_drops_its_scratch(lab: Lab, client: Client) -> None:
    await backup(client, "backup-a")
    handle = await client.start_workflow(
        RestoreDrillWorkflow.run, Start(subject_id=""), id="drill-a", task_queue=OPERATIONS
    )
    await until(lambda: scratch_databases(lab))
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert await scratch_databases(lab) == []
    assert (await operation(lab, "drill-a"))["status"] == "cancelled"
