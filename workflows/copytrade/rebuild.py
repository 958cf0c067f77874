"""Snapshots of paper portfolios, made again from their ledgers."""

from __future__ import annotations

from temporalio import workflow

from activities.copytrade.rebuild import RebuildActivities
from domain.copytrade.portfolio_messages import RebuildDone, RebuildRef
from domain.shared.processes import Start
from workflows import policies
from workflows.parking import Parking


@workflow.defn(name="RebuildSnapshots")
class RebuildSnapshotsWorkflow(Parking):
    """Every snapshot of one portfolio or of all, from the ledger.

    Waits for: nothing but its turns; `retry` when something is Broken.
    Ends when: the newest full minute of the last portfolio is written.
    Undo:      nothing: another rebuild, by the other time, gives what was there before.
    """

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__()
        self.ref = RebuildRef(rebuild_id=start.subject_id)

    @workflow.run
    async def run(self, start: Start) -> RebuildDone:
        return await self.to_the_end(self._rebuild, start.operation_id)

    async def _rebuild(self) -> RebuildDone:
        while True:
            done: RebuildDone = await workflow.execute_activity_method(
                RebuildActivities.rebuild_snapshots, self.ref, summary="Days of portfolios", **policies.FOLLOW
            )
            workflow.set_current_details(done.summary)
            if done.ended:
                return done
