"""Halts of five minutes and more, on a server that skips the waiting."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest_asyncio
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from domain.exchange.price_messages import HaltState, LengthenHalt, RecordTick, ResumeTrading
from domain.shared import ids
from domain.shared.money import USDC_ONE
from domain.shared.processes import EXCHANGE, Start
from tests.price_lab import PriceLab
from tests.world.skipping import skipping_temporal
from tests.world.trades import fill
from workflows.exchange.halts import AssetHaltWorkflow


@pytest_asyncio.fixture(loop_scope="session")
async def env() -> AsyncIterator[WorkflowEnvironment]:
    async with skipping_temporal(by_itself=False) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str, env: WorkflowEnvironment) -> AsyncIterator[PriceLab]:
    async with PriceLab.open(database, env.client) as opened, opened.serving(follow=False):
        yield opened


async def begun(lab: PriceLab, halt_id: str) -> WorkflowHandle[AssetHaltWorkflow, HaltState]:
    return await lab.client.start_workflow(
        AssetHaltWorkflow.run, Start(subject_id=halt_id), id=ids.asset_halt(halt_id), task_queue=EXCHANGE
    )


async def test_ex_084_a_tripped_asset_resumes_after_300_seconds_by_itself(
    env: WorkflowEnvironment, lab: PriceLab
) -> None:
    asset_id, account = await lab.asset(breaker_bps=1_500)
    now = (await lab.row("SELECT clock_timestamp() AS now"))["now"]
    for usdc in (500, 5_000):
        await fill(lab.pool, asset_id, account, usdc * USDC_ONE)
        await lab.store.record(RecordTick(asset_id=asset_id, at=now))
    halt = await lab.row("SELECT id::text, until FROM exchange.asset_halts")
    assert timedelta(seconds=299) < halt["until"] - now < timedelta(seconds=400)
    handle = await begun(lab, halt["id"])
    await env.fast_forward(handle, timedelta(seconds=200))
    assert await lab.status(asset_id) == "halted"
    await env.fast_forward(handle, timedelta(seconds=140))
    state = await handle.result()
    assert (state.ended, state.ended_by) == (True, "time")
    assert await lab.status(asset_id) == "active"
    row = await lab.row("SELECT ended_at, until FROM exchange.asset_halts")
    assert timedelta(0) <= row["ended_at"] - row["until"] < timedelta(seconds=60)


async def test_an_extended_halt_lasts_as_long_as_it_was_told_last(env: WorkflowEnvironment, lab: PriceLab) -> None:
    asset_id, _ = await lab.asset()
    halt_id = await lab.halted(asset_id, 300)
    handle = await begun(lab, halt_id)
    for number in range(2):
        await lab.ask(halt_id, "extend", LengthenHalt(principal="operator", seconds=300), f"extend:{number}")
    await env.fast_forward(handle, timedelta(seconds=700))
    assert await lab.status(asset_id) == "halted"
    await env.fast_forward(handle, timedelta(seconds=240))
    assert (await handle.result()).ended_by == "time"
    assert await lab.status(asset_id) == "active"


async def test_an_operator_ends_it_before_its_time(env: WorkflowEnvironment, lab: PriceLab) -> None:
    asset_id, _ = await lab.asset()
    halt_id = await lab.halted(asset_id, 300)
    handle = await begun(lab, halt_id)
    await env.fast_forward(handle, timedelta(seconds=100))
    await lab.ask(halt_id, "resume", ResumeTrading(principal="operator"), "resume:1")
    assert (await handle.result()).ended_by == "operator"
    row = await lab.row("SELECT ended_at, until FROM exchange.asset_halts")
    assert row["until"] - row["ended_at"] < timedelta(seconds=201)
    assert await lab.status(asset_id) == "active"
