"""Backups and restore drills: what they do outside, and the function behind `holdfast restore`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from temporalio import activity

from activities.beating import beating
from domain.operations.messages import (
    ArchiveRef,
    ArchiveVerified,
    ArchiveWritten,
    CheckScratch,
    CloseRun,
    DrillChosen,
    Manifest,
    OpenRun,
    Pruned,
    RunOpened,
    ScratchRef,
    StepNote,
)
from domain.shared.errors import Broken

if TYPE_CHECKING:
    from gateways.backup import Vault
    from storage.backup_runs import BackupRuns
    from storage.scratch import ScratchDatabases


class BackupActivities:
    """The runs' visible side, and everything around one archive."""

    def __init__(self, vault: Vault, runs: BackupRuns) -> None:
        self.vault = vault
        self.runs = runs

    @activity.defn
    async def open_run(self, command: OpenRun) -> RunOpened:
        """Show this run as an operation. One started by a schedule has no row yet.

        Effect: operation row and steps: one transaction.
        Again:  the workflow's id names the operation.
        """
        return RunOpened(operation_id=await self.runs.open(command, _workflow_id()))

    @activity.defn
    async def note_step(self, command: StepNote) -> None:
        """Show where the run stands.

        Effect: the step's row.
        Again:  sets the same values.
        """
        await self.runs.step(command)

    @activity.defn
    async def close_run(self, command: CloseRun) -> None:
        """End the run for everybody to see.

        Effect: operation, job run, alert (opened by a failure, closed by a success): one transaction.
        Again:  sets the same end; one job run more says the same.
        """
        await self.runs.close(command, _workflow_id())

    @activity.defn
    async def write_archive(self, command: ArchiveRef) -> ArchiveWritten:
        """Dump the workflow store, then the books, into one encrypted file under a partial name.

        Effect: a hidden file in the vault. The books are read in one snapshot, with the totals that go with it.
        Again:  every attempt writes a file of its own; what a failed one wrote is removed.
        """
        async with beating(), self.vault.writing(command.name) as (archive, written):
            await archive.add_workflow_store()
            async with self.runs.moment() as moment:
                await archive.add_books(moment.snapshot)
            await archive.seal(moment.facts)
        return self.vault.written(written)

    @activity.defn
    async def verify_archive(self, command: ArchiveRef) -> ArchiveVerified:
        """Read the archive back: decrypt every frame, compare every sum.

        Effect: none; reads only.
        Again:  reads are repeatable.
        """
        async with beating():
            return await self.vault.verify(command)

    @activity.defn
    async def publish_archive(self, command: ArchiveRef) -> None:
        """Give the verified archive its final name.

        Effect: an atomic rename.
        Again:  finds it renamed.
        """
        await self.vault.publish(command)

    @activity.defn
    async def discard_archive(self, command: ArchiveRef) -> None:
        """Remove what an unfinished run wrote.

        Effect: its partial files are gone.
        Again:  there is nothing left to remove.
        """
        await self.vault.discard(command.name)

    @activity.defn
    async def prune_archives(self, command: ArchiveRef) -> Pruned:
        """Remove archives beyond the number kept; only after a newer one was verified and published.

        Effect: old files are gone.
        Again:  keeps the same newest ones.
        """
        return await self.vault.prune(command.name)


class DrillActivities:
    """Proves that the newest archive can be restored, in a database of its own."""

    def __init__(self, vault: Vault, scratch: ScratchDatabases) -> None:
        self.vault = vault
        self.scratch = scratch

    @activity.defn
    async def choose_archive(self) -> DrillChosen:
        """The newest archive, read through and found whole.

        Effect: none; reads only.
        Again:  reads are repeatable; a newer archive is as good.
        """
        names = self.vault.names()
        if not names:
            raise Broken("backup_failed", "there is no archive to rehearse with")
        async with beating():
            verified = await self.vault.verify(ArchiveRef(name=names[-1]))
        return DrillChosen(archive=names[-1], manifest=verified.manifest)

    @activity.defn
    async def restore_scratch(self, command: ScratchRef) -> None:
        """Restore the books into the scratch database.

        Effect: the scratch database, with the archive's content.
        Again:  it is dropped and made anew.
        """
        async with beating():
            await self.scratch.create(command.name)
            dsn = self.scratch.dsn_of(command.name)
            await self.vault.restore_books(ArchiveRef(name=command.archive), dsn)

    @activity.defn
    async def check_scratch(self, command: CheckScratch) -> str:
        """Do the restored books hold together, and are they those of the manifest?

        Effect: none; reads only.
        Again:  reads are repeatable.
        """
        async with beating():
            found = await self.scratch.inspect(command.scratch.name)
        broken = [f"{v.name}: {v.detail}" for v in found.verdicts if not v.ok]
        if found.facts != command.expected:
            broken.append(f"manifest says {command.expected.model_dump()}, restored {found.facts.model_dump()}")
        if broken:
            raise Broken("backup_failed", "; ".join(broken))
        totals = found.facts.totals
        return f"{len(found.verdicts)} rules hold for {totals.transfers} transfers and {totals.postings} postings"

    @activity.defn
    async def check_workflow_store(self, command: DrillChosen) -> str:
        """Does the workflow store in the archive open?

        Effect: a temporary copy in the vault, removed again.
        Again:  reads are repeatable.
        """
        async with beating():
            names = await self.vault.check_workflow_store(ArchiveRef(name=command.archive), command.manifest)
        return f"{', '.join(names)}: whole" if names else "not in the archive"

    @activity.defn
    async def drop_scratch(self, command: ScratchRef) -> None:
        """Drop the scratch database, with whoever is connected.

        Effect: it is gone.
        Again:  it is gone already, or never was.
        """
        await self.scratch.drop(command.name)


Step = Callable[[str], Awaitable[object]]


async def restore(
    vault: Vault,
    archive: str,
    target_dsn: str,
    temporal_target: str | None,
    *,
    require_empty: Step,
    settle: Step,
    force: bool = False,
) -> Manifest:
    """What `holdfast restore` does, while workers, API and Temporal are stopped (runbooks/restore_from_backup.md).

    The archive is read through before anything is written. Books come back whole or not at all. Then every operation
    that has not ended is dispatched again, which heals the distance to the workflow store (CG-087).

    Args:   archive          a name in the vault, or a path.
            temporal_target  file or DSN of the workflow store. None: leave it out and start Temporal empty; every
                             process is then made anew from its row, which is the safer choice when in doubt.
            require_empty    storage.restored.require_empty.   settle  storage.restored.settle.
            force            replace what the targets hold.
    Raises: Rejected conflict when a target is not empty; Broken backup_failed; Unavailable.
    """
    chosen = ArchiveRef(name=archive)
    manifest = (await vault.verify(chosen)).manifest
    if not force:
        await require_empty(target_dsn)
    if temporal_target is not None:
        await vault.restore_workflow_store(chosen, manifest, temporal_target, clean=force)
    await vault.restore_books(chosen, target_dsn, clean=force)
    await settle(target_dsn)
    return manifest


def _workflow_id() -> str:
    workflow_id = activity.info().workflow_id
    assert workflow_id is not None
    return workflow_id
