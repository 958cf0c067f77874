"""Test config: what other rules would have done."""

from __future__ import annotations

from temporalio import workflow

from activities.copytrade.config_tests import ConfigTestActivities
from domain.copytrade.portfolio_messages import ConfigTested, ConfigTestRef
from domain.shared.processes import Start
from workflows import policies
from workflows.parking import Parking


@workflow.defn(name="ConfigTest")
class ConfigTestWorkflow(Parking):
    """Decides a range of stored groups again under proposed rules.

    Waits for: nothing; `retry` when something is Broken.
    Ends when: the result is kept.
    Undo:      nothing: only a report is written.
    """

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__()
        self.ref = ConfigTestRef(test_id=start.subject_id)

    @workflow.run
    async def run(self, start: Start) -> ConfigTested:
        return await self.to_the_end(self._test, start.operation_id)

    async def _test(self) -> ConfigTested:
        done: ConfigTested = await workflow.execute_activity_method(
            ConfigTestActivities.test_config, self.ref, summary="The stored decisions, made again", **policies.FOLLOW
        )
        workflow.set_current_details(done.summary)
        return done
