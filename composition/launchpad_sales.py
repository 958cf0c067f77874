"""Sales: the feed of what happens in them, their processes, what wallets signed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from activities.launchpad.sale_feed import SaleFeedActivities, Waking
from activities.launchpad.sale_turn import Collaborators
from activities.launchpad.sales import SaleActivities
from activities.launchpad.trades import TradeActivities
from composition.parts import Parts
from gateways.solana.everywhere import Everywhere
from gateways.solana.nodes import RpcNodes
from gateways.solana.sale_events import read_events
from gateways.solana.sale_hints import sale_hints
from gateways.solana.sale_program import POSITION_TAG, SaleProgram
from settings import WorkerSettings
from storage.fence import Fence, fenced
from storage.launchpad.refunds import RefundStore
from storage.launchpad.sale_feed import SaleFeedStore
from storage.launchpad.sales import SaleStore
from storage.launchpad.trades import TradeStore

FENCE: Final = Fence("sales", 7_200_050)
POLL_S: Final = 2.0


def sales(settings: WorkerSettings, opened: Parts, nodes: RpcNodes) -> list[Callable[..., Any]]:
    """Nothing while the program is not named."""
    if not settings.launchpad_program_id:
        return []
    program = SaleProgram(settings.launchpad_program_id, settings.launchpad_pool_program_id)
    everywhere = Everywhere(nodes, quarantine=opened.jobs.quarantine)
    acts = SaleActivities(
        nodes,
        program,
        SaleStore(opened.books),
        RefundStore(opened.books),
        platform=settings.solana_platform_address,
        position_tag=POSITION_TAG,
        everywhere=everywhere.program_accounts,
    )
    trades = TradeActivities(TradeStore(opened.books))
    return [
        make_feed(settings, opened, nodes, program).follow_sales,
        *(acts.look_at_sale, acts.plan_settlement, acts.plan_refunds, acts.finish_sale),
        *(trades.read_trade, trades.record_trade),
    ]


def make_feed(settings: WorkerSettings, opened: Parts, nodes: RpcNodes, program: SaleProgram) -> SaleFeedActivities:
    """The one that writes what the chain told."""
    dsn = settings.database_url.get_secret_value()

    @asynccontextmanager
    async def fence() -> AsyncIterator[SaleFeedStore]:
        async with fenced(dsn, FENCE, 1) as connection:
            yield SaleFeedStore(connection, program.program)

    def hints() -> AsyncIterator[None]:
        return sale_hints(settings.solana_ws_url, program.program, poll_s=POLL_S).ticks()

    collaborators = Collaborators(
        nodes,
        program,
        read_events,
        opened.jobs.quarantine,
        opened.processes.signal,
        opened.jobs.redispatch,
        Everywhere(nodes, quarantine=opened.jobs.quarantine).older,
    )
    return SaleFeedActivities(fence, collaborators, Waking(hints, opened.listener))
