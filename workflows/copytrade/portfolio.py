"""The process behind the global portfolio: always running somewhere, taken over when its worker dies."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.copytrade.portfolio import GlobalActivities
from domain.copytrade.messages import RunGlobal
from workflows import policies
from workflows.failures import code_of

PAUSE = timedelta(seconds=5)


@workflow.defn(name="GlobalPortfolio")
class GlobalPortfolioWorkflow:
    """Decides groups for the portfolio over all leaders, first detected first.

    Waits for: nothing; a failure that nobody foresaw is tried again after a pause, because groups wait.
    Ends when: never; it continues as new.
    Undo:      nothing: every batch is one transaction.
    """

    @workflow.run
    async def run(self, engine: RunGlobal) -> None:
        while not workflow.info().is_continue_as_new_suggested():
            workflow.set_current_details("Decides groups in the order of their detection")
            try:
                await workflow.execute_activity_method(
                    GlobalActivities.run_global, engine, summary="Decide for the global portfolio", **policies.ENGINE
                )
            except ActivityError as error:
                workflow.set_current_details(f"STOPPED ({code_of(error)}): tries again; groups wait meanwhile")
                await workflow.sleep(PAUSE, summary="Pause before the portfolio is drained again")
        workflow.continue_as_new(engine)
