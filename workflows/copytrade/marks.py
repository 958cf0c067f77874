"""Periodic work on paper portfolios: marks of what is held, and what every portfolio is worth."""

from __future__ import annotations

from temporalio import workflow

from activities.copytrade.marks import MarkActivities
from activities.copytrade.snapshots import SnapshotActivities
from domain.copytrade.portfolio_messages import MarksRead, SnapshotsTaken
from workflows import policies


@workflow.defn(name="CopytradeMarks")
class CopytradeMarksWorkflow:
    """One round of marks.

    Waits for: nothing; a schedule starts it.
    Ends when: every held token was asked for. While the venue is away it waits; the next round is skipped meanwhile.
    Undo:      nothing: marks are observations.
    """

    @workflow.run
    async def run(self) -> MarksRead:
        read: MarksRead = await workflow.execute_activity_method(
            MarkActivities.read_marks, summary="Prices of held tokens", **policies.FOLLOW
        )
        workflow.set_current_details(
            f"{read.marked} of {read.held} held tokens marked, {read.stale} without a price now"
        )
        return read


@workflow.defn(name="CopytradeSnapshots")
class CopytradeSnapshotsWorkflow:
    """One round of snapshots: every portfolio up to the last full minute.

    Waits for: nothing; a schedule starts it.
    Ends when: every portfolio has its minutes, those of an outage included.
    Undo:      nothing: snapshots are derived; RebuildSnapshots makes them again.
    """

    @workflow.run
    async def run(self) -> SnapshotsTaken:
        taken: SnapshotsTaken = await workflow.execute_activity_method(
            SnapshotActivities.take_snapshots, summary="What every portfolio is worth", **policies.FOLLOW
        )
        workflow.set_current_details(f"{taken.written} snapshots of {taken.portfolios} portfolios")
        return taken
