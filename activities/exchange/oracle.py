"""Asking the web and a model about an asset, and keeping what came of it.

Each call upstream is one activity and is tried once: the workflow counts the attempts (EX-073).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.beating import beating
from domain.exchange.oracle import Bounds, Signal, build_prompt, judge
from domain.exchange.oracle_messages import (
    AnalyseSources,
    BudgetTaken,
    RecordRefresh,
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
from domain.shared.errors import Rejected

if TYPE_CHECKING:
    from gateways.llm import LanguageModel
    from gateways.search import WebSearch
    from storage.exchange.oracle import OracleStore


class OracleActivities:
    """`search` or `model` None: the oracle is not configured."""

    def __init__(
        self, store: OracleStore, search: WebSearch | None, model: LanguageModel | None, bounds: Bounds
    ) -> None:
        self.store = store
        self.search = search
        self.model = model
        self.bounds = bounds

    @activity.defn
    async def list_oracle_assets(self, command: RoundPage) -> RoundAssets:
        """One page of the assets that want a signal.

        Effect: none; reads only.
        Again:  reads are repeatable.
        """
        return await self.store.assets(command)

    @activity.defn
    async def open_refresh(self, command: RefreshRef) -> RefreshOpened:
        """The asset, its queries, and the id of the row to be written.

        Effect: the operation's step, if an operator asked.
        Again:  another id; only the one in the workflow's history is ever used.
        """
        opened = await self.store.open(command)
        if self.search is None or self.model is None:
            return opened.model_copy(update={"stopped": "not_configured"})
        return opened

    @activity.defn
    async def take_budget(self, command: TakeBudget) -> BudgetTaken:
        """Take calls from the day's budget before they are made.

        Effect: the counter; on a day's first refusal its alert: one transaction.
        Again:  takes again: a budget would rather count a call too many than too few.
        """
        return await self.store.take_budget(command)

    @activity.defn
    async def search_web(self, command: SearchWeb) -> WebSearched:
        """One query.

        Effect: one request to the search service, which may cost.
        Again:  may ask and cost again: so Temporal does not retry it, the workflow's counted attempts do.
        """
        if self.search is None:
            raise Rejected("upstream_refused", "no web search is configured")
        async with beating():
            found = await self.search.search(command.query)
        return WebSearched(provider=self.search.provider, found=tuple(found))

    @activity.defn
    async def analyse_sources(self, command: AnalyseSources) -> SourcesAnalysed:
        """One answer of the model, judged. A refused answer is a result: the record keeps what it said.

        Effect: one request to the model, which may cost.
        Again:  may ask and cost again, and be answered differently: so Temporal does not retry it, the workflow's
                counted attempts do; what was judged is in the history.
        """
        if self.model is None:
            raise Rejected("upstream_refused", "no language model is configured")
        prompt = build_prompt(command.symbol, command.name, command.sources)
        async with beating():
            said = await self.model.complete(prompt)
        verdict = judge(said.text, command.sources, self.bounds)
        return SourcesAnalysed(
            provider=self.model.provider,
            model=said.model,
            prompt_sha256=prompt.sha256,
            # Postgres keeps no NUL and no lone surrogates
            answer=said.text.encode("utf-8", "replace").decode().replace("\0", "�"),
            signal=verdict if isinstance(verdict, Signal) else None,
            reason="" if isinstance(verdict, Signal) else verdict.reason,
            detail="" if isinstance(verdict, Signal) else verdict.detail,
        )

    @activity.defn
    async def record_refresh(self, command: RecordRefresh) -> RefreshEnded:
        """Keep the signal, or that there was none, with everything that led to it.

        Effect: the signal's row, its event, degradation begun or ended, the asset's alert: one transaction.
        Again:  the row's id is in the history; a row that exists is left alone.
        """
        return await self.store.record(command)
