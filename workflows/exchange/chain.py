"""The two followers of a chain: one records what it sees, one wakes what is due. One of each per chain."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.exchange.deposits import DepositActivities
from activities.exchange.scanning import ScanningActivities
from domain.exchange.messages import DepositNews, WatchChain
from workflows import policies, search
from workflows.failures import code_of


@workflow.defn(name="ChainScanner")
class ChainScannerWorkflow:
    """Follows a chain for ever.

    Waits for: blocks; after a reorganisation below finality, an operator's `resume`.
    Ends when: never; it continues as new.
    Undo:      nothing to undo: observations are corrected by the next ones.
    """

    @workflow.init
    def __init__(self, watch: WatchChain) -> None:
        self._resumed = False

    @workflow.run
    async def run(self, watch: WatchChain) -> None:
        while not workflow.info().is_continue_as_new_suggested():
            workflow.set_current_details(f"Follows chain {watch.chain_id}")
            try:
                await workflow.execute_activity_method(
                    ScanningActivities.scan_chain, watch, summary="Read blocks and transfers", **policies.FOLLOW
                )
            except ActivityError as error:
                await self._wait_for_operator(watch, error)
        workflow.continue_as_new(watch)

    async def _wait_for_operator(self, watch: WatchChain, error: ActivityError) -> None:
        workflow.set_current_details(f"STOPPED ({code_of(error)}): follow the runbook, then send `resume`")
        workflow.upsert_search_attributes([search.NEEDS_OPERATOR.value_set(True)])
        await workflow.wait_condition(lambda: self._resumed)
        self._resumed = False
        workflow.upsert_search_attributes([search.NEEDS_OPERATOR.value_set(False)])

    @workflow.signal(description="The operator has followed the runbook: go on.")
    def resume(self, news: DepositNews) -> None:
        self._resumed = True


@workflow.defn(name="HeadWatcher")
class HeadWatcherWorkflow:
    """Credits plain deposits when their block is reached, and wakes the processes of the others.

    Waits for: new heads.
    Ends when: never; it continues as new.
    Undo:      nothing: a credit is never taken back by a process (runbooks/deep_reorg.md).
    """

    @workflow.run
    async def run(self, watch: WatchChain) -> None:
        workflow.set_current_details(f"Watches the head of chain {watch.chain_id}")
        while not workflow.info().is_continue_as_new_suggested():
            await workflow.execute_activity_method(
                DepositActivities.watch_heads, watch, summary="Wake deposits that are due", **policies.FOLLOW
            )
        workflow.continue_as_new(watch)
