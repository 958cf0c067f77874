"""Deposits and withdrawals in numbers while workers are killed at random: nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.chaos.live_stack import LiveStack, live_stack

SEED = int(os.environ["CHAOS_SEED"])


@pytest_asyncio.fixture(loop_scope="session")
async def stack(tmp_path: Path) -> AsyncIterator[LiveStack]:
    async with live_stack(tmp_path / "data", "WITHDRAWAL_ACCOUNT_DAILY_MICROS=1000000000000") as running:
        yield running


@pytest.mark.parametrize(
    ("deposits", "withdrawals", "kills"),
    [pytest.param(30, 8, 3, id="small"), pytest.param(200, 50, 20, id="full", marks=pytest.mark.soak)],
)
async def test_load_with_random_kills(stack: LiveStack, deposits: int, withdrawals: int, kills: int) -> None:
    print(f"CHAOS_SEED={SEED}")
    draw = random.Random(SEED)
    users = [await stack.account() for _ in range(10)]
    killer = asyncio.create_task(_kill_at_random(stack, draw, kills))
    sent = [(user, await stack.mint(user[1], "30")) for user in (users[i % 10] for i in range(deposits))]
    for (account, _), tx_hash in sent:
        await _credited(stack, account, tx_hash)
    paid = {}
    for number in range(withdrawals):
        to = "0x" + secrets.token_hex(20)
        paid[to] = await stack.withdraw(users[number % 10][0], to, "7")
    for withdrawal in paid.values():
        await stack.until(
            lambda w=withdrawal: _settling(stack, w), lambda row: row["status"] == "settled", "settled", patience=240
        )
    await killer
    for to in paid:
        assert await stack.chain_balance(to) == "7"
    balances = [int(float(await stack.available(account))) for account, _ in users]
    assert sum(balances) == 30 * deposits - 7 * withdrawals
    print(f"killed {stack.kills}")
    await stack.check()


async def _settling(stack: LiveStack, withdrawal: str) -> dict[str, object]:
    return await stack.withdrawal(withdrawal)


async def _credited(stack: LiveStack, account: str, tx_hash: str) -> None:
    await stack.until(
        lambda: stack.deposits(account),
        lambda found: tx_hash in found and found[tx_hash]["status"] == "credited",
        f"deposit {tx_hash}",
        patience=240,
    )


async def _kill_at_random(stack: LiveStack, draw: random.Random, kills: int) -> None:
    """Workers and the signer, one at a time, with a pause in which the rest must go on."""
    while len(stack.kills) < kills:
        await asyncio.sleep(draw.uniform(1.0, 4.0))
        stack.kill(draw.choice(("worker", "worker", "signer", "workers")), draw.randrange(2))
