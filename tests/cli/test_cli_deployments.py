"""`holdfast deployments`: a program onto a local Solana, from the command line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest_asyncio

from localnet.running import running_temporal
from tests.cli.conftest import Holdfast
from tests.launch_lab import LaunchLab, launch_lab
from tests.loader_lab import GREETING, says, small_elf
from tests.svm_lab import blockhash, call, send, signed


@pytest_asyncio.fixture(loop_scope="session")
async def lab(new_database: Callable[[], Awaitable[str]], tmp_path: Path) -> AsyncIterator[LaunchLab]:
    async with (
        running_temporal(tmp_path / "temporal") as temporal,
        launch_lab(await new_database(), temporal.address, tmp_path) as opened,
    ):
        yield opened


async def hurry(lab: LaunchLab) -> None:
    """Finality need not be waited for."""
    while True:
        await asyncio.sleep(1)
        await lab.node.control("finalize")


async def test_a_program_is_published_and_shown(holdfast: Holdfast, lab: LaunchLab, tmp_path: Path) -> None:
    env = lab.environment()
    file = tmp_path / "small.so"
    file.write_bytes(small_elf(4))
    asked = ("deployments", "start", "small", "--file", str(file))
    dry = await holdfast(*asked, env=env)
    assert dry.code == 0
    assert "would: publish small" in dry.out
    assert (await holdfast("deployments", "list", "--json", env=env)).json == []
    await lab.start_worker()
    hurrying = asyncio.create_task(hurry(lab))
    done = await holdfast(*asked, "--yes", "--json", env=env)
    hurrying.cancel()
    assert done.code == 0, done.err
    assert (done.json["status"], done.json["written"], done.json["chunks"]) == ("completed", 4, 4)
    ran = await send(lab.url, signed(lab.wallet, [says(done.json["program_id"])], await blockhash(lab.url)))
    await lab.node.control("confirm")
    told = await call(lab.url, "getTransaction", ran, {"commitment": "confirmed", "maxSupportedTransactionVersion": 0})
    assert f"Program log: {GREETING}" in told["meta"]["logMessages"]
    [listed] = (await holdfast("deployments", "list", "--json", env=env)).json
    shown = (await holdfast("deployments", "show", "small", "--json", env=env)).json
    assert shown["id"] == listed["id"] == done.json["id"]
    assert len(shown["transactions"]) == 4 + 2
    assert all(act["status"] in ("landed", "finalized") for act in shown["transactions"])
    assert (await holdfast(*asked, "--yes", env=env)).code == 3  # something stands there
    assert (await holdfast("deployments", "cancel", "small", "--yes", env=env)).code == 3


async def test_what_cannot_be_published_is_said_at_once(holdfast: Holdfast, lab: LaunchLab, tmp_path: Path) -> None:
    env = lab.environment()
    file = tmp_path / "words.so"
    file.write_text("no program")
    assert (await holdfast("deployments", "start", "words", env=env)).code == 2
    assert (await holdfast("deployments", "start", "words", "--file", str(file), "--yes", env=env)).code == 3
    assert (await holdfast("deployments", "show", "words", env=env)).code == 3
    file.write_bytes(small_elf(2))
    away = await holdfast("deployments", "start", "w", "--file", str(file), env=env | {"SOLANA_RPC_URL": ""})
    assert away.code == 4
