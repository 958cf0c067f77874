"""A small world for the oracle: real Postgres, Temporal, the local upstreams, and our activities on them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.exchange.oracle import OracleActivities
from domain.exchange.oracle import Bounds
from domain.exchange.oracle_messages import RefreshEnded
from domain.shared import ids
from domain.shared.processes import EXCHANGE, Start
from gateways.llm import LanguageModel, OpenAiChat
from gateways.search import Serper, WebSearch
from localnet.upstreams import Upstreams
from storage.books import Books
from storage.database import make_pool
from storage.events import new_id
from storage.exchange.oracle import OracleStore
from storage.jobs import JobStore
from tests.world.assets import funded_asset
from tests.world.books import BooksSide
from workflows.exchange.oracle import OracleRefreshWorkflow, OracleRoundWorkflow
from workflows.failures import FailureInterceptor

BUDGETS = {"searches": 1_000, "analyses": 1_000}


class OracleLab(BooksSide):
    """One database, the upstreams, and the oracle between them."""

    def __init__(self, dsn: str, books: Books, web: Upstreams, search: WebSearch | None, model: LanguageModel) -> None:
        super().__init__(dsn)
        self.books, self.web, self.search, self.model = books, web, search, model
        self.bounds, self.budgets = Bounds(), dict(BUDGETS)
        self.jobs = JobStore(books)

    def store(self) -> OracleStore:
        return OracleStore(self.books, self.budgets, degraded_s=3_600)

    def activities(self) -> list[Callable[..., Any]]:
        made = OracleActivities(self.store(), self.search, self.model, self.bounds)
        return [
            *(made.list_oracle_assets, made.open_refresh, made.take_budget),
            *(made.search_web, made.analyse_sources, made.record_refresh),
        ]

    async def asset(self, symbol: str = "HFC", **changes: Any) -> str:
        return await funded_asset(self.dsn, symbol=symbol, **changes)

    async def signals(self, asset_id: str) -> list[dict[str, Any]]:
        return await self.rows("SELECT * FROM exchange.oracle_signals WHERE asset_id = %s ORDER BY id", asset_id)

    async def signal(self, asset_id: str) -> dict[str, Any]:
        (found,) = await self.signals(asset_id)
        return found

    async def alerts(self, subject: str) -> list[dict[str, Any]]:
        return await self.rows(
            """SELECT severity, detail, times FROM platform.alerts
               WHERE code = 'oracle_degraded' AND subject = %s AND resolved_at IS NULL""",
            subject,
        )

    async def degraded_until(self, asset_id: str) -> Any:
        found = await self.rows("SELECT degraded_until FROM exchange.asset_prices WHERE asset_id = %s", asset_id)
        return found[0]["degraded_until"] if found else None

    async def events(self) -> list[dict[str, Any]]:
        return await self.rows("SELECT type, payload FROM platform.outbox WHERE topic = 'oracle' ORDER BY id")

    def worker(self, client: Client) -> Worker:
        """As worker.py builds it."""
        return Worker(
            client,
            task_queue=EXCHANGE,
            workflows=[OracleRefreshWorkflow, OracleRoundWorkflow],
            activities=self.activities(),
            interceptors=[FailureInterceptor(self.jobs.alert_broken, self.jobs.quarantine)],
            workflow_runner=SandboxedWorkflowRunner(
                restrictions=SandboxRestrictions.default.with_passthrough_modules("domain", "activities")
            ),
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
        )


@asynccontextmanager
async def open_oracle_lab(dsn: str, *, timeout_s: float = 2.0) -> AsyncIterator[OracleLab]:
    """Everything but Temporal."""
    async with Upstreams() as web, make_pool(dsn, size=4, name="test-oracle") as pool:
        search = Serper("key", web.url, timeout_s=timeout_s)
        model = OpenAiChat(web.llm_url, "key", "local-analyst", timeout_s=timeout_s)
        try:
            yield OracleLab(dsn, Books(pool), web, search, model)
        finally:
            await search.aclose()
            await model.aclose()


async def start(env: WorkflowEnvironment, asset_id: str) -> WorkflowHandle[Any, RefreshEnded]:
    return await env.client.start_workflow(
        OracleRefreshWorkflow.run,
        Start(subject_id=asset_id),
        id=ids.oracle_refresh(asset_id, new_id()),
        task_queue=EXCHANGE,
    )


async def refresh(env: WorkflowEnvironment, lab: OracleLab, asset_id: str) -> RefreshEnded:
    async with lab.worker(env.client):
        return await (await start(env, asset_id)).result()
