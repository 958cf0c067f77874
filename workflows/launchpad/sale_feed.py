"""The process behind the feed of sales: it is always running somewhere, and taken over when its worker dies."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.launchpad.sale_feed import SaleFeedActivities
from domain.launchpad.sale_messages import RunSales
from workflows import policies
from workflows.failures import code_of

PAUSE = timedelta(seconds=5)


@workflow.defn(name="SaleFeed")
class SaleFeedWorkflow:
    """Reads what happens in every sale on the chain, for ever.

    Waits for: nothing; a failure that nobody foresaw is tried again after a pause, because sales go on.
    Ends when: never; it continues as new.
    Undo:      nothing: every page is one transaction, and an event is booked once.
    """

    @workflow.run
    async def run(self, feed: RunSales) -> None:
        while not workflow.info().is_continue_as_new_suggested():
            workflow.set_current_details("Reads what happens in sales")
            try:
                await workflow.execute_activity_method(
                    SaleFeedActivities.follow_sales, feed, summary="Follow every sale", **policies.FOLLOW
                )
            except ActivityError as error:
                workflow.set_current_details(f"STOPPED ({code_of(error)}): tries again; runbook solana_unavailable")
                await workflow.sleep(PAUSE, summary="Pause before the feed is started again")
        workflow.continue_as_new(feed)
