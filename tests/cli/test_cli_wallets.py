"""Nonces of our wallets from the command line: seen, and a drift ended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest_asyncio

from tests.cli.conftest import Holdfast, world_environment
from tests.world import USDC, World, fresh_address


@pytest_asyncio.fixture(loop_scope="session")
async def world(new_database: Callable[[], Awaitable[str]], tmp_path: Path) -> AsyncIterator[World]:
    async with World.open(await new_database(), tmp_path) as opened:
        yield opened


async def _listed(holdfast: Holdfast, env: dict[str, str]) -> dict[str, dict[str, Any]]:
    answer = await holdfast("chain", "wallets", "--json", env=env)
    assert answer.code == 0, answer.err
    return {row["wallet"]: row for row in answer.json["items"]}


async def test_wallets_are_listed_with_what_they_hold(holdfast: Holdfast, world: World) -> None:
    cold = fresh_address()
    await world.mint(world.wallets.hot, 7 * USDC)
    await world.mint(cold, 9 * USDC)
    rows = await _listed(holdfast, world_environment(world, COLD_WALLET_ADDRESS=cold))
    assert {name: (row["eth"], row["usdc"], row["next_nonce"], row["state"]) for name, row in rows.items()} == {
        "hot": ("1", "7", None, "ok"),
        "gas": ("1", "0", None, "ok"),
        "cold": ("0", "9", None, "signs elsewhere"),
    }
    table = await holdfast("chain", "wallets", env=world_environment(world))
    assert world.wallets.gas in table.out


async def test_a_drift_is_shown_and_ended_and_the_withdrawal_goes_on(holdfast: Holdfast, world: World) -> None:
    env, hot = world_environment(world), world.wallets.hot
    account = await world.funded(50 * USDC)
    await world.hot_wallet_with(40 * USDC)
    first = await world.request_withdrawal(account, 5 * USDC)
    async with world.mining():
        await world.withdrawal_status(first, "settled")
    assert (await holdfast("chain", "resume-wallet", hot, "--yes", env=env)).code == 3, "nothing to resume"

    await world.use_nonce_elsewhere(world.wallets.hot_key, 1)
    await world.mine()
    second = await world.request_withdrawal(account, 5 * USDC)
    alerts = "SELECT subject FROM platform.alerts WHERE code = 'nonce_drift' AND resolved_at IS NULL"
    waits = "SELECT failure_code FROM platform.operations WHERE subject_id = %s AND status = 'needs_operator'"
    await world.until(lambda: world.rows(waits, second), lambda found: found == [{"failure_code": "nonce_drift"}])
    seen = (await _listed(holdfast, env))["hot"]
    assert (seen["next_nonce"], seen["chain_nonce"], seen["state"]) == (1, 2, "drift: nonce 1 not ours")
    early = await holdfast("chain", "resume-wallet", hot, "--yes", env=env)
    assert early.code == 3
    assert "not finalized" in early.err

    await world.mine(40)
    dry = await holdfast("chain", "resume-wallet", hot.upper().replace("0X", "0x"), env=env)
    assert dry.code == 0
    assert "would: go on with nonce 2" in dry.out
    assert f"withdrawal:{second}" in dry.out
    assert await world.rows(alerts) != []
    done = await holdfast("chain", "resume-wallet", hot, "--yes", "--json", env=env)
    assert done.json == {"address": hot, "next_nonce": 2, "retried": [f"withdrawal:{second}"]}
    await world.until(lambda: world.rows(alerts), lambda found: found == [])
    async with world.mining():
        await world.withdrawal_status(second, "settled")
    entry = await world.row("SELECT principal, subject, detail FROM platform.audit_log WHERE action = 'wallet_resumed'")
    assert (entry["principal"], entry["subject"]) == ("cli:tester", f"wallet:{hot}")
    assert (entry["detail"]["nonce_before"], entry["detail"]["nonce_after"]) == (1, 2)
    await world.check_books()


async def test_a_halted_wallet_goes_on_and_a_stranger_is_refused(holdfast: Holdfast, world: World) -> None:
    env, hot = world_environment(world), world.wallets.hot
    assert (await holdfast("chain", "resume-wallet", fresh_address(), "--yes", env=env)).code == 3
    never = await holdfast("chain", "resume-wallet", hot, "--yes", env=env)
    assert "never signed" in never.err
    await world.rows(
        """INSERT INTO exchange.wallets (chain_id, address, next_nonce, halted_reason)
           VALUES (421614, %s, 0, 'Ada looks into it')""",
        hot,
    )
    assert (await _listed(holdfast, env))["hot"]["state"] == "halted: Ada looks into it"
    assert (await holdfast("chain", "resume-wallet", hot, "--yes", env=env)).code == 0
    assert await world.row("SELECT next_nonce, halted_reason FROM exchange.wallets") == {
        "next_nonce": 0,
        "halted_reason": None,
    }
