"""`holdfast demo`: the scenario on a stack of its own while processes are killed; and what it says when it fails."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import pytest

from cli.demo.board import Board
from cli.demo.world import Ended
from domain.shared.errors import Broken
from tests.chaos.live_stack import LiveStack, live_stack
from tests.cli.conftest import Holdfast

JOBS = (
    "5 deposits, one of 1,500 USDC",
    "funding round that will miss its soft cap",
    "deposit, reorganised away and back",
    "withdrawal of 1,000 USDC with approval",
    "withdrawal beyond the limits",
    "asset funded by three providers",
    "buys and a sale, each as quoted",
    "position with profit and loss",
    "order beyond its slippage limit",
    "order that moves the price too far",
    "a provider claims fees",
    "principal withdrawn before it vests",
    "oracle signal",
    "asset with a narrow circuit breaker",
    "halt by the shown price, and resume",
    "launch from pictures to a live curve",
    "five levels of uplines buy",
    "hard cap reached",
    "70 % to a pool, 30 % to vesting",
    "launch that fails before its mint",
    "sale below its soft cap, refunded",
    "its deadline is missed",
    "balances, to the micro",
    "ledger, solvency and every other invariant",
)
KILLS = {
    "▸ funding round": ("worker",),
    "▸ buys and a sale": ("workers",),
    "    signal 5 %": ("worker",),
    "    halted: ": ("worker", "api"),
    "    the creator's wallet signed: mint": ("signer",),
    "▸ hard cap reached": ("worker",),
    "▸ sale below": ("workers",),
}
"""Which processes die when the demo says so: both engines' worker between two orders, the API during a halt, the signer
while a mint is to be signed."""
LIMIT_S = 400
"""Alone and unhurt it takes about 75 s; here processes die and other tests run beside it."""


async def demo(stack: LiveStack, kills: dict[str, tuple[str, ...]]) -> tuple[int, str]:
    """Exit code and output; each kill happens once, when a line of the output begins so."""
    command = ("-u", "-m", "cli.main", "demo", "--data-dir", str(stack.directory))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    assert process.stdout is not None
    left, lines = dict(kills), []
    try:
        async for raw in process.stdout:
            lines.append(raw.decode())
            for begin in [begin for begin in left if lines[-1].startswith(begin)]:
                for name in left.pop(begin):
                    stack.kill(name, len(stack.kills))
        return await process.wait(), "".join(lines)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.stack
@pytest.mark.timeout(1_000)
async def test_demo_ends_well_twice_also_while_processes_die(tmp_path: Path) -> None:
    async with live_stack(tmp_path / "data") as stack:
        for kills in ({}, KILLS):
            began = time.monotonic()
            code, out = await demo(stack, kills)
            assert time.monotonic() - began < LIMIT_S
            table = out[out.index("took") : out.index("Where to look")]
            assert [name for name in JOBS if f"✓  {name}  " not in table] == [], out
            assert code == 0, out
            assert "all ended as they should" in out
            links = out[out.index("Where to look") :]
            for says in (
                "is active with 2400 USDC",
                "3 contributions refunded in full",
                "Signal of 5 %",
                "resumed by an",
            ):
                assert says in links, links
        assert stack.kills == [name for names in KILLS.values() for name in names]
        await stack.check()


async def test_demo_without_a_stack_is_unavailable(holdfast: Holdfast, tmp_path: Path) -> None:
    answer = await holdfast("demo", "--data-dir", str(tmp_path), env={})
    assert answer.code == 4
    assert f"holdfast up --data-dir {tmp_path}" in answer.err.replace("\n", "")


@pytest.mark.parametrize(
    "error", [AssertionError("39 instead of 40"), TimeoutError("waited"), Broken("conflict", "no")]
)
async def test_a_job_that_fails_is_told_and_the_next_one_is_played(error: Exception) -> None:
    board = Board()

    async def fails() -> Ended:
        raise error

    async def works() -> Ended:
        return Ended("done")

    await board.play("first", fails)
    await board.play("second", works)
    assert [job.ok for job in board.jobs] == [False, True]
    assert str(error) in board.jobs[0].ended.result
    assert not board.ok
