"""Halts as processes: they end by themselves, by an operator, and in spite of a worker's death."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from domain.exchange.price_messages import LengthenHalt, ResumeTrading
from domain.shared import ids
from domain.shared.errors import Rejected
from domain.shared.money import USDC_ONE
from localnet.running import RunningTemporal, running_temporal
from tests.price_lab import PriceLab, spawn
from tests.world.trades import fill
from workflows.client import connect


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def temporal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningTemporal]:
    directory: Path = tmp_path_factory.mktemp("prices")
    async with running_temporal(directory / "temporal") as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str, temporal: RunningTemporal) -> AsyncIterator[PriceLab]:
    client = await connect(temporal.address, "default")
    async with PriceLab.open(database, client) as opened:
        yield opened
    async for run in client.list_workflows("ExecutionStatus='Running'"):
        await client.get_workflow_handle(run.id).terminate()


async def test_a_trip_halts_starts_the_process_and_trading_resumes_by_itself(lab: PriceLab) -> None:
    """EX-080…084 from end to end, with a halt of two seconds."""
    asset_id, account = await lab.asset(breaker_bps=1_500)
    lab.store.pace = lab.store.pace._replace(halt_s=2)
    async with lab.serving():
        await lab.until(lambda: lab.ticks(asset_id), bool)
        await fill(lab.pool, asset_id, account, 500 * USDC_ONE)
        await lab.until(lambda: lab.summed(asset_id), bool)
        await fill(lab.pool, asset_id, account, 5_000 * USDC_ONE)
        await lab.until(lambda: lab.status(asset_id), lambda status: status == "halted")
        await lab.until(lambda: lab.status(asset_id), lambda status: status == "active")
    halt = await lab.row("SELECT * FROM exchange.asset_halts")
    assert (halt["cause"], halt["ended_by"]) == ("circuit_breaker", "time")
    assert halt["ended_at"] >= halt["until"]


async def test_operators_extend_and_resume(lab: PriceLab) -> None:
    asset_id, _ = await lab.asset()
    async with lab.serving():
        halt_id = await lab.halted(asset_id, 600)
        first = await lab.row("SELECT * FROM exchange.asset_halts")
        handle = lab.client.get_workflow_handle(ids.asset_halt(halt_id))
        await lab.until(lambda: lab.processes.state(ids.asset_halt(halt_id)), lambda state: state == "running")
        longer = LengthenHalt(principal="operator", seconds=60)
        for _ in range(2):
            state = await lab.ask(halt_id, "extend", longer, "extend:1")
            assert (state.until - first["until"]).total_seconds() == 60
        state = await lab.ask(halt_id, "resume", ResumeTrading(principal="operator", note="all clear"), "resume:1")
        assert (state.ended, state.ended_by) == (True, "operator")
        assert (await handle.result())["ended_by"] == "operator"
        assert await lab.status(asset_id) == "active"
        with pytest.raises(Rejected):
            await lab.ask(halt_id, "extend", longer, "extend:2")


async def test_an_update_the_books_refuse_fails_with_their_code(lab: PriceLab) -> None:
    asset_id, _ = await lab.asset()
    async with lab.serving():
        halt_id = await lab.halted(asset_id, 600)
        await lab.until(lambda: lab.processes.state(ids.asset_halt(halt_id)), lambda state: state == "running")
        await lab.ask(halt_id, "extend", LengthenHalt(principal="operator", seconds=60), "extend:0")  # it stands
        await lab.rows("UPDATE exchange.asset_halts SET ended_at = clock_timestamp(), ended_by = 'somebody'")
        with pytest.raises(Rejected) as refusal:
            await lab.ask(halt_id, "extend", LengthenHalt(principal="operator", seconds=60), "extend:1")
        assert refusal.value.code == "not_halted"


async def test_a_halt_survives_the_death_of_its_worker(lab: PriceLab, temporal: RunningTemporal) -> None:
    asset_id, _ = await lab.asset()
    worker = await spawn(lab.dsn, temporal.address)
    halt_id = await lab.halted(asset_id, 10)
    await lab.until(lambda: lab.processes.state(ids.asset_halt(halt_id)), lambda state: state == "running")
    worker.kill()
    await worker.wait()
    async with lab.serving(follow=False):
        await lab.until(lambda: lab.status(asset_id), lambda status: status == "active")
    halt = await lab.row("SELECT * FROM exchange.asset_halts")
    assert halt["ended_at"] >= halt["until"]


async def test_a_terminated_halt_is_started_again_by_its_operation(lab: PriceLab) -> None:
    """Its row says that it has not ended; a tick sees that its time is over and hands it to the dispatcher."""
    asset_id, _ = await lab.asset()
    async with lab.serving():
        halt_id = await lab.halted(asset_id, 300)
        await lab.until(lambda: lab.processes.state(ids.asset_halt(halt_id)), lambda state: state == "running")
        await lab.client.get_workflow_handle(ids.asset_halt(halt_id)).terminate()
        await lab.rows("UPDATE exchange.asset_halts SET until = clock_timestamp() - interval '2 minutes'")
        await lab.until(lambda: lab.status(asset_id), lambda status: status == "active")
