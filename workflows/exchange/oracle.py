"""The oracle: web search → model → judged signal, per asset; and the round that refreshes all of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import (
    ApplicationError,
    ChildWorkflowError,
    FailureError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)
from temporalio.workflow import ParentClosePolicy

from activities.exchange.oracle import OracleActivities
from domain.exchange.oracle import Found, Signal, sources_from
from domain.exchange.oracle_messages import (
    AnalyseSources,
    Attempt,
    BudgetTaken,
    OracleNews,
    RecordRefresh,
    RefreshAssets,
    RefreshEnded,
    RefreshOpened,
    RefreshRef,
    RoundAssets,
    RoundPage,
    SearchWeb,
    SourcesAnalysed,
    TakeBudget,
    WebSearched,
)
from domain.shared import ids
from domain.shared.processes import Start
from workflows import policies, search
from workflows.failures import STEP_FAILED, code_of, failure_of

ATTEMPTS: Final = 3
WAIT_S: Final = 2
FINAL: Final = frozenset({"upstream_refused", "no_sources"})
"""Asking again in a few seconds changes nothing."""
SCHEDULED: Final = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")


@workflow.defn(name="OracleRefresh")
class OracleRefreshWorkflow:
    """One signal for one asset, or none.

    Waits for: the search service and the model; 2 s, then 4 s after a failed attempt. An answer that is not valid is a
               failed attempt.
    Ends when: a valid signal is recorded (and the price engine told), or after three attempts, or with the day's
               budget: then the market price weighs 0.95 for an hour, and the last fundamental value stays.
    Undo:      nothing: a signal that was recorded stays; the next one corrects.
    """

    @workflow.init
    def __init__(self, start: Start) -> None:
        self.ref = RefreshRef(asset_id=start.subject_id, operation_id=start.operation_id)
        self.found: dict[str, tuple[Found, ...]] = {}
        self.attempts: list[Attempt] = []
        self.provider = ""
        self.stopped = ""
        self.signal: Signal | None = None

    @workflow.run
    async def run(self, start: Start) -> RefreshEnded:
        opened = await self._open()
        if opened.skip:
            return RefreshEnded(status="skipped", summary=opened.skip)
        self.stopped = opened.stopped
        while self._goes_on():
            if self.attempts:
                await self._wait()
            attempt = await self._attempt(opened, len(self.attempts) + 1)
            if attempt is not None:
                self.attempts.append(attempt)
        ended = await self._record(opened)
        if ended.status == "accepted":
            await self._tell_price_engine(opened)
        workflow.set_current_details(ended.summary)
        return ended

    def _goes_on(self) -> bool:
        last = self.attempts[-1].reason if self.attempts else ""
        return self.signal is None and not self.stopped and len(self.attempts) < ATTEMPTS and last not in FINAL

    async def _wait(self) -> None:
        number, last = len(self.attempts), self.attempts[-1]
        workflow.set_current_details(f"Attempt {number} failed ({last.reason}); tries again")
        await workflow.sleep(timedelta(seconds=WAIT_S * number), summary=f"After attempt {number}: {last.reason}")

    async def _open(self) -> RefreshOpened:
        return await workflow.execute_local_activity_method(
            OracleActivities.open_refresh, self.ref, summary="Which queries?", **policies.LOCAL
        )

    async def _attempt(self, opened: RefreshOpened, number: int) -> Attempt | None:
        """Search what has not been found yet, then ask the model; None when the budget ended first."""
        stage = "search"
        try:
            missing = [query for query in opened.queries if query not in self.found]
            if missing and not await self._may("searches", len(missing)):
                return None
            for query in missing:
                await self._search(query)
            sources = sources_from(self.found.values())
            if not any(not source.withheld for source in sources):
                return Attempt(
                    number=number, stage=stage, reason="no_sources", detail="the search found nothing usable"
                )
            stage = "analysis"
            if not await self._may("analyses", 1):
                return None
            return await self._analyse(opened, number)
        except STEP_FAILED as error:
            if is_cancelled_exception(error):
                raise
            failure = failure_of(error)
            if not isinstance(failure, ApplicationError):
                return Attempt(number=number, stage=stage, reason="worker_lost", detail="no worker brought an answer")
            return Attempt(number=number, stage=stage, reason=code_of(error), detail=failure.message[:300])

    async def _may(self, resource: str, calls: int) -> bool:
        taken: BudgetTaken = await workflow.execute_local_activity_method(
            OracleActivities.take_budget,
            TakeBudget(resource=resource, calls=calls, now=workflow.now()),
            summary=f"May we make {calls} {resource} today?",
            **policies.LOCAL,
        )
        self.stopped = "" if taken.granted else "budget_exhausted"
        return taken.granted

    async def _search(self, query: str) -> None:
        searched: WebSearched = await workflow.execute_activity_method(
            OracleActivities.search_web, SearchWeb(query=query), summary=f"Search: {query}", **policies.ONCE
        )
        self.found[query], self.provider = searched.found, searched.provider

    async def _analyse(self, opened: RefreshOpened, number: int) -> Attempt:
        sources = sources_from(self.found.values())
        command = AnalyseSources(symbol=opened.symbol, name=opened.name, sources=sources)
        said: SourcesAnalysed = await workflow.execute_activity_method(
            OracleActivities.analyse_sources, command, summary=f"Ask the model: {len(sources)} sources", **policies.ONCE
        )
        self.signal = said.signal
        return Attempt(
            number=number,
            stage="" if said.signal is not None else "validation",
            **said.model_dump(include={"reason", "detail", "provider", "model", "prompt_sha256", "answer"}),
        )

    async def _record(self, opened: RefreshOpened) -> RefreshEnded:
        command = RecordRefresh(
            asset_id=self.ref.asset_id,
            operation_id=self.ref.operation_id,
            signal_id=opened.signal_id,
            workflow_id=workflow.info().workflow_id,
            now=workflow.now(),
            search_provider=self.provider,
            queries=opened.queries,
            sources=sources_from(self.found.values()),
            attempts=tuple(self.attempts),
            signal=self.signal,
            stopped=self.stopped,
        )
        return await workflow.execute_local_activity_method(
            OracleActivities.record_refresh, command, summary="Record the outcome", **policies.LOCAL
        )

    async def _tell_price_engine(self, opened: RefreshOpened) -> None:
        """The row is already right: an engine that does not run now finds it when it does."""
        engine = workflow.get_external_workflow_handle(ids.price_engine(self.ref.asset_id))
        try:
            await engine.signal("oracle", OracleNews(signal_id=opened.signal_id))
        except FailureError as error:
            workflow.logger.info("price engine not told: %s", error)


@workflow.defn(name="OracleRound")
class OracleRoundWorkflow:
    """Every active asset is refreshed once, some at the same time, begun at random moments.

    Waits for: its refreshes.
    Ends when: all of them have; one that runs on after this round was ended early is left alone.
    Undo:      nothing.
    """

    @workflow.run
    async def run(self, asked: RefreshAssets) -> RefreshAssets:
        slot = asked.slot or self._slot()
        page: RoundAssets = await workflow.execute_local_activity_method(
            OracleActivities.list_oracle_assets,
            RoundPage(after=asked.after),
            summary="Which assets are active?",
            **policies.LOCAL,
        )
        workflow.set_current_details(f"Refreshes {len(page.asset_ids)} assets of slot {slot}")
        gate, spread = asyncio.Semaphore(asked.at_once), workflow.random()
        waits = [spread.randrange(1000 * asked.spread_s + 1) for _ in page.asset_ids]
        await asyncio.gather(
            *(self._refresh(name, slot, wait, gate) for name, wait in zip(page.asset_ids, waits, strict=True))
        )
        done = asked.model_copy(update={"slot": slot, "started": asked.started + len(page.asset_ids)})
        if page.more:
            workflow.continue_as_new(done.model_copy(update={"after": page.asset_ids[-1]}))
        workflow.set_current_details(f"Refreshed {done.started} assets of slot {slot}")
        return done

    def _slot(self) -> str:
        """The moment the schedule meant, so that a round started twice refreshes once."""
        meant = workflow.info().typed_search_attributes.get(SCHEDULED) or workflow.info().start_time
        return f"{meant:%Y%m%dT%H%M%SZ}"

    async def _refresh(self, asset_id: str, slot: str, wait_ms: int, gate: asyncio.Semaphore) -> None:
        if wait_ms:
            await workflow.sleep(timedelta(milliseconds=wait_ms), summary="Not all at once")
        attributes = [SearchAttributePair(search.AREA, "exchange"), SearchAttributePair(search.ASSET_ID, asset_id)]
        async with gate:
            try:
                await workflow.execute_child_workflow(
                    OracleRefreshWorkflow.run,
                    Start(subject_id=asset_id),
                    id=ids.oracle_refresh(asset_id, slot),
                    parent_close_policy=ParentClosePolicy.ABANDON,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    static_summary=f"Oracle signal of slot {slot}",
                    search_attributes=TypedSearchAttributes(attributes),
                )
            except (ChildWorkflowError, WorkflowAlreadyStartedError) as error:
                if is_cancelled_exception(error):
                    raise
                workflow.logger.warning("refresh of %s: %s", asset_id, error)
