"""Giving a launch up around its mint: what is signed decides, and nothing is signed after that."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from domain.launchpad.launch_messages import Undone
from domain.launchpad.request import SOL
from domain.launchpad.steps import MINT, plan_key
from domain.shared.errors import Broken, Rejected
from localnet.running import RunningTemporal, running_temporal
from storage.books import Books
from storage.intents.opened import Opened
from storage.launchpad.launches import LaunchStore
from storage.launchpad.transactions import TransactionStore
from tests.launch_checks import kept
from tests.token_launch_lab import TokenLab, token_lab


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: Any) -> AsyncIterator[RunningTemporal]:
    directory: Path = tmp_path_factory.mktemp("launches")
    async with running_temporal(directory / "temporal") as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(
    server: RunningTemporal, new_database: Callable[[], Awaitable[str]], tmp_path_factory: Any
) -> AsyncIterator[TokenLab]:
    async with token_lab(await new_database(), server.address, tmp_path_factory.mktemp("svm")) as opened:
        await opened.start_worker()
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def lab(world: TokenLab) -> TokenLab:
    """One chain and one worker for all, another creator for each."""
    await world.newcomer()
    return world


async def mint_waits(lab: TokenLab, opened: Opened) -> None:
    """The mint is planned, and the signer is asked for it in vain."""
    planned = "SELECT 1 FROM launchpad.transactions WHERE key = %s"
    await lab.until(lambda: lab.rows(planned, plan_key(opened.subject_id, MINT)), bool)

    async def asked() -> bool:
        found = await lab.processes.client.get_workflow_handle(opened.workflow_id).describe()
        waits = found.raw_description.pending_activities
        return any(one.activity_type.name == "sign_solana" and one.attempt > 1 for one in waits)

    await lab.until(asked, bool)


async def test_held_at_the_mint_by_the_wallets_day_limit_it_can_be_cancelled(lab: TokenLab) -> None:
    """The books know that nothing is signed, and nothing is from then on."""
    async with lab.set_to(solana_day_lamports="0"):
        opened = await lab.begin()
        await mint_waits(lab, opened)
        await lab.cancel(opened)
        row = await lab.reaches(opened, "undone")
    assert (row["operation"], row["failure_code"]) == ("cancelled", None)
    assert (await kept(lab, opened), await lab.signatures(row["mint"])) == (set(), [])


async def test_a_signer_that_lives_on_signs_no_mint_of_a_launch_that_is_given_up(lab: TokenLab) -> None:
    """Whichever of the two comes first, the other is refused: nothing signed, and then nothing signable."""
    async with lab.set_to(solana_day_lamports="0"):
        opened = await lab.begin()
        await mint_waits(lab, opened)
        books = Books(lab.pool)
        launches, key = LaunchStore(books, lab.policy), plan_key(opened.subject_id, MINT)
        signer = TransactionStore(books, lab.platform, day_lamports=100 * SOL)
        planned = await signer.get(key)
        draft = await lab.drafting.draft(planned.plan)
        assert await launches.begin_undoing(opened.subject_id)
        assert await launches.begin_undoing(opened.subject_id)
        with pytest.raises(Rejected, match="to be given up"):
            await signer.sign(planned, draft, b"raw", "never stored")
        await lab.reaches(opened, "undone")
    assert (await lab.rows("SELECT 1 FROM launchpad.transaction_attempts WHERE signature = 'never stored'")) == []


async def test_a_launch_whose_mint_is_signed_is_not_booked_as_undone(lab: TokenLab) -> None:
    opened = await lab.begin(signing="creator")
    await lab.reaches(opened, "waiting_signature")
    await lab.rows(
        """INSERT INTO launchpad.transaction_attempts
             (transaction_id, number, status, message, raw, signature, blockhash,
             last_valid_height, compute_limit, compute_price_micro_lamports, fee_lamports)
           SELECT id, 99, 'signed', 'm', 'r', key, 'b', 1, 1, 0, 5000 FROM launchpad.transactions WHERE key = %s
           RETURNING number""",
        plan_key(opened.subject_id, MINT),
    )
    launches = LaunchStore(Books(lab.pool), lab.policy)
    assert not await launches.begin_undoing(opened.subject_id)
    with pytest.raises(Broken, match="its mint is signed"):
        await launches.undone(Undone(launch_id=opened.subject_id))
    row = await lab.row(opened)
    assert (row["status"], row["project"]) == ("waiting_signature", "preparing")
    await lab.processes.client.get_workflow_handle(opened.workflow_id).terminate("made up")
