"""What `holdfast doctor` says of Solana, against a real local node."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest_asyncio
from solders.pubkey import Pubkey

from cli.checks import Finding, Root, Verdict, solana
from gateways.solana.nodes import RpcNodes
from settings import WorkerSettings
from storage.database import make_pool, transaction
from storage.events import new_id
from tests.svm_lab import SOL
from tests.world.svm import RunningSvm, running_svm

Check = Callable[[RpcNodes, WorkerSettings], Awaitable[Finding]]


class Desk:
    def __init__(self, svm: RunningSvm) -> None:
        self.svm, self.wallet = svm, Pubkey.new_unique()
        svm.fund(self.wallet, SOL)
        svm.warp(slots=40)
        self.told: dict[str, Any] = {
            "holdfast_profile": "production",
            "solana_cluster": "localnet",
            "solana_platform_address": str(self.wallet),
            "solana_float_lamports": SOL,
            "launchpad_program_id": str(self.wallet),
            "launchpad_pool_program_id": str(self.wallet),
        }

    async def look(self, check: Check, *, ports: int = 2, **but: Any) -> Finding:
        async def odd(*_: object) -> None:
            raise AssertionError("the node answered oddly")

        nodes = RpcNodes.connect(self.svm.urls[:ports], calls_per_s=100, quarantine=odd)
        try:
            return await check(nodes, WorkerSettings.model_construct(**{**self.told, **but}))
        finally:
            await nodes.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def desk() -> AsyncIterator[Desk]:
    async with running_svm() as svm:
        yield Desk(svm)


async def test_two_nodes_that_agree_are_good(desk: Desk) -> None:
    found = await desk.look(solana.nodes)
    assert (found.verdict, "2 of 2 nodes answer" in found.meaning) == (Verdict.OK, True)


async def test_one_node_alone_is_worth_a_look(desk: Desk) -> None:
    assert "its word alone" in (await desk.look(solana.nodes, ports=1)).meaning
    assert (await desk.look(solana.nodes, ports=1, holdfast_profile="local")).verdict is Verdict.OK


async def test_a_silent_node_and_one_behind_are_named(desk: Desk) -> None:
    desk.svm.fail("getEpochInfo", "plain_5xx", port=1, times=None)
    assert "silent: 127.0.0.1:" in (await desk.look(solana.nodes)).meaning
    desk.svm.heal()
    desk.svm.view(port=1, lag=90)
    assert "is 90 slots behind" in (await desk.look(solana.nodes)).meaning


async def test_another_cluster_is_broken(desk: Desk) -> None:
    found = await desk.look(solana.nodes, solana_cluster="devnet")
    assert (found.root, "unknown cluster" in found.meaning) == (Root.BROKEN, True)


async def test_programs_must_stand_there(desk: Desk) -> None:
    assert (await desk.look(solana.programs)).verdict is Verdict.OK
    assert (await desk.look(solana.programs, launchpad_program_id="")).verdict is Verdict.LOOK
    nowhere = str(Pubkey.new_unique())
    found = await desk.look(solana.programs, launchpad_pool_program_id=nowhere)
    assert (found.root, found.meaning) == (Root.BROKEN, f"nothing stands at {nowhere}")


async def test_a_wallet_below_its_float_is_worth_a_look(desk: Desk) -> None:
    assert (await desk.look(solana.wallet)).verdict is Verdict.OK
    found = await desk.look(solana.wallet, solana_float_lamports=SOL + 1)
    assert (found.verdict, "send SOL to" in found.fix) == (Verdict.LOOK, True)


async def test_it_says_how_much_of_the_wallets_day_is_left(database: str) -> None:
    found = WorkerSettings.model_construct(solana_day_lamports=5 * SOL)
    async with make_pool(database, size=1, name="doctor") as pool:
        assert (await solana.day(pool, found)).meaning == "0 SOL spent, 5 of 5 left"
        async with transaction(pool) as connection:
            row = new_id()
            await connection.execute(
                """INSERT INTO launchpad.transactions (id, key, subject_kind, subject_id, payer, instructions,
                     most_lamports) VALUES (%s, 'x', 'sale', %s, 'w', '[]', 0)""",
                [row, row],
            )
            await connection.execute(
                """INSERT INTO launchpad.transaction_attempts (transaction_id, number, status, message, blockhash,
                     compute_limit, compute_price_micro_lamports, fee_lamports, lost_lamports, ended_at)
                   VALUES (%s, 1, 'landed', '', '', 0, 0, 0, %s, now())""",
                [row, 4 * SOL],
            )
        spent = await solana.day(pool, found)
    assert (spent.verdict, spent.meaning) == (Verdict.LOOK, "4 SOL spent, 1 of 5 left: launches wait")
