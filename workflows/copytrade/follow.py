"""Following a leader: find the wallet, take the baseline, begin."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception

from activities.copytrade.following import FollowingActivities
from domain.copytrade.feed_messages import BaselineTaken, FollowEnded, FollowStep, LeaderResolved
from domain.shared.processes import Start
from workflows import policies
from workflows.failures import STEP_FAILED, code_of, failure_of

REFUSALS = frozenset({"profile_not_found", "already_followed", "not_found", "upstream_refused"})
"""What asking again does not change."""


@workflow.defn(name="FollowLeader")
class FollowLeaderWorkflow:
    """Makes an accepted wish to follow somebody come true.

    Waits for: the venue; a leader who trades without a pause is looked at until his positions stand still.
    Ends when: rows of the leader are signals, or the venue knows nobody of that name, or he is followed already.
    Undo:      nothing is followed before the last step, which is one transaction.
    """

    @workflow.run
    async def run(self, start: Start) -> FollowEnded:
        step = FollowStep(user_id=start.subject_id, operation_id=start.operation_id)
        try:
            ended = await self._follow(step)
        except STEP_FAILED as error:
            if is_cancelled_exception(error) or code_of(error) not in REFUSALS:
                raise
            ended = FollowEnded(
                user_id=step.user_id,
                operation_id=step.operation_id,
                code=code_of(error),
                summary=str(getattr(failure_of(error), "message", error)),
            )
        workflow.set_current_details(ended.summary)
        await workflow.execute_local_activity_method(
            FollowingActivities.close_follow, ended, summary="Show the outcome", **policies.LOCAL
        )
        return ended

    async def _follow(self, step: FollowStep) -> FollowEnded:
        workflow.set_current_details("Asks the venue whose wallet it is")
        leader: LeaderResolved = await workflow.execute_activity_method(
            FollowingActivities.resolve_leader, step, summary="Whose wallet is it?", **policies.EFFECT
        )
        workflow.set_current_details(f"Reads what {leader.wallet} holds")
        taken: BaselineTaken = await workflow.execute_activity_method(
            FollowingActivities.take_baseline,
            step.model_copy(update={"wallet": leader.wallet}),
            summary="Positions and activity of one moment",
            **policies.FOLLOW,
        )
        summary = f"Follows {leader.wallet}: {taken.positions} positions when it began"
        return FollowEnded(user_id=step.user_id, operation_id=step.operation_id, summary=summary)
