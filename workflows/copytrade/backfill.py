"""Reading the last hours again, because an operator wants it."""

from __future__ import annotations

from temporalio import workflow

from activities.copytrade.backfill import BackfillActivities
from domain.copytrade.feed_messages import BackfillEnded, BackfillLeader, BackfillPlan, BackfillRead
from domain.shared.processes import Start
from workflows import policies


@workflow.defn(name="CopytradeBackfill")
class CopytradeBackfillWorkflow:
    """Reads every leader's last hours again; shadows follow what was missing, nothing of it is copied.

    Waits for: the venue.
    Ends when: every leader has been read.
    Undo:      nothing: a row is booked once, whoever finds it.
    """

    @workflow.run
    async def run(self, start: Start) -> BackfillEnded:
        plan: BackfillPlan = await workflow.execute_local_activity_method(
            BackfillActivities.plan_backfill, start, summary="How far back, and whom?", **policies.LOCAL
        )
        rows = new = 0
        for number, user_id in enumerate(plan.user_ids, start=1):
            workflow.set_current_details(f"Reads leader {number} of {len(plan.user_ids)}")
            read: BackfillRead = await workflow.execute_activity_method(
                BackfillActivities.backfill_leader,
                BackfillLeader(user_id=user_id, hours=plan.hours),
                summary=f"Read {plan.hours} hours",
                **policies.FOLLOW,
            )
            rows, new = rows + read.rows, new + read.new
        ended = BackfillEnded(operation_id=start.operation_id, rows=rows, new=new, leaders=len(plan.user_ids))
        await workflow.execute_local_activity_method(
            BackfillActivities.close_backfill, ended, summary="Show the outcome", **policies.LOCAL
        )
        workflow.set_current_details(f"Read {rows} rows, {new} were new")
        return ended
