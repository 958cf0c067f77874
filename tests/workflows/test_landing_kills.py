"""A payment of the platform while its worker and signer are killed: signed once, on the chain once, and at its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from solders.pubkey import Pubkey
from solders.system_program import AllocateWithSeedParams, allocate_with_seed

from domain.launchpad.transactions import Plan
from domain.shared import ids
from domain.shared.processes import LAUNCHPAD
from localnet.running import RunningTemporal, running_temporal
from storage.database import transaction
from storage.events import new_id
from storage.launchpad import transactions
from storage.launchpad.trades import open_trade
from tests.landing_lab import PAID, plain
from tests.launch_lab import LaunchLab, launch_lab
from tests.svm_lab import LOADER, SOL, pays

KEY = "pay"
SOON_S = 30.0
"""From when the next worker process stands to the word in the books."""


@pytest_asyncio.fixture(loop_scope="session")
async def temporal(tmp_path: Path) -> AsyncIterator[RunningTemporal]:
    async with running_temporal(tmp_path / "temporal") as server:
        yield server


class Payment:
    def __init__(self, lab: LaunchLab) -> None:
        self.lab = lab
        self.to = Pubkey.create_with_seed(lab.wallet.pubkey(), KEY, LOADER)  # whom a deployment may pay
        self.workflow_id = ""

    async def begin(self) -> None:
        lab = self.lab
        await lab.node.control("account", key=str(self.to), lamports=SOL)
        await lab.node.control("warp", slots=100)
        place = AllocateWithSeedParams(address=self.to, base=lab.wallet.pubkey(), seed=KEY, space=0, owner=LOADER)
        plan = Plan(
            key=KEY, subject_kind="deployment", subject_id=new_id(), payer=lab.platform, most_lamports=2 * PAID,
            instructions=(plain(pays(lab.wallet, self.to, PAID)), plain(allocate_with_seed(place))),
        )  # fmt: skip
        account = new_id()
        async with transaction(lab.pool) as connection:
            await connection.execute(
                "INSERT INTO platform.accounts (id, name, role) VALUES (%s, 'payer', 'trader')", [account]
            )
            transaction_id = await transactions.plan(connection, plan)
            operation_id = await open_trade(connection, transaction_id, "Pay", account)
        self.workflow_id = ids.sale_trade(transaction_id)
        await lab.processes.start("sale_trade", transaction_id, self.workflow_id, "Pay", operation_id=operation_id)

    async def attempts(self) -> list[dict[str, Any]]:
        return await self.lab.rows(
            "SELECT number, status::text AS status, signature, raw FROM launchpad.transaction_attempts ORDER BY number"
        )

    async def signed(self) -> dict[str, Any]:
        [attempt] = await self.lab.until(self.attempts, bool)
        return attempt

    async def ended(self) -> None:
        """It lands in the node's own time: each look at the operation makes 32 slots, and a blockhash lives 150."""
        await self.lab.until(self.attempts, lambda found: bool(found) and found[-1]["status"] == "landed")
        await self.lab.operation(self.workflow_id, "completed")

    async def once(self) -> None:
        """On the chain itself."""
        [landed] = await self.lab.signatures(str(self.to))
        [attempt] = await self.attempts()
        assert (landed["err"], landed["signature"], attempt["status"]) == (None, attempt["signature"], "landed")
        assert await self.lab.lamports(str(self.to)) == SOL + PAID


@pytest_asyncio.fixture(loop_scope="session")
async def payment(database: str, temporal: RunningTemporal, tmp_path: Path) -> AsyncIterator[Payment]:
    program = str(Pubkey.new_unique())
    async with launch_lab(
        database, temporal.address, tmp_path, launchpad_program_id=program, launchpad_pool_program_id=program
    ) as lab:
        yield Payment(lab)


async def fault(lab: LaunchLab, method: str, name: str, **more: Any) -> None:
    for port in (0, 1):
        await lab.node.control("fault", port=port, method=method, fault=name, **more)


async def heal(lab: LaunchLab) -> None:
    for port in (0, 1):
        await lab.node.control("heal", port=port)


async def test_killed_between_signing_and_sending(payment: Payment) -> None:
    lab = payment.lab
    await fault(lab, "getSignatureStatuses", "stall", times=None)  # the sender looks before it sends
    await lab.start_worker()
    await payment.begin()
    before = await payment.signed()
    await lab.kill()
    await heal(lab)
    assert await lab.signatures(str(payment.to)) == []
    await lab.start_worker()
    await payment.ended()
    assert (await payment.signed())["raw"] == before["raw"]
    await payment.once()


async def test_killed_between_sending_and_recording(payment: Payment) -> None:
    lab = payment.lab
    await fault(lab, "getTransaction", "stall", times=None)  # no verdict without the transaction itself
    await lab.start_worker()
    await payment.begin()
    await lab.until(lambda: lab.signatures(str(payment.to)), bool)
    await lab.kill()
    assert [attempt["status"] for attempt in await payment.attempts()] == ["signed"]
    await heal(lab)
    await lab.start_worker()
    started = time.monotonic()
    await lab.until(payment.attempts, lambda rows: rows[0]["status"] == "landed")
    assert time.monotonic() - started < SOON_S
    await payment.ended()
    await payment.once()


async def test_killed_again_and_again(payment: Payment) -> None:
    """At moments that nobody chose: the payment happens once, whatever the worker was at."""
    lab = payment.lab
    await lab.start_worker()
    await payment.begin()
    for pause in (0.05, 0.3, 0.9):
        await asyncio.sleep(pause)
        await lab.kill()
        await lab.start_worker()
    await payment.ended()
    await payment.once()


async def test_looking_after_solana_is_done_again_when_killed(payment: Payment) -> None:
    """Its worker dies while it waits for the wallet's balance; what landed unseen is final in the books afterwards."""
    lab = payment.lab
    await lab.start_worker()
    await payment.begin()
    await lab.until(payment.attempts, lambda rows: bool(rows) and rows[0]["status"] == "landed")
    await lab.processes.client.get_workflow_handle(payment.workflow_id).terminate("nobody waits any more")
    await fault(lab, "getMultipleAccounts", "stall", times=None)
    async with transaction(lab.pool) as connection:
        await connection.execute("UPDATE launchpad.transactions SET updated_at = updated_at - interval '2 minutes'")
    handle = await lab.processes.client.start_workflow("SolanaUpkeep", id="looks", task_queue=LAUNCHPAD)
    await asyncio.sleep(1)
    await lab.kill()
    await heal(lab)
    await lab.node.control("finalize")
    await lab.start_worker()
    assert "1 landings became final" in (await asyncio.wait_for(handle.result(), 60))["summary"]
    await payment.once()
