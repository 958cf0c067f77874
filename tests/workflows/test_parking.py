"""What is Broken waits for an operator and goes on after `retry`; nothing is lost in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from temporalio.client import WorkflowFailureError

from domain.shared import ids
from domain.shared.ledger import Transfer, available, custody, move
from domain.shared.money import USDC as MICROS
from domain.shared.processes import RetryProcess
from tests.world import CHAIN_ID, USDC, World


@pytest_asyncio.fixture(loop_scope="session")
async def world(new_database: Callable[[], Awaitable[str]], tmp_path: Path) -> AsyncIterator[World]:
    async with World.open(await new_database(), tmp_path) as opened:
        yield opened


OPERATION = "SELECT status, failure_code FROM platform.operations WHERE subject_id = %s"
ALERTS = """SELECT code, resolved_at IS NULL AS open FROM platform.alerts WHERE subject = %s ORDER BY id"""


async def parked(world: World, subject: str, code: str) -> None:
    await world.until(
        lambda: world.rows(OPERATION, subject),
        lambda rows: rows and rows[0] == {"status": "needs_operator", "failure_code": code},
    )


async def retry(world: World, workflow_id: str) -> None:
    assert await world.processes.signal(workflow_id, "retry", RetryProcess(cause="test"))


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
    process = ids.withdrawal(withdrawal)
    await parked(world, withdrawal, "nonce_drift")
    assert await world.held(account) == 10 * USDC
    assert await world.rows(ALERTS, process) == [{"code": "nonce_drift", "open": True}]
    assert await world.rows("SELECT DISTINCT subject FROM platform.alerts WHERE code = 'nonce_drift'") == [
        {"subject": process}
    ]
    await retry(world, process)
    again = [{"code": "nonce_drift", "open": False}, {"code": "nonce_drift", "open": True}]
    await world.until(lambda: world.rows(ALERTS, process), lambda rows: rows == again)
    await parked(world, withdrawal, "nonce_drift")
    await world.rows("UPDATE exchange.wallets SET next_nonce = 2 WHERE address = %s", world.wallets.hot)
    await retry(world, process)
    async with world.mining():
        await world.withdrawal_status(withdrawal, "settled")
    assert not any(alert["open"] for alert in await world.rows(ALERTS, process))
    await world.check_books()


async def test_a_parked_deposit_looks_again_when_it_is_told_to(world: World) -> None:
    """It has heard of its block already and would wait for news that no longer come."""
    account = await world.account()
    tx_hash = await world.mint(await world.address(account), 5 * USDC, mine=False)
    process = ids.deposit(CHAIN_ID, tx_hash, 0)
    lines = move(MICROS, USDC, custody(CHAIN_ID, "deposits"), available(await world.account()))
    async with world.parts.books.begin() as book:
        await book.book(Transfer(key=process, kind="test", postings=lines))
    await world.mine(40)
    deposit = await world.until(lambda: world.deposit(tx_hash), lambda row: row["id"])
    await parked(world, deposit["id"], "ledger_mismatch")
    assert await world.rows(ALERTS, process) == [{"code": "ledger_mismatch", "open": True}]
    async with await psycopg.AsyncConnection.connect(world.dsn) as connection:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("UPDATE platform.transfers SET key = 'elsewhere' WHERE key = %s", [process])
    await retry(world, process)
    await world.deposit_status(tx_hash, "credited")
    assert await world.rows(ALERTS, process) == [{"code": "ledger_mismatch", "open": False}]
    await world.check_books()


async def test_undecodable_input_fails_at_once_instead_of_hanging(world: World) -> None:
    handle = await world.client.start_workflow("Deposit", {"nonsense": 1}, id="bad-input", task_queue="exchange")
    with pytest.raises(WorkflowFailureError) as ended:
        await handle.result()
    assert "subject_id" in str(ended.value.cause)
