"""Backups, and the rehearsal that proves them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.operations.backup import BackupActivities, DrillActivities
from domain.operations.messages import (
    ArchiveRef,
    ArchiveVerified,
    ArchiveWritten,
    BackupDone,
    CheckScratch,
    CloseRun,
    DrillChosen,
    DrillDone,
    OpenRun,
    Pruned,
    ScratchRef,
    StepNote,
)
from domain.shared.processes import Start
from workflows import policies
from workflows.saga import Saga, is_business_end, to_the_end

LONG: Final[dict[str, Any]] = {
    "start_to_close_timeout": timedelta(hours=6),
    "heartbeat_timeout": timedelta(seconds=10),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=2),
        backoff_coefficient=3,
        maximum_interval=timedelta(minutes=5),
        maximum_attempts=8,
    ),
}
"""Whole databases. An outage is waited out for about twenty minutes; then an operator should know."""


class _Run:
    """The visible side of one run: an operation whose steps are marked, and its one end."""

    def __init__(self, kind: str, job: str) -> None:
        self.kind, self.job = kind, job
        self.operation_id = ""
        self.summary = ""
        self.figures: dict[str, str] = {}

    async def open(self, start: Start, steps: tuple[str, ...], summary: str) -> None:
        command = OpenRun(kind=self.kind, subject_id=start.subject_id, summary=summary, steps=steps)
        opened = await workflow.execute_local_activity_method(
            BackupActivities.open_run, command, summary="Open the operation", **policies.LOCAL
        )
        self.operation_id = opened.operation_id

    @asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[list[str]]:
        """Mark the step running, then done with what the block put into the list; a failure is marked by `failed`."""
        workflow.set_current_details(f"Step {name}")
        await self._note(name, "running", "")
        said: list[str] = []
        try:
            yield said
        except BaseException as error:
            if is_business_end(error):
                await to_the_end(self._note(name, "failed", _why(error)))
            raise
        await self._note(name, "done", "; ".join(said))

    async def _note(self, name: str, status: str, detail: str) -> None:
        note = StepNote(operation_id=self.operation_id, step=name, status=status, detail=detail)
        await workflow.execute_local_activity_method(
            BackupActivities.note_step, note, summary=f"{name}: {status}", **policies.LOCAL
        )

    async def failed(self, error: BaseException) -> None:
        """Close the run as failed or cancelled, however often it is cancelled meanwhile."""
        cancelled = is_cancelled_exception(error)
        await to_the_end(self.close("cancelled" if cancelled else "failed", _why(error)))

    async def close(self, status: str, summary: str) -> None:
        command = CloseRun(
            operation_id=self.operation_id,
            kind=self.kind,
            job=self.job,
            status=status,
            summary=summary,
            figures=self.figures,
        )
        await workflow.execute_local_activity_method(
            BackupActivities.close_run, command, summary=f"Close it: {status}", **policies.LOCAL
        )
        workflow.set_current_details(summary)


def _why(error: BaseException) -> str:
    if is_cancelled_exception(error):
        return "cancelled"
    cause = error.cause if isinstance(error, ActivityError) else None
    return str(cause or error) or type(error).__name__


@workflow.defn(name="Backup")
class BackupWorkflow:
    """One encrypted archive of the workflow store and the books.

    Waits for: the dump of both, and its verification; a database that is away is waited for.
    Ends when: the archive was read back, has its name, and older ones beyond the number kept are gone.
    Undo:      what was written of an unfinished archive is removed; published archives are never undone.
    """

    @workflow.run
    async def run(self, start: Start) -> BackupDone:
        info = workflow.info()
        name = f"holdfast-{info.start_time:%Y%m%dT%H%M%SZ}-{info.run_id[:8]}.backup"
        run, saga = _Run("backup", "backup"), Saga()
        await run.open(start, ("write", "verify", "publish", "prune"), f"Backup {name}")
        try:
            done = await self._make(run, saga, ArchiveRef(name=name))
        except BaseException as error:
            if is_business_end(error):
                await saga.undo()
                await run.failed(error)
            raise
        run.figures = {"name": name, "size": str(done.size), "removed": str(len(done.removed))}
        await run.close("completed", f"Backup {name}: {done.size} bytes, verified")
        return done

    async def _make(self, run: _Run, saga: Saga, archive: ArchiveRef) -> BackupDone:
        saga.add("discard", lambda: _effect(BackupActivities.discard_archive, archive, "Remove what was written"))
        async with run.step("write") as said:
            written: ArchiveWritten = await _long(
                BackupActivities.write_archive, archive, "Dump the workflow store, then the books"
            )
            said.append(f"{written.size} bytes")
        async with run.step("verify") as said:
            verified: ArchiveVerified = await _long(
                BackupActivities.verify_archive, written.archive, "Read every byte back"
            )
            said.append(f"{len(verified.manifest.members)} parts, {verified.manifest.books.totals.transfers} transfers")
        async with run.step("publish"):
            await _effect(BackupActivities.publish_archive, written.archive, "Give it its name")
        async with run.step("prune") as said:
            pruned: Pruned = await _effect(BackupActivities.prune_archives, archive, "Remove the oldest")
            said.append(f"{len(pruned.removed)} removed, {pruned.kept} kept")
        return BackupDone(name=archive.name, size=written.size, removed=pruned.removed)


@workflow.defn(name="RestoreDrill")
class RestoreDrillWorkflow:
    """Restores the newest archive into a scratch database and proves that it is what was saved.

    Waits for: the restore and the ledger's rules.
    Ends when: the restored books hold together and equal the manifest, and the workflow store opens.
    Undo:      the scratch database is dropped, whatever happened.
    """

    @workflow.run
    async def run(self, start: Start) -> DrillDone:
        info = workflow.info()
        scratch = ScratchRef(name=f"holdfast_drill_{info.start_time:%Y%m%d%H%M%S}_{info.run_id[:8]}")
        run, saga = _Run("restore_drill", "restore_drill"), Saga()
        await run.open(start, ("choose", "restore", "ledger", "workflow_store", "clean_up"), "Restore drill")
        try:
            done = await self._rehearse(run, saga, scratch)
        except BaseException as error:
            if is_business_end(error):
                await saga.undo()
                await run.failed(error)
            raise
        await run.close("completed", f"{done.archive} can be restored: {done.summary}")
        return done

    async def _rehearse(self, run: _Run, saga: Saga, scratch: ScratchRef) -> DrillDone:
        async with run.step("choose") as said:
            chosen: DrillChosen = await workflow.execute_activity_method(
                DrillActivities.choose_archive, summary="Read the newest archive through", **LONG
            )
            said.append(chosen.archive)
        run.figures = {"archive": chosen.archive}
        saga.add("drop", lambda: _effect(DrillActivities.drop_scratch, scratch, "Drop the scratch database"))
        async with run.step("restore"):
            full = scratch.model_copy(update={"archive": chosen.archive})
            await _long(DrillActivities.restore_scratch, full, "Restore into a scratch database")
        async with run.step("ledger") as said:
            check = CheckScratch(scratch=scratch, expected=chosen.manifest.books)
            said.append(await _long(DrillActivities.check_scratch, check, "Every rule, every total"))
        async with run.step("workflow_store") as more:
            more.append(await _long(DrillActivities.check_workflow_store, chosen, "Does it open?"))
        async with run.step("clean_up"):
            await saga.undo()
        return DrillDone(archive=chosen.archive, summary="; ".join([*said, *more]))


async def _long(step: Any, command: Any, summary: str) -> Any:
    return await workflow.execute_activity_method(step, command, summary=summary, **LONG)


async def _effect(step: Any, command: Any, summary: str) -> Any:
    return await workflow.execute_activity_method(step, command, summary=summary, **policies.EFFECT)
