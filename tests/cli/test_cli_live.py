"""Commands against a world of real parts: a chain, Temporal, workers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest_asyncio

from domain.shared import ids
from gateways.webhooks import new_secret
from storage.database import transaction
from storage.intents.webhooks import add_webhook
from tests.cli.conftest import Holdfast, world_environment
from tests.world import CHAIN_ID, USDC, World


@pytest_asyncio.fixture(loop_scope="session")
async def world(new_database: Callable[[], Awaitable[str]], tmp_path: Path) -> AsyncIterator[World]:
    async with World.open(await new_database(), tmp_path, replace_after_s=5) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def hostile_world(new_database: Callable[[], Awaitable[str]], tmp_path: Path) -> AsyncIterator[World]:
    async with World.open(await new_database(), tmp_path, hostile=True) as opened:
        yield opened


async def cursor(world: World) -> int:
    row = await world.row("SELECT next_block FROM exchange.chain_cursors WHERE chain_id = %s", CHAIN_ID)
    return int(row["next_block"])


async def audited(world: World, action: str) -> int:
    return len(await world.rows("SELECT 1 FROM platform.audit_log WHERE action = %s", action))


async def test_chain_status_rescan_and_backfill(holdfast: Holdfast, world: World) -> None:
    """Reading again credits nothing twice; a dry run moves nothing."""
    env = world_environment(world)
    account = await world.funded(20 * USDC)
    shown = (await holdfast("chain", "status", "--json", env=env)).json
    assert shown["node"] == "ok"
    assert shown["halted_reason"] is None
    assert shown["scanner"] == "running"
    before = await cursor(world)
    dry = await holdfast("chain", "rescan", "--from-block", "1", "--json", env=env)
    assert dry.code == 0
    assert dry.json["dry_run"]
    assert await cursor(world) == before
    done = await holdfast("chain", "rescan", "--from-block", "1", "--yes", "--json", env=env)
    assert done.code == 0
    assert done.json == {"from_block": 1, "to_block": before - 1}
    await world.until(lambda: cursor(world), lambda block: block >= before)
    assert (await holdfast("chain", "rescan", "--from-block", str(before + 50), "--yes", env=env)).code == 3
    back = await holdfast("backfill", "--hours", "24", "--yes", "--json", env=env)
    assert back.code == 0
    assert back.json["from_block"] <= 1
    await world.until(lambda: cursor(world), lambda block: block >= before)
    assert await world.available(account) == 20 * USDC
    assert await audited(world, "chain_rescan") == 2
    await world.check_books()


async def test_a_terminated_webhook_delivery_is_retried(holdfast: Holdfast, world: World) -> None:
    """It has a row but no operation; its process starts anew under its id."""
    account = await world.account()
    async with transaction(world.parts.pool) as connection:
        await add_webhook(
            connection, account_id=account, url="http://127.0.0.1:9/", topics=["accounts"], secret=new_secret(),
            principal="test",
        )  # fmt: skip
    await world.address(account)
    deliveries = "SELECT id FROM platform.webhook_deliveries WHERE attempts > 0"
    row = (await world.until(lambda: world.rows(deliveries), bool))[0]
    name = ids.webhook_delivery(row["id"])
    assert (await holdfast("workflows", "retry", name, "--yes", env=world_environment(world))).code == 3
    await world.client.get_workflow_handle(name).terminate("an operator")
    done = await holdfast("workflows", "retry", name, "--yes", "--json", env=world_environment(world))
    assert done.json == {"workflow_id": name, "done": "new run"}
    assert await world.processes.state(name) == "running"


async def test_backfill_finds_the_block_of_a_moment(holdfast: Holdfast, world: World) -> None:
    await world.rpc("evm_increaseTime", 7200)
    await world.mine(5)
    first = int(await world.rpc("eth_blockNumber"), 16) - 4
    await world.settled()
    dry = await holdfast("backfill", "--hours", "1", "--json", env=world_environment(world))
    assert f"read blocks {first} to {first + 4} again" in dry.json["would"][0]


async def test_chain_resume_shows_and_clears_the_halt(holdfast: Holdfast, world: World) -> None:
    env = world_environment(world)
    await world.settled()
    await world.rows("UPDATE exchange.chain_cursors SET halted_reason = 'a test says so'")
    await world.mine()

    async def waits() -> str:
        return (await holdfast("chain", "status", "--json", env=env)).json["scanner"]

    await world.until(waits, lambda state: "chain resume" in state)
    listed = (await holdfast("workflows", "failed", "--json", env=env)).json["items"]
    assert ids.chain_scanner(CHAIN_ID) in {item["workflow_id"] for item in listed}
    dry = await holdfast("chain", "resume", env=env)
    assert dry.code == 0
    assert "a test says so" in dry.out
    assert (await world.row("SELECT halted_reason FROM exchange.chain_cursors"))["halted_reason"] is not None
    assert (await holdfast("chain", "resume", "--yes", env=env)).code == 0
    await world.mine(2)
    head = int(await world.rpc("eth_blockNumber"), 16)
    await world.until(lambda: cursor(world), lambda block: block > head)
    assert await audited(world, "chain_resumed") == 1


async def test_chain_resume_refuses_a_fork_until_it_is_accepted(holdfast: Holdfast, world: World) -> None:
    """The chain changed below its own finality: clearing the halt alone would only halt again."""
    env = world_environment(world)
    account = await world.funded(20 * USDC)
    start = await world.rpc("evm_snapshot")
    await world.mine(60)
    await world.settled()
    await world.rpc("evm_revert", start)
    await world.rpc("evm_increaseTime", 5)
    await world.mine(70)

    async def halted() -> str | None:
        reason: str | None = (await world.row("SELECT halted_reason FROM exchange.chain_cursors"))["halted_reason"]
        return reason

    await world.until(halted, bool)
    refused = await holdfast("chain", "resume", "--yes", env=env)
    assert refused.code == 3
    assert "--accept-reorg" in refused.err
    assert await halted()
    accepted = await holdfast("chain", "resume", "--accept-reorg", "--yes", env=env)
    assert accepted.code == 0, accepted.err
    head = int(await world.rpc("eth_blockNumber"), 16)
    await world.until(lambda: cursor(world), lambda block: block > head)
    assert await halted() is None
    assert await world.available(account) == 20 * USDC


async def test_a_terminated_process_is_listed_and_started_again(holdfast: Holdfast, world: World) -> None:
    """Its row decides what is left to do: the deposit is credited, once."""
    env = world_environment(world)
    account = await world.account()
    tx_hash = await world.mint(await world.address(account), 20 * USDC)
    await world.deposit_status(tx_hash, "seen")
    name = ids.deposit(CHAIN_ID, tx_hash, 0)

    async def known() -> bool:
        rows = await world.rows("SELECT dispatched_at FROM platform.operations WHERE workflow_id = %s", name)
        return bool(rows and rows[0]["dispatched_at"])

    await world.mine(11)
    await world.until(known, bool)
    await world.client.get_workflow_handle(name).terminate("a test")

    async def listed() -> dict[str, str]:
        items = (await holdfast("workflows", "failed", "--json", env=env)).json["items"]
        return {item["workflow_id"]: item["temporal"] for item in items}

    assert (await world.until(listed, lambda found: name in found))[name] == "terminated"
    dry = await holdfast("workflows", "retry", name, env=env)
    assert dry.code == 0
    assert "NEW run" in dry.out
    assert name in await listed()
    assert (await holdfast("workflows", "retry", name, "--yes", env=env)).code == 0
    await world.mine(5)
    await world.deposit_status(tx_hash, "credited")
    assert await world.available(account) == 20 * USDC
    await world.until(listed, lambda found: name not in found)
    assert (await holdfast("workflows", "retry", name, "--yes", env=env)).code == 3
    assert (await holdfast("workflows", "retry", "nothing:like-this", env=env)).code == 3
    await world.check_books()


async def test_a_waiting_withdrawal_takes_a_retry(holdfast: Holdfast, world: World) -> None:
    account = await world.funded(20 * USDC)
    await world.rows(
        "INSERT INTO platform.controls (name, enabled, changed_by) VALUES ('exchange.withdrawals', false, 'test')"
    )
    withdrawal = await world.request_withdrawal(account, 5 * USDC)
    await world.withdrawal_status(withdrawal, "approved")
    answer = await holdfast("workflows", "retry", ids.withdrawal(withdrawal), "--yes", env=world_environment(world))
    assert answer.code == 0
    assert "signal `retry`" in answer.out


async def test_withdrawal_resolve_needs_the_chains_evidence(holdfast: Holdfast, hostile_world: World) -> None:
    """A token that moves and logs nothing: only an operator can end it, and only within what the chain allows."""
    world = hostile_world
    env = world_environment(world)
    account = await world.funded(40 * USDC)
    await world.hot_wallet_with(20 * USDC)
    withdrawal = await world.request_withdrawal(account, 10 * USDC)
    await world.withdrawal_status(withdrawal, "broadcast")
    await world.call("HostileToken", world.token, "setMode", 2)
    await world.mine()
    early = await holdfast("withdrawals", "resolve", withdrawal, "--release", "--note", "x", "--yes", env=env)
    assert early.code == 3
    await world.mine(40)
    row = await world.withdrawal_status(withdrawal, "failed")
    stranger = "0x" + "cd" * 32
    resolve = ("withdrawals", "resolve", withdrawal, "--note", "balances prove it")
    assert (await holdfast(*resolve, env=env)).code == 2
    assert (await holdfast(*resolve, "--paid", stranger, "--yes", env=env)).code == 3
    dry = await holdfast(*resolve, "--paid", row["tx_hash"], env=env)
    assert dry.code == 0
    assert "mined in block" in dry.out
    assert "you vouch" in dry.out
    assert await world.held(account) == 10 * USDC
    assert (await holdfast(*resolve, "--paid", row["tx_hash"], "--yes", env=env)).code == 0
    assert (await world.withdrawal(withdrawal))["status"] == "settled"
    assert await world.held(account) == 0
    assert (await holdfast(*resolve, "--release", "--yes", env=env)).code == 3
    await world.check_books()


async def test_doctor_of_a_healthy_world(program: Holdfast, world: World) -> None:
    await world.funded(20 * USDC)
    answer = await program("doctor", "--json", env=world_environment(world))
    found = {check["name"]: check for check in answer.json["checks"]}
    listed = (await program("workflows", "failed", "--json", env=world_environment(world))).json["items"]
    assert [item for item in listed if item["type"] == "TimerProbe"] == []
    bad = {name: check["meaning"] for name, check in found.items() if check["verdict"] == "bad"}
    assert set(bad) <= {"durability", "worker copytrade"}, "this world serves no copytrade"
    assert "durability" in bad
    assert answer.code == 5
    assert {"postgres", "temporal", "search attributes", "worker exchange", "worker evm-signer", "chain", "wallets",
            "scanner", "finality", "disk", "deposit addresses", "timers"} <= set(found)  # fmt: skip
    assert "1 derived again" in found["deposit addresses"]["meaning"]
