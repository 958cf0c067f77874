"""`backup` has a worker write an archive; `restore` brings it back into another database. And whose settings apply."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest_asyncio

from localnet.pg_binaries import locate
from localnet.running import RunningTemporal, running_temporal
from tests.cli.conftest import Holdfast, environment
from tests.ops_lab import KEY, Lab, make_vault, open_lab, working

USDC = 10**6


@pytest_asyncio.fixture(loop_scope="session")
async def temporal(tmp_path: Path) -> AsyncIterator[RunningTemporal]:
    async with running_temporal(tmp_path / "temporal") as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[Lab]:
    async with open_lab(database) as opened:
        await opened.fund(await opened.account(), 3 * USDC)
        yield opened


async def test_backup_and_restore(
    holdfast: Holdfast,
    lab: Lab,
    temporal: RunningTemporal,
    tmp_path: Path,
    postgres: object,
    new_database: Callable[[], Awaitable[str]],
) -> None:
    folder = tmp_path / "vault"
    env = environment(
        lab.dsn,
        TEMPORAL_ADDRESS=temporal.address,
        BACKUP_DIR=str(folder),
        BACKUP_KEY=KEY,
        PG_BIN_DIR=str(locate().bin),
    )
    dry = await holdfast("backup", "--json", env=env)
    assert dry.json["dry_run"]
    assert not folder.exists()
    assert (await holdfast("backup", env={**env, "BACKUP_DIR": ""})).code == 2
    vault = make_vault(lab.dsn, folder, temporal_db_file=str(temporal.db_file), data_dirs=(tmp_path / "temporal",))
    async with working(lab, temporal, vault):
        done = await holdfast("backup", "--yes", "--json", env=env)
    assert done.code == 0, done.err
    assert done.json["status"] == "completed"
    assert len(vault.names()) == 1
    target = await new_database()  # migrated: not empty
    refused = await holdfast("restore", "newest", "--target-dsn", target, "--yes", env=env)
    assert refused.code == 3
    assert "not empty" in refused.err
    restore = ("restore", "newest", "--target-dsn", target, "--force")
    plan = await holdfast(*restore, env=env)
    assert plan.code == 0
    assert "would: REPLACE" in plan.out
    assert "1 transfers" in plan.out
    assert (await holdfast("ledger", "account", "custody:1:deposits", env={"DATABASE_URL": target})).code == 3
    assert (await holdfast(*restore, "--yes", env=env)).code == 0
    shown = await holdfast("ledger", "account", "custody:1:deposits", "--json", env={"DATABASE_URL": target})
    assert shown.json["balances"][0]["balance"] == "-3"
    assert (await holdfast("ledger", "check", env={"DATABASE_URL": target})).code == 0
    wrong = await holdfast("restore", str(folder / "none.backup"), "--target-dsn", target, env=env)
    assert wrong.code == 5
    assert "backup_failed" in wrong.err


async def test_the_settings_of_a_running_stack_are_found(holdfast: Holdfast, database: str, tmp_path: Path) -> None:
    """`--data-dir` wins over the environment; without one, the environment wins over .holdfast."""
    stack = tmp_path / "stack"
    stack.mkdir()
    endpoints = {
        "api_url": "http://127.0.0.1:1",
        "postgres_dsn": database,
        "temporal_address": "127.0.0.1:1",
        "temporal_ui_url": "http://127.0.0.1:1",
        "temporal_namespace": "default",
        "evm": {"rpc_url": "http://127.0.0.1:1", "ws_url": "", "chain_id": 421614, "usdc_address": "0x" + "11" * 20},
    }
    (stack / "endpoints.json").write_text(json.dumps(endpoints))
    own = {f"{name}_address": "0x" + "22" * 20 for name in ("hot_wallet", "gas_wallet", "cold_wallet")}
    (stack / "secrets.json").write_text(json.dumps({**own, "deposit_xpub": "none", "backup_key": KEY}))
    env = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    assert (await holdfast("ledger", "check", env=env)).code == 4
    assert (await holdfast("ledger", "check", "--data-dir", str(stack), env=env)).code == 0
    answer = await holdfast("doctor", "--json", "--data-dir", str(stack), env=env)
    found = {check["name"]: check["verdict"] for check in answer.json["checks"]}
    assert found["settings"] == "ok"
    assert found["postgres"] == "ok"
    assert found["temporal"] == "bad"
