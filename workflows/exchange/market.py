"""The process behind each market engine: it is always running somewhere, and taken over when its worker dies."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.exchange.market import MarketActivities
from domain.exchange.market_messages import RunMarket
from workflows import policies
from workflows.failures import code_of

PAUSE = timedelta(seconds=5)


@workflow.defn(name="MarketEngine")
class MarketEngineWorkflow:
    """Gives verdicts for ever.

    Waits for: nothing; a failure that nobody foresaw is tried again after a pause, because orders wait.
    Ends when: never; it continues as new.
    Undo:      nothing: every batch is one transaction.
    """

    @workflow.run
    async def run(self, engine: RunMarket) -> None:
        while not workflow.info().is_continue_as_new_suggested():
            workflow.set_current_details(f"Engine {engine.number} gives orders their verdicts")
            try:
                await workflow.execute_activity_method(
                    MarketActivities.run_market, engine, summary="Carry out orders", **policies.ENGINE
                )
            except ActivityError as error:
                workflow.set_current_details(f"STOPPED ({code_of(error)}): tries again; runbook engine_lagging")
                await workflow.sleep(PAUSE, summary="Pause before the engine is started again")
        workflow.continue_as_new(engine)
