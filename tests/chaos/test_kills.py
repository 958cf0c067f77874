"""SIGKILL each process once in the middle of a deposit and of a withdrawal: one effect each time, books equal chain.

`make test` kills each process at one step per flow, chosen by a printed seed; `make soak` runs the whole matrix.
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.chaos.live_stack import PROCESSES, LiveStack, live_stack

SEED = int(os.environ["CHAOS_SEED"])
DEPOSIT_STEPS = ("sent", "seen", "confirming", "due")
WITHDRAWAL_STEPS = ("requested", "approved", "signed", "broadcast", "confirming")
LATER = {
    "requested": ("requested", "approved", "signed", "broadcast", "confirming", "settled"),
    "approved": ("approved", "signed", "broadcast", "confirming", "settled"),
    "signed": ("signed", "broadcast", "confirming", "settled"),
    "broadcast": ("broadcast", "confirming", "settled"),
    "confirming": ("confirming", "settled"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveStack]:
    directory: Path = tmp_path_factory.mktemp("chaos") / "data"
    async with live_stack(directory) as running:
        yield running


def once_per_process(flow: str, steps: tuple[str, ...]) -> list[object]:
    """Each process at one step of the flow for `make test`; every other pair is marked soak."""
    draw = random.Random(f"{SEED}:{flow}")
    chosen = {process: draw.choice(steps) for process in PROCESSES}
    return [
        pytest.param(process, step, marks=() if chosen[process] == step else pytest.mark.soak)
        for process in PROCESSES
        for step in steps
    ]


@pytest.mark.parametrize(("process", "step"), once_per_process("deposit", DEPOSIT_STEPS))
async def test_deposit_survives_the_kill(stack: LiveStack, process: str, step: str) -> None:
    print(f"CHAOS_SEED={SEED} kill {process} at {step}")
    account, address = await stack.account()
    tx_hash = await stack.mint(address, "25.5")
    if step != "sent":
        statuses = {"seen": ("seen", "confirming", "credited"), "confirming": ("confirming", "credited")}
        wanted = statuses.get(step, ("confirming", "credited"))

        def reached(found: dict[str, dict[str, object]]) -> bool:
            row = found.get(tx_hash)
            if row is None or row["status"] not in wanted:
                return False
            return step != "due" or int(str(row["confirmations"])) >= 11 or row["status"] == "credited"

        await stack.until(lambda: stack.deposits(account), reached, f"deposit at {step}")
    stack.kill(process)
    await _credited(stack, account, tx_hash, "25.5")
    await stack.check()


async def _credited(stack: LiveStack, account: str, tx_hash: str, amount: str) -> None:
    async def look() -> dict[str, dict[str, object]]:
        await stack.resend_lost()
        return await stack.deposits(account)

    def done(found: dict[str, dict[str, object]]) -> bool:
        return tx_hash in found and found[tx_hash]["status"] == "credited" and found[tx_hash]["reason"] is None

    await stack.until(look, done, "credited")
    assert await stack.available(account) == amount


@pytest.mark.parametrize(("process", "step"), once_per_process("withdrawal", WITHDRAWAL_STEPS))
async def test_withdrawal_survives_the_kill(stack: LiveStack, process: str, step: str) -> None:
    print(f"CHAOS_SEED={SEED} kill {process} at {step}")
    account, address = await stack.account()
    await _credited(stack, account, await stack.mint(address, "60"), "60")
    to = "0x" + secrets.token_hex(20)
    withdrawal = await stack.withdraw(account, to, "20")
    await stack.until(
        lambda: stack.withdrawal(withdrawal), lambda row: row["status"] in LATER[step], f"withdrawal at {step}"
    )
    stack.kill(process)

    async def look() -> dict[str, object]:
        await stack.resend_lost()
        return await stack.withdrawal(withdrawal)

    row = await stack.until(look, lambda row: row["status"] == "settled", "settled")
    await stack.until(lambda: stack.chain_balance(to), lambda micros: micros == "20", "on the chain, once")
    assert row["failure_code"] is None
    assert await stack.available(account) == "40"
    await stack.check()
