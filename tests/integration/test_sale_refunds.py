"""Who waits for a refund, when nodes do not agree on it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.launchpad.sales import HIDDEN_TRIES, SaleActivities
from domain.launchpad.sale import SaleKeys
from domain.launchpad.sale_messages import OpenedSale, PlanRefunds, RefundRound
from domain.shared.errors import Broken, Unavailable
from gateways.solana.everywhere import Everywhere
from gateways.solana.sale_program import POSITION_TAG
from storage.jobs import JobStore
from storage.launchpad.refunds import RefundStore
from storage.launchpad.sales import SaleStore
from tests.svm_lab import SOL
from tests.upkeep_lab import Upkeep, upkeep_world
from tests.world.svm import RunningSvm

NOBODY: dict[str, Any] = {"context": {"slot": 1}, "value": []}


def acts(world: Upkeep) -> SaleActivities:
    return SaleActivities(
        world.nodes,
        world.desk.program,
        SaleStore(world.books),
        RefundStore(world.books),
        platform=str(world.platform.pubkey()),
        position_tag=POSITION_TAG,
        everywhere=Everywhere(world.nodes, quarantine=JobStore(world.books).quarantine).program_accounts,
    )


async def planned(world: Upkeep, sale: OpenedSale, attempt: int = 1) -> RefundRound:
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, attempt=attempt)
    found: RefundRound = await environment.run(acts(world).plan_refunds, PlanRefunds(sale_id=sale.sale_id))
    return found


async def ended(world: Upkeep, svm: RunningSvm) -> tuple[SaleKeys, OpenedSale]:
    """Below its soft cap, with three buyers."""
    keys, sale = await world.sale(seconds=600)
    for _ in range(3):
        await world.buy(keys, await world.wallet(), SOL)
    svm.warp(seconds=700)
    svm.finalize()
    return keys, sale


async def test_buyers_whom_one_node_does_not_show_are_refunded(database: str) -> None:
    async with upkeep_world(database) as (world, svm):
        _, sale = await ended(world, svm)
        svm.fail("getProgramAccounts", "result", port=0, times=None, value=NOBODY)
        await planned(world, sale)
        [row] = await world.rows("SELECT instructions FROM launchpad.transactions WHERE subject_kind = 'sale_refund'")
        assert len(row["instructions"]) == 3


async def test_buyers_whom_no_node_shows_call_an_operator(database: str) -> None:
    async with upkeep_world(database) as (world, svm):
        _, sale = await ended(world, svm)
        for port in (0, 1):
            svm.fail("getProgramAccounts", "result", port=port, times=None, value=NOBODY)
        with pytest.raises(Unavailable, match="no node shows"):
            await planned(world, sale)
        with pytest.raises(Broken, match="refund_stuck"):
            await planned(world, sale, HIDDEN_TRIES)
