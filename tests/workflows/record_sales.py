"""Golden histories of sales: refunded, parked and resumed, graduated, cancelled; a trade; the feed of them all; what is
still done for those that went well."""

from __future__ import annotations

import tempfile
from pathlib import Path

from domain.launchpad.aftercare import Aftercare
from domain.launchpad.transactions import Plan
from domain.shared import ids
from domain.shared.processes import LAUNCHPAD, RetryProcess
from gateways.solana.drafting import Drafting
from gateways.solana.messages import read_signed, with_signatures
from gateways.solana.nodes import RpcNodes
from storage.database import transaction
from storage.events import new_id
from storage.intents.sales import belongs_to, submit_trade
from storage.intents.solana import issue
from storage.launchpad.trades import KIND
from tests.sale_lab import MILLION
from tests.sale_world import SaleWorld, sale_world
from tests.svm_lab import SOL
from tests.world import World

CLIFF, MONTH = 15_552_000, 2_592_000


async def sales(world: World) -> dict[str, str]:
    """Every end of the process, each in a sale of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        async with sale_world(world.dsn, world.temporal.address, Path(name)) as lab:
            await lab.start_worker()
            await lab.follow()
            return {
                "CurveSale/refunded": await _refunded(lab),
                "CurveSale/parked_for_one_buyer_and_resumed": await _parked(lab),
                "CurveSale/graduated": await _graduated(lab),
                "CurveSale/cancelled": await _cancelled(lab),
                "SaleTrade/bought": await _traded(lab, 10 * SOL, "completed"),
                "SaleTrade/refused_by_the_chain": await _traded(lab, 1, "failed"),
                "SaleFeed/running": ids.SALE_FEED,
            }


async def aftercare(world: World) -> dict[str, str]:
    """With nothing to do; a slice and a position; a slice that the chain refuses."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        async with sale_world(world.dsn, world.temporal.address, Path(name)) as lab:
            await lab.start_worker()
            await lab.follow()
            played = {"SaleAftercare/nothing_is_due": await _cared(lab, "nothing")}
            keys, opened = await lab.sale()
            buyer = await lab.person(200 * SOL)
            await lab.desk.buy(keys, buyer, 400 * MILLION)
            await lab.reaches(opened, "completed")
            await lab.desk.claim(keys, buyer)
            closed = "SELECT 1 FROM launchpad.sale_events WHERE kind = %s"
            await lab.until(lambda: lab.rows(closed, "Claimed"), bool)
            await lab.later(CLIFF + 2 * MONTH)
            await lab.node.control("finalize")
            played["SaleAftercare/paid_and_closed"] = await _cared(lab, "paid")
            await lab.until(lambda: lab.rows(closed, "VestedClaimed"), bool)
            await lab.later(2 * MONTH)
            await lab.node.control("finalize")
            await lab.burden(lab.creator, 600_000)
            played["SaleAftercare/refused_by_the_chain"] = await _cared(lab, "refused")
            return played


async def _cared(lab: SaleWorld, name: str) -> str:
    """One run, to its end."""
    handle = await lab.processes.client.start_workflow(
        "SaleAftercare", Aftercare(slice_s=MONTH), id=f"golden:aftercare:{name}", task_queue=LAUNCHPAD
    )
    await handle.result()
    return handle.id


async def _refunded(lab: SaleWorld) -> str:
    keys, opened = await lab.sale(seconds=600)
    await lab.desk.buy(keys, await lab.person(), MILLION)
    await lab.later(700)
    row = await lab.reaches(opened, "completed")
    return ids.curve_sale(row["project_id"])


async def _parked(lab: SaleWorld) -> str:
    keys, opened = await lab.sale(seconds=600)
    odd, other = await lab.person(), await lab.person()
    for buyer in (odd, other):
        await lab.desk.buy(keys, buyer, MILLION)
    await lab.burden(odd)
    await lab.later(700)
    row = await lab.reaches(opened, "needs_operator")
    await lab.relieve(odd)
    name = ids.curve_sale(row["project_id"])
    await lab.processes.signal(name, "retry", RetryProcess(cause="recording"))
    await lab.reaches(opened, "completed")
    return name


async def _graduated(lab: SaleWorld) -> str:
    keys, opened = await lab.sale()
    await lab.desk.buy(keys, await lab.person(200 * SOL), 400 * MILLION)
    row = await lab.reaches(opened, "completed")
    return ids.curve_sale(row["project_id"])


async def _cancelled(lab: SaleWorld) -> str:
    keys, opened = await lab.sale()
    await lab.desk.send(lab.creator, lab.desk.program.cancel_sale(keys))
    row = await lab.reaches(opened, "completed")
    return ids.curve_sale(row["project_id"])


async def _traded(lab: SaleWorld, most: int, status: str) -> str:
    """A purchase that its wallet signed, for at most so many lamports."""
    keys, opened = await lab.sale(seconds=6_000)
    await lab.reaches(opened, "active")
    buyer, account = await lab.person(), (await lab.rows("SELECT id FROM platform.accounts LIMIT 1"))[0]["id"]
    me = str(buyer.pubkey())
    plan = Plan(
        key=f"trade:buy:{new_id()}",
        subject_kind=KIND,
        subject_id=opened.sale_id,
        payer=me,
        instructions=lab.desk.program.buy(keys, me, MILLION, most),
        most_lamports=0,
    )
    nodes = RpcNodes.connect(lab.node.urls, calls_per_s=1_000, quarantine=_odd)
    try:
        draft = await Drafting(nodes, platform=lab.platform, price_most=0).draft(plan)
    finally:
        await nodes.aclose()
    signed = read_signed(with_signatures(draft.message, {me: str(buyer.sign_message(draft.message))}))
    async with transaction(lab.pool) as connection:
        issued = await issue(connection, plan, draft, platform=lab.platform)
        await belongs_to(connection, issued.transaction_id, account)
        trade = await submit_trade(connection, opened.sale_id, signed, platform=lab.platform, account_id=account)
    await lab.processes.start(
        "sale_trade", trade.subject_id, trade.workflow_id, "recording", operation_id=trade.operation_id
    )
    await lab.operation(trade.workflow_id, status)
    return trade.workflow_id


async def _odd(*_: object) -> None:
    raise AssertionError("the node answered oddly")
