"""The process that starts processes."""

from __future__ import annotations

from temporalio import workflow

from activities.operations.dispatch import DispatchActivities
from workflows import policies


@workflow.defn(name="Dispatcher")
class DispatcherWorkflow:
    """Starts what was accepted.

    Waits for: intents (LISTEN/NOTIFY, and every second).
    Ends when: never; it continues as new.
    Undo:      nothing.
    """

    @workflow.run
    async def run(self) -> None:
        workflow.set_current_details("Starts the process of every accepted intent")
        while not workflow.info().is_continue_as_new_suggested():
            await workflow.execute_activity_method(
                DispatchActivities.dispatch, summary="Start processes of intents", **policies.FOLLOW
            )
        workflow.continue_as_new()
