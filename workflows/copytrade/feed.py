"""The process behind the feed of leaders: it is always running somewhere, and taken over when its worker dies."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.copytrade.feed import FeedActivities
from domain.copytrade.feed_messages import RunFeed
from workflows import policies
from workflows.failures import code_of

PAUSE = timedelta(seconds=5)


@workflow.defn(name="CopytradeFeed")
class CopytradeFeedWorkflow:
    """Reads what leaders do for ever.

    Waits for: nothing; a failure that nobody foresaw is tried again after a pause, because leaders go on trading.
    Ends when: never; it continues as new.
    Undo:      nothing: every look is one transaction, and a row is booked once.
    """

    @workflow.run
    async def run(self, feed: RunFeed) -> None:
        while not workflow.info().is_continue_as_new_suggested():
            workflow.set_current_details("Reads what leaders do")
            try:
                await workflow.execute_activity_method(
                    FeedActivities.follow_leaders, feed, summary="Poll every leader", **policies.FOLLOW
                )
            except ActivityError as error:
                workflow.set_current_details(f"STOPPED ({code_of(error)}): tries again; runbook feed_stuck")
                await workflow.sleep(PAUSE, summary="Pause before the feed is started again")
        workflow.continue_as_new(feed)
