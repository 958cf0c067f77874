"""Copying one group: due time, one book, a decision (design/copytrade.md 1 to 4)."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

from activities.copytrade.attempts import AttemptActivities
from domain.copytrade.messages import CopyAttempted, CopyGroup, InputsTaken
from workflows import policies
from workflows.parking import Parking

SHORT = timedelta(milliseconds=1_500)
"""A timer ends so long before the due time: it may fire a second late, the rest is waited for in the activity."""


# Outside the sandbox: it would import this module anew for every attempt, which costs more than the attempt itself and
# delays the others'. What the sandbox checks is checked by replays of the golden histories, which run inside it.
@workflow.defn(name="CopyAttempt", sandboxed=False)
class CopyAttemptWorkflow(Parking):
    """Takes the inputs of its group at the due time and has the leader's portfolio decide.

    Waits for: the due time; a group that is due already goes at once. `retry` when something is Broken.
    Ends when: its inputs are kept and the leader's portfolio has decided, or waits for an earlier group, whose attempt
               then decides this one too. The global portfolio has a process of its own.
    Undo:      nothing: inputs are kept once, a decision is one transaction.
    """

    @workflow.run
    async def run(self, group: CopyGroup) -> CopyAttempted:
        return await self.to_the_end(lambda: self._copy(group), None)

    async def _copy(self, group: CopyGroup) -> CopyAttempted:
        workflow.set_current_details("Waits for the moment of the decision")
        while (taken := await self._take_inputs(group)).wait_ms > 0:
            left = timedelta(milliseconds=taken.wait_ms)
            await workflow.sleep(left - SHORT, summary="Until shortly before the decision")
        drained = await workflow.execute_local_activity_method(
            AttemptActivities.drain_user, group, summary="Decide for the leader's portfolio", **policies.LOCAL
        )
        workflow.set_current_details(drained.summary)
        return CopyAttempted(
            decision=drained.decision,
            reason_codes=drained.reason_codes,
            lateness_us=taken.lateness_us,
            summary=drained.summary,
        )

    async def _take_inputs(self, group: CopyGroup) -> InputsTaken:
        return await workflow.execute_local_activity_method(
            AttemptActivities.take_inputs, group, summary="Read the one book at the due time", **policies.DUE
        )
