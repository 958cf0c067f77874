"""Periodic: what live launches have pinned, on Arweave too."""

from __future__ import annotations

from temporalio import workflow

from activities.launchpad.mirroring import MirrorActivities
from domain.launchpad.launch_messages import Done
from workflows import policies


@workflow.defn(name="ArweaveMirror")
class ArweaveMirrorWorkflow:
    """One round of copies.

    Waits for: nothing; a schedule starts it, where ARWEAVE_BUNDLER_URL is set.
    Ends when: every file that waited was tried.
    Undo:      nothing: Arweave keeps for ever. So only launches that are live come here.
    """

    @workflow.run
    async def run(self) -> Done:
        done: Done = await workflow.execute_activity_method(
            MirrorActivities.mirror_files, summary="Pictures and metadata to Arweave", **policies.FOLLOW
        )
        workflow.set_current_details(done.detail)
        return done
