"""Schedules on a real server: made, changed, paused by people, removed, raced for."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest_asyncio
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    ScheduleSpec,
)

from localnet.running import RunningTemporal, running_temporal
from tests.ops_lab import Lab, make_vault, open_lab, working
from tests.patience import until
from workflows.client import connect
from workflows.codec import codec_from_keys
from workflows.schedule_sync import diff, reconcile
from workflows.schedules import Wanted, wanted


@pytest_asyncio.fixture(loop_scope="session")
async def temporal(tmp_path: Path) -> AsyncIterator[RunningTemporal]:
    async with running_temporal(tmp_path / "temporal") as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def client(temporal: RunningTemporal) -> Client:
    return await connect(temporal.address, temporal.namespace)


def listed(*, check: int = 60, backups: bool = True) -> list[Wanted]:
    return wanted(7, custody_interval_s=600, check_interval_s=check, backup_hour_utc=3, backups=backups)


async def names(client: Client) -> set[str]:
    return {entry.id async for entry in await client.list_schedules()}


async def settled(client: Client, expected: set[str]) -> None:
    """The list is eventually consistent."""

    async def equal() -> bool:
        return await names(client) == expected

    await until(equal)


async def test_made_once_and_then_left_alone(client: Client) -> None:
    assert await diff(client, listed()) == [f"create {one.id}" for one in listed()]
    assert await reconcile(client, listed()) == [f"created {one.id}" for one in listed()]
    assert await reconcile(client, listed()) == []
    assert await diff(client, listed()) == []
    described = await client.get_schedule_handle("backup-nightly").describe()
    assert described.schedule.policy.overlap is ScheduleOverlapPolicy.SKIP
    assert described.schedule.policy.catchup_window == timedelta(hours=2)
    action = described.schedule.action
    assert isinstance(action, ScheduleActionStartWorkflow)
    assert (action.workflow, action.execution_timeout) == ("Backup", timedelta(hours=12))
    assert described.info.next_action_times[0].hour == 3


async def test_a_change_arrives_and_an_operators_pause_stays(client: Client) -> None:
    await reconcile(client, listed())
    handle = client.get_schedule_handle("ledger-check")
    await handle.pause(note="Ada looks into it")
    assert await diff(client, listed(check=30)) == [
        "update solvency", "update liquidity-upkeep", "update ledger-check", "paused ledger-check: Ada looks into it",
        "update process-check",
    ]  # fmt: skip
    assert await reconcile(client, listed(check=30)) == [
        "updated solvency", "updated liquidity-upkeep", "updated ledger-check", "updated process-check",
    ]  # fmt: skip
    described = await handle.describe()
    assert described.schedule.spec.intervals[0].every == timedelta(seconds=30)
    assert (described.schedule.state.paused, described.schedule.state.note) == (True, "Ada looks into it")
    assert await reconcile(client, listed(check=30)) == []


async def test_what_is_not_listed_any_more_goes_what_is_not_ours_stays(client: Client) -> None:
    action = ScheduleActionStartWorkflow("Foreign", id="foreign", task_queue="elsewhere")
    every = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(days=1))])
    await client.create_schedule("foreign", Schedule(action=action, spec=every))
    await reconcile(client, listed())
    await reconcile(client, [*listed(), listed()[0]._replace(id="of-an-older-version")])
    await settled(client, {one.id for one in listed()} | {"foreign", "of-an-older-version"})
    assert await diff(client, listed()) == ["delete of-an-older-version"]
    assert await reconcile(client, listed()) == ["deleted of-an-older-version"]
    await settled(client, {one.id for one in listed()} | {"foreign"})


async def test_a_worker_without_a_vault_leaves_the_schedules_of_one_that_has_it(client: Client) -> None:
    await reconcile(client, listed())
    await settled(client, {one.id for one in listed()})
    assert await diff(client, listed(backups=False)) == []
    assert await reconcile(client, listed(backups=False)) == []
    assert await names(client) == {one.id for one in listed()}
    deleted = ["backup-nightly", "restore-drill-weekly"]
    assert await diff(client, listed(backups=False), prune=True) == [f"delete {name}" for name in deleted]
    assert await reconcile(client, listed(backups=False), prune=True) == [f"deleted {name}" for name in deleted]
    await settled(client, {one.id for one in listed(backups=False)})


async def test_workers_that_start_together_do_not_disturb_each_other(client: Client) -> None:
    changes = await asyncio.gather(*(reconcile(client, listed()) for _ in range(4)))
    assert sorted(c for each in changes for c in each if c.startswith("created")) == sorted(
        f"created {one.id}" for one in listed()
    )
    await asyncio.gather(*(reconcile(client, listed(check=30)) for _ in range(4)))
    assert await diff(client, listed(check=30)) == []
    await settled(client, {one.id for one in listed()})
    await asyncio.gather(*(reconcile(client, listed(check=30, backups=False), prune=True) for _ in range(4)))
    await settled(client, {one.id for one in listed(backups=False)})


async def test_fingerprints_are_read_with_encryption_and_rewritten_when_the_key_is_gone(
    temporal: RunningTemporal,
) -> None:
    def keys(number: int) -> str:
        return f"k{number}:{base64.b64encode(bytes([number]) * 32).decode()}"

    first = await connect(temporal.address, temporal.namespace, codec=codec_from_keys(keys(1)))
    await reconcile(first, listed())
    assert await reconcile(first, listed()) == []
    both = await connect(temporal.address, temporal.namespace, codec=codec_from_keys(f"{keys(2)},{keys(1)}"))
    assert await reconcile(both, listed()) == []
    lost = await connect(temporal.address, temporal.namespace, codec=codec_from_keys(keys(3)))
    assert await reconcile(lost, listed()) == [f"updated {one.id}" for one in listed()]
    assert await reconcile(lost, listed()) == []


async def test_a_tick_starts_the_process_with_its_argument(
    database: str, temporal: RunningTemporal, tmp_path: Path
) -> None:
    async with open_lab(database) as lab, working(lab, temporal, make_vault(database, tmp_path / "vault")) as client:
        await reconcile(client, listed())
        await client.get_schedule_handle("backup-nightly").trigger()
        await client.get_schedule_handle("ledger-check").trigger()
        await until(lambda: lab.runs_of("backup"))
        await until(lambda: lab.runs_of("ledger_check"))
        row = await _backup_row(lab)
        assert row["workflow_id"].startswith("backup-nightly-")
        assert row["subject_id"] == row["workflow_id"]
        assert row["status"] == "completed"


async def _backup_row(lab: Lab) -> dict[str, str]:
    return await lab.one("SELECT workflow_id, subject_id, status::text FROM platform.operations WHERE kind = 'backup'")
