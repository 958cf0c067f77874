"""The watcher's batch: many deposits in one transaction, one bad one alone, and every process told in the end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from temporalio.client import WorkflowExecutionStatus

import worker as worker_root
from activities.exchange.crediting import credit_plain
from activities.exchange.deposits import DepositActivities
from domain.exchange.messages import DepositNews, VerifiedDeposit
from domain.shared import ids
from domain.shared.ledger import Transfer, available, custody, move
from localnet.evm_faults import Result
from localnet.evm_proxy import EvmProxy
from tests.patience import PATIENCE_S
from tests.world import CHAIN_ID, USDC, World

MANY = 12


async def _block_of_deposits(world: World, count: int = MANY) -> tuple[list[str], list[str]]:
    """Accounts, and the hashes of their transfers, all in one block."""
    accounts = [await world.account() for _ in range(count)]
    hashes = [await world.mint(await world.address(a), (n + 1) * USDC, mine=False) for n, a in enumerate(accounts)]
    await world.mine()
    return accounts, hashes


async def _dispatched(world: World, tx_hash: str) -> dict[str, Any]:
    """The deposit, once its process runs."""
    await world.until(
        lambda: world.rows(
            """SELECT 1 FROM exchange.deposits d JOIN platform.operations o ON o.id = d.operation_id
               WHERE d.tx_hash = %s AND o.dispatched_at IS NOT NULL AND d.status = 'confirming'""",
            tx_hash,
        ),
        bool,
    )
    return await world.deposit(tx_hash)


async def _status(world: World, tx_hash: str) -> WorkflowExecutionStatus | None:
    handle = world.client.get_workflow_handle(ids.deposit(CHAIN_ID, tx_hash, 0))
    return (await handle.describe()).status


async def _told(world: World, tx_hash: str) -> None:
    """The process knows and has ended; nobody is left to tell."""
    await world.until(lambda: world.deposit(tx_hash), lambda row: row["told_at"] is not None)
    handle = world.client.get_workflow_handle(ids.deposit(CHAIN_ID, tx_hash, 0))
    await asyncio.wait_for(handle.result(), PATIENCE_S)


def _verified(row: dict[str, Any]) -> VerifiedDeposit:
    return VerifiedDeposit(deposit_id=row["id"], block_hash=row["block_hash"])


async def test_deposits_of_a_block_are_credited_in_one_transaction_and_their_processes_end(world: World) -> None:
    accounts, hashes = await _block_of_deposits(world)
    for tx_hash in hashes:
        await world.deposit_status(tx_hash, "seen")
    await world.mine(11)
    for tx_hash in hashes:
        await _dispatched(world, tx_hash)
    await world.mine()
    for tx_hash in hashes:
        await _told(world, tx_hash)
    found = await world.row(
        "SELECT count(*) AS n, count(DISTINCT xact) AS x FROM platform.outbox WHERE type = 'deposit_credited'"
    )
    assert found == {"n": MANY, "x": 1}
    assert [await world.available(a) for a in accounts] == [(n + 1) * USDC for n in range(MANY)]
    operations = await world.rows("SELECT DISTINCT status, summary LIKE 'Credited %%' AS ok FROM platform.operations")
    assert operations == [{"status": "completed", "ok": True}]
    steps = await world.rows(
        """SELECT name, status, attempts, finished_at IS NOT NULL AS ended, count(*) AS n
           FROM platform.operation_steps GROUP BY 1, 2, 3, 4 ORDER BY name"""
    )
    assert steps == [
        {"name": name, "status": "done", "attempts": 1, "ended": True, "n": MANY}
        for name in ("confirm", "credit", "seen")
    ]
    await world.check_books()


async def test_deposit_that_cannot_be_booked_waits_for_an_operator_and_delays_no_other(world: World) -> None:
    """Its key is taken by another booking: a defect that no process may cover up."""
    accounts, hashes = await _block_of_deposits(world)
    await world.deposit_status(hashes[0], "seen")
    lines = move("USDC", 77, custody(CHAIN_ID, "deposits"), available(accounts[5]))
    async with world.parts.books.begin() as book:
        await book.book(Transfer(key=ids.deposit(CHAIN_ID, hashes[5], 0), kind="deposit", postings=lines))
    await world.mine(11)
    for tx_hash in hashes:
        await _dispatched(world, tx_hash)
    await world.mine()
    for tx_hash in [*hashes[:5], *hashes[6:]]:
        await _told(world, tx_hash)
    parked = await world.until(
        lambda: world.row(
            """SELECT o.status, o.failure_code FROM platform.operations o
               JOIN exchange.deposits d ON d.operation_id = o.id WHERE d.tx_hash = %s""",
            hashes[5],
        ),
        lambda row: row["status"] == "needs_operator",
    )
    assert parked["failure_code"] == "ledger_mismatch"
    assert (await world.deposit(hashes[5]))["status"] == "confirming"
    assert await world.available(accounts[5]) == 77
    credits = await world.row(
        "SELECT count(*) AS n, count(DISTINCT xact) AS x FROM platform.outbox WHERE type = 'deposit_credited'"
    )
    assert credits["n"] == MANY - 1
    assert credits["x"] <= 5  # halves of the batch, not one by one
    # it is handed out again every few seconds and is no part of a batch any more
    head = await world.parts.chain.head()
    assert [d.plain for d in await world.deposit_store().due(head, 0)] == [False]
    await world.check_books()


async def test_deposit_whose_receipt_cannot_be_read_is_left_to_its_process(idle_world: World) -> None:
    world = idle_world
    async with world.workers():
        accounts, hashes = await _block_of_deposits(world, 3)
        await world.mine(3)
        for tx_hash in hashes:
            await _dispatched(world, tx_hash)
    await world.mine(9)
    async with EvmProxy(world.evm.rpc_url) as proxy, world.behind(proxy.url):
        proxy.fail("eth_getTransactionReceipt", Result({"odd": 1}), times=None, match=lambda p: p[0] == hashes[1])
        store, chain = world.deposit_store(), world.parts.chain
        due = await store.due(await chain.head(), 5)
        credited = await credit_plain(chain, store, due)
    by_hash = {d.tx_hash: d.id for d in due}
    assert credited == {by_hash[hashes[0]], by_hash[hashes[2]]}
    async with world.workers():  # handed out again after five seconds
        for tx_hash in hashes:
            await _told(world, tx_hash)
    assert [await world.available(a) for a in accounts] == [1 * USDC, 2 * USDC, 3 * USDC]
    await world.check_books()


async def test_reorganisation_between_due_and_the_look_at_the_chain_credits_nothing(idle_world: World) -> None:
    world = idle_world
    async with world.workers():
        [account], [tx_hash] = await _block_of_deposits(world, 1)
        await world.mine(3)
        before = await _dispatched(world, tx_hash)
    await world.mine(9)
    store, chain = world.deposit_store(), world.parts.chain
    due = await store.due(await chain.head(), 5)
    assert [d.plain for d in due] == [True]
    raw = await world.rpc("eth_getRawTransactionByHash", tx_hash)
    await world.rpc("anvil_reorg", 13, [[raw, 1]])
    assert await credit_plain(chain, store, due) == set()
    assert (await world.deposit(tx_hash))["status"] == "confirming"
    async with world.workers():
        await world.mine(13)
        row = await world.deposit_status(tx_hash, "credited")
        await _told(world, tx_hash)
    assert row["block_hash"] != before["block_hash"]
    assert await world.available(account) == 1 * USDC
    await world.check_books()


async def test_reorganisation_between_the_look_at_the_chain_and_the_credit_credits_nothing(idle_world: World) -> None:
    """The rows are looked at again under lock: one moved to another block, one orphaned."""
    world = idle_world
    async with world.workers():
        accounts, hashes = await _block_of_deposits(world, 3)
        await world.mine(3)
        rows = [await _dispatched(world, tx_hash) for tx_hash in hashes]
        raw = await world.rpc("eth_getRawTransactionByHash", hashes[0])
        await world.rpc("anvil_reorg", 4, [[raw, 2]])
        await world.until(
            lambda: world.deposit(hashes[0]), lambda row: row["block_hash"] not in ("", rows[0]["block_hash"])
        )
        await world.deposit_status(hashes[1], "orphaned")
    assert await world.deposit_store().credit_plain([_verified(row) for row in rows]) == []
    assert [await world.available(a) for a in accounts] == [0, 0, 0]
    await world.check_books()


async def test_row_that_somebody_works_on_is_left_out_without_waiting(idle_world: World) -> None:
    world = idle_world
    async with world.workers():
        _, hashes = await _block_of_deposits(world, 2)
        await world.mine(2)
        rows = [await _dispatched(world, tx_hash) for tx_hash in hashes]
    store = world.deposit_store()
    async with world.parts.books.begin() as book:
        await book.connection.execute("SELECT 1 FROM exchange.deposits WHERE id = %s FOR UPDATE", [rows[0]["id"]])
        async with asyncio.timeout(PATIENCE_S):
            assert await store.credit_plain([_verified(row) for row in rows]) == [rows[1]["id"]]
    assert await store.credit_plain([_verified(row) for row in rows]) == [rows[0]["id"]]
    assert await store.credit_plain([_verified(row) for row in rows]) == []
    await world.check_books()


async def test_credited_deposit_whose_signal_was_lost_is_told_again(idle_world: World) -> None:
    world = idle_world
    async with world.workers():
        [account], [tx_hash] = await _block_of_deposits(world, 1)
        await world.mine(2)
        row = await _dispatched(world, tx_hash)
    store = world.deposit_store()

    async def lost(_workflow_id: str, _name: str, _news: DepositNews) -> bool:
        return True

    async def nobody(_operation_ids: list[str]) -> None:
        return None

    assert await store.credit_plain([_verified(row)]) == [row["id"]]
    watcher = DepositActivities(world.parts.chain, store, lost, nobody)
    assert [await watcher.tell_credited(), await watcher.tell_credited()] == [1, 0]
    assert await _status(world, tx_hash) == WorkflowExecutionStatus.RUNNING
    await world.rows("UPDATE exchange.deposits SET signalled_at = signalled_at - interval '2 minutes'")
    async with world.workers():
        await _told(world, tx_hash)
    assert await world.available(account) == 1 * USDC


async def test_deposit_credited_before_its_process_is_started_is_told_once_it_is(idle_world: World) -> None:
    """After an outage the watcher may be ahead of the dispatcher."""
    world = idle_world
    accounts, hashes = await _block_of_deposits(world, 3)
    await world.mine(13)
    async with world.workers("exchange"):
        for tx_hash in hashes:
            assert (await world.deposit_status(tx_hash, "credited"))["told_at"] is None
        await asyncio.sleep(1.5)
        assert await world.rows("SELECT 1 FROM exchange.deposits WHERE told_at IS NOT NULL") == []
        async with world.workers("operations"):
            for tx_hash in hashes:
                await _told(world, tx_hash)
    assert [await world.available(a) for a in accounts] == [1 * USDC, 2 * USDC, 3 * USDC]


async def test_worker_killed_between_the_credit_and_the_signal_tells_it_after_its_restart(idle_world: World) -> None:
    """Temporal is down when the block comes, so the credit is committed and nobody can be told; then SIGKILL."""
    world = idle_world
    async with _worker_process(world) as child:
        [account], [tx_hash] = await _block_of_deposits(world, 1)
        await world.mine(11)
        await _dispatched(world, tx_hash)
        await world.temporal.kill()
        await world.mine()
        row = await world.deposit_status(tx_hash, "credited")
        child.send_signal(signal.SIGKILL)
        await child.wait()
    assert row["told_at"] is None
    assert (await world.deposit(tx_hash))["told_at"] is None
    await world.temporal.start()
    assert await _status(world, tx_hash) == WorkflowExecutionStatus.RUNNING
    async with world.workers():
        await _told(world, tx_hash)
    assert await world.available(account) == 1 * USDC
    await world.check_books()


@asynccontextmanager
async def _worker_process(world: World) -> AsyncIterator[asyncio.subprocess.Process]:
    """`worker.py` in a process of its own, on this world."""
    settings = world.settings
    values = {name: getattr(settings, name) for name in settings.model_fields_set}
    environment = {
        name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
    }
    root = Path(worker_root.__file__)
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(root), cwd=root.parent, env={**os.environ, **environment}, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
