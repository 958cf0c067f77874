"""What is Broken waits for an operator and goes on after `retry`; nothing is lost in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import WorkflowFailureError

from domain.shared import ids
from domain.shared.processes import RetryProcess
from tests.world import USDC, World


@pytest_asyncio.fixture(loop_scope="session")
async def world(new_database: Callable[[], Awaitable[str]], tmp_path: Path) -> AsyncIterator[World]:
    async with World.open(await new_database(), tmp_path) as opened:
        yield opened


async def test_withdrawal_with_a_drifted_nonce_parks_and_resumes(world: World) -> None:
    """Somebody else used the hot wallet's next nonce: signing stops, the hold stays, an operator decides."""
    account = await world.funded(60 * USDC)
    await world.hot_wallet_with(40 * USDC)
    first = await world.request_withdrawal(account, 5 * USDC)
    async with world.mining():
        await world.withdrawal_status(first, "settled")
    await world.use_nonce_elsewhere(world.wallets.hot_key, 1)
    await world.mine()
    withdrawal = await world.request_withdrawal(account, 10 * USDC)
    operation = "SELECT status, failure_code FROM platform.operations WHERE subject_id = %s"
    await world.until(
        lambda: world.rows(operation, withdrawal),
        lambda rows: rows[0] == {"status": "needs_operator", "failure_code": "nonce_drift"},
    )
    assert await world.held(account) == 10 * USDC
    assert await world.rows("SELECT severity FROM platform.alerts WHERE code = 'nonce_drift'") != []
    await world.rows("UPDATE exchange.wallets SET next_nonce = 2 WHERE address = %s", world.wallets.hot)
    await world.processes.signal(ids.withdrawal(withdrawal), "retry", RetryProcess(cause="test"))
    async with world.mining():
        await world.withdrawal_status(withdrawal, "settled")
    await world.check_books()


async def test_undecodable_input_fails_at_once_instead_of_hanging(world: World) -> None:
    handle = await world.client.start_workflow("Deposit", {"nonsense": 1}, id="bad-input", task_queue="exchange")
    with pytest.raises(WorkflowFailureError) as ended:
        await handle.result()
    assert "subject_id" in str(ended.value.cause)
