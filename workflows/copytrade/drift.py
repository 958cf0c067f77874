"""Drift of shadows, every ten minutes."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception

from activities.copytrade.drift import DriftActivities
from domain.copytrade.feed_messages import DriftDone, DriftFound, LeaderRef, Leaders
from workflows import policies
from workflows.failures import STEP_FAILED, code_of


@workflow.defn(name="Drift")
class DriftWorkflow:
    """Compares every leader's shadow with the venue's positions. Tells operators; corrects nothing.

    Waits for: the venue.
    Ends when: every leader has been compared; one whose answers cannot be read is left for the next round.
    Undo:      nothing.
    """

    @workflow.run
    async def run(self) -> DriftDone:
        leaders: Leaders = await workflow.execute_local_activity_method(
            DriftActivities.list_leaders, summary="Whom do we follow?", **policies.LOCAL
        )
        tokens = failed = 0
        for user_id in leaders.user_ids:
            try:
                found: DriftFound = await workflow.execute_activity_method(
                    DriftActivities.compare_leader,
                    LeaderRef(user_id=user_id),
                    summary="Shadow against venue",
                    **policies.ONCE,
                )
            except STEP_FAILED as error:
                if is_cancelled_exception(error):
                    raise
                workflow.logger.warning("leader %s not compared: %s", user_id, code_of(error))
                failed += 1
                continue
            tokens += found.tokens
        workflow.set_current_details(f"Compared {len(leaders.user_ids) - failed} leaders: {tokens} tokens differ")
        return DriftDone(leaders=len(leaders.user_ids), tokens=tokens, failed=failed)
