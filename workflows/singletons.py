"""Processes of which there is exactly one, and the schedules: made sure of whenever a worker starts."""

from __future__ import annotations

import structlog
from temporalio.client import Client
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

from domain.copytrade.chain_messages import FollowPolygon
from domain.copytrade.feed_messages import RunFeed
from domain.copytrade.messages import RunGlobal
from domain.exchange.market_messages import RunMarket
from domain.exchange.messages import WatchChain
from domain.launchpad.sale_messages import RunSales
from domain.shared import ids
from domain.shared.processes import COPYTRADE, EXCHANGE, LAUNCHPAD, OPERATIONS
from workflows import schedule_sync, schedules, search

log = structlog.get_logger(__name__)


async def ensure(
    client: Client,
    chain_id: int,
    wanted: list[schedules.Wanted],
    queues: list[str],
    *,
    engines: int = 2,
    polygon: int = 0,
    sales: bool = False,
) -> None:
    """Start what is missing; what runs is left alone. Several workers may do this at once.

    Args:  engines  market engines, which share the assets among them.   polygon  chain the trigger listens to; 0: none.
           sales  whether there is a sale program to follow.
    """
    watch = WatchChain(chain_id=chain_id)
    if EXCHANGE in queues:
        name = f"chain {chain_id}"
        await _start(
            client, "ChainScanner", ids.chain_scanner(chain_id), EXCHANGE, f"Records transfers on {name}", watch
        )
        await _start(client, "HeadWatcher", ids.head_watcher(chain_id), EXCHANGE, f"Wakes deposits on {name}", watch)
        for number in range(engines):
            name, engine = f"Engine {number} of {engines}: gives orders their verdicts", RunMarket(number=number)
            await _start(client, "MarketEngine", ids.market_engine(number), EXCHANGE, name, engine)
        await _start(client, "PriceFeed", ids.PRICE_FEED, EXCHANGE, "Tells price engines what was traded")
    if COPYTRADE in queues:
        name = "Decides groups for the portfolio over all leaders"
        await _start(client, "GlobalPortfolio", ids.GLOBAL_PORTFOLIO, COPYTRADE, name, RunGlobal())
        await _start(client, "CopytradeFeed", ids.COPYTRADE_FEED, COPYTRADE, "Reads what leaders do", RunFeed())
    if COPYTRADE in queues and polygon:
        name, follow = "Listens to Polygon for what leaders do", FollowPolygon(chain_id=polygon)
        await _start(client, "ChainTrigger", ids.chain_trigger(polygon), COPYTRADE, name, follow)
    if LAUNCHPAD in queues and sales:
        await _start(client, "SaleFeed", ids.SALE_FEED, LAUNCHPAD, "Reads what happens in sales", RunSales())
    if OPERATIONS in queues:
        await _start(client, "Dispatcher", ids.DISPATCHER, OPERATIONS, "Starts the process of every accepted intent")
        await _start(client, "WebhookFanout", "webhook-fanout", OPERATIONS, "Turns events into webhook deliveries")
        for change in await schedule_sync.reconcile(client, wanted):
            log.info("schedule", change=change)


async def _start(client: Client, workflow: str, workflow_id: str, queue: str, summary: str, *arguments: object) -> None:
    """A terminated singleton comes back with the next worker; a running one is found."""
    await client.start_workflow(
        workflow,
        args=list(arguments),
        id=workflow_id,
        task_queue=queue,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=summary,
        search_attributes=TypedSearchAttributes([SearchAttributePair(search.AREA, queue)]),
    )
