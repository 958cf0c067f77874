"""SIGKILL to worker and signer while sales are refunded, graduated, looked after, followed: each effect stands on the
chain once, and how soon it goes on is told (the target is 2.5 s on an idle machine)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from solders.keypair import Keypair

from domain.launchpad.aftercare import Aftercare, AftercareDone
from domain.launchpad.sale import SaleKeys
from domain.launchpad.sale_messages import OpenedSale
from domain.shared.processes import LAUNCHPAD
from localnet.running import RunningTemporal, running_temporal
from tests.sale_lab import MILLION
from tests.sale_world import SaleWorld, sale_world
from tests.svm_lab import SOL

MONTH = 2_592_000
CLIFF = 15_552_000
STAGES = {
    "planned": "SELECT 1 FROM launchpad.transactions WHERE key LIKE %s",
    "signed": """SELECT 1 FROM launchpad.transactions t JOIN launchpad.transaction_attempts a
                   ON a.transaction_id = t.id WHERE t.key LIKE %s""",
    "landed": "SELECT 1 FROM launchpad.transactions WHERE key LIKE %s AND status IN ('landed', 'finalized')",
}
"""What the books show when the worker is killed."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: Any) -> AsyncIterator[RunningTemporal]:
    directory: Path = tmp_path_factory.mktemp("sale-kills")
    async with running_temporal(directory / "temporal") as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(
    server: RunningTemporal, new_database: Callable[[], Awaitable[str]], tmp_path_factory: Any
) -> AsyncIterator[SaleWorld]:
    """One for all: the worker that takes over is the next victim."""
    async with sale_world(await new_database(), server.address, tmp_path_factory.mktemp("svm"), hurry=1) as opened:
        await opened.start_worker()
        await opened.follow()
        yield opened


async def killed(world: SaleWorld, what: str, look: Callable[[], Awaitable[Any]]) -> None:
    """SIGKILL now, a new worker; until something that the books show has moved."""
    await world.kill()
    before = await look()
    await world.start_worker()
    ready = time.monotonic()
    await world.until(look, lambda found: found != before, every=0.01)
    print(f"killed while {what}: went on {time.monotonic() - ready:.2f} s after a worker was there again")


async def progress(world: SaleWorld, opened: OpenedSale) -> list[dict[str, Any]]:
    """How far every transaction of the sale is, its operation, and the aftercare."""
    return await world.rows(
        """SELECT t.key, t.status::text AS status, (SELECT count(*) FROM launchpad.transaction_attempts a
             WHERE a.transaction_id = t.id) AS attempts, o.status::text AS operation, s.status::text AS sale,
             (SELECT count(*) FROM platform.job_runs WHERE job = 'sale_aftercare') AS runs
           FROM launchpad.sales s JOIN platform.operations o ON o.id = s.operation_id
           LEFT JOIN launchpad.transactions t ON t.subject_id = s.id WHERE s.id = %s ORDER BY t.key""",
        opened.sale_id,
    )


async def killed_at(world: SaleWorld, opened: OpenedSale, act: str, stage: str) -> None:
    name = f"sale:{opened.sale_id}:{act}%"
    await world.until(lambda: world.rows(STAGES[stage], name), bool, every=0.002)
    await killed(world, f"{act} was {stage}", lambda: progress(world, opened))


async def told(world: SaleWorld, opened: OpenedSale, kind: str) -> list[dict[str, Any]]:
    return await world.rows(
        "SELECT wallet, tokens FROM launchpad.sale_events WHERE sale_id = %s AND kind = %s ORDER BY wallet",
        opened.sale_id, kind,
    )  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
async def test_killed_while_buyers_are_refunded(world: SaleWorld, stage: str) -> None:
    keys, opened = await world.sale(seconds=600)
    await world.reaches(opened, "active")
    buyers = [await world.person() for _ in range(12)]
    for number, buyer in enumerate(buyers):
        await world.desk.buy(keys, buyer, MILLION + number)
    await world.later(700)
    await killed_at(world, opened, "refunds", stage)
    await world.reaches(opened, "refunded")
    for buyer in buyers:
        assert await world.desk.position(keys, str(buyer.pubkey())) is None
    refunded = await world.until(lambda: told(world, opened, "Refunded"), lambda rows: len(rows) >= 12)
    assert [row["wallet"] for row in refunded] == sorted(str(buyer.pubkey()) for buyer in buyers)


async def sold_out(world: SaleWorld) -> tuple[SaleKeys, OpenedSale, Keypair]:
    keys, opened = await world.sale()
    await world.reaches(opened, "active")
    buyer = await world.person(200 * SOL)
    await world.desk.buy(keys, buyer, 400 * MILLION)
    return keys, opened, buyer


@pytest.mark.parametrize("stage", STAGES)
async def test_killed_while_a_sale_graduates(world: SaleWorld, stage: str) -> None:
    keys, opened, _ = await sold_out(world)
    await killed_at(world, opened, "graduate", stage)
    row = await world.reaches(opened, "completed")
    assert row["status"] == "graduated"
    assert len(await world.until(lambda: told(world, opened, "Graduated"), bool)) == 1
    assert (await world.desk.state(keys)).other_due == 0


@pytest.mark.parametrize("stage", STAGES)
async def test_killed_while_a_team_is_paid(world: SaleWorld, stage: str) -> None:
    keys, opened, buyer = await sold_out(world)
    await world.reaches(opened, "completed")
    await world.desk.claim(keys, buyer)
    await world.until(lambda: told(world, opened, "Claimed"), bool)
    await world.later(CLIFF + 2 * MONTH)
    await world.node.control("finalize")
    handle = await world.processes.client.start_workflow(
        "SaleAftercare", Aftercare(slice_s=MONTH), id=f"aftercare:{stage}", task_queue=LAUNCHPAD,
        result_type=AftercareDone,
    )  # fmt: skip
    await killed_at(world, opened, "vested", stage)
    done: AftercareDone = await asyncio.wait_for(handle.result(), 120)
    assert done.refused == (), done
    vesting = world.desk.program.read_vesting(await world.desk.data(world.desk.program.addresses.vesting(keys.address)))
    claims = await world.until(lambda: told(world, opened, "VestedClaimed"), bool)
    assert [row["tokens"] for row in claims] == [vesting.claimed_tokens]
    assert 0 < vesting.claimed_tokens < vesting.tokens
    assert await world.desk.position(keys, str(buyer.pubkey())) is None
    assert len(await world.until(lambda: told(world, opened, "PositionClosed"), bool)) == 1


async def test_killed_while_sales_are_followed(world: SaleWorld) -> None:
    keys, opened = await world.sale(seconds=6_000)
    await world.reaches(opened, "active")
    bought = [await world.desk.buy(keys, await world.person(), MILLION)]
    await world.until(lambda: told(world, opened, "Traded"), bool)
    await world.kill()
    bought.append(await world.desk.buy(keys, await world.person(), MILLION))
    await killed(world, "sales were followed", lambda: told(world, opened, "Traded"))
    assert len(await told(world, opened, "Traded")) == len(bought)
