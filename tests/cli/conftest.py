"""The command in this process, with an environment of its own; and as a program of its own where that matters."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.world import CHAIN_ID, World

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


@dataclass
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Holdfast = Callable[..., Awaitable[Answer]]


def environment(dsn: str, **more: str) -> dict[str, str]:
    """Settings that parse; nothing but the database need answer."""
    return {
        "HOLDFAST_PROFILE": "local",
        "HOLDFAST_OPERATOR": "tester",
        "DATABASE_URL": dsn,
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
        "ARBITRUM_RPC_URL": "http://127.0.0.1:1",
        "ARBITRUM_CHAIN_ID": str(CHAIN_ID),
        "USDC_CONTRACT_ADDRESS": "0x" + "11" * 20,
        "DEPOSIT_XPUB": "xpub-of-nobody",
        "HOT_WALLET_ADDRESS": "0x" + "22" * 20,
        "GAS_WALLET_ADDRESS": "0x" + "33" * 20,
        **more,
    }


def world_environment(world: World, **more: str) -> dict[str, str]:
    """The environment a worker of this world would have."""
    found = world.settings
    return environment(
        world.dsn,
        TEMPORAL_ADDRESS=found.temporal_address,
        ARBITRUM_RPC_URL=found.arbitrum_rpc_url,
        USDC_CONTRACT_ADDRESS=found.usdc_contract_address,
        DEPOSIT_XPUB=found.deposit_xpub,
        HOT_WALLET_ADDRESS=found.hot_wallet_address,
        GAS_WALLET_ADDRESS=found.gas_wallet_address,
        SCANNER_START_BLOCK="0",
        **more,
    )


@pytest.fixture
def holdfast() -> Holdfast:
    """Run `holdfast …` with exactly this environment, in a thread: commands make their own event loop."""

    async def run(*arguments: str, env: Mapping[str, str]) -> Answer:
        cleared = dict.fromkeys((name for name in os.environ if name.isupper() and name not in ("PATH", "HOME")), None)
        result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments), env={**cleared, **env})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def program(tmp_path: Path) -> Holdfast:
    """Run it as a process of its own, in an empty directory."""

    async def run(*arguments: str, env: Mapping[str, str] | None = None) -> Answer:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "cli.main", *arguments),
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **(env or {})},
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return Answer(process.returncode, out.decode(), err.decode())

    return run
