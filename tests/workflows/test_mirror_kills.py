"""Copies to Arweave while their worker is killed: each file is there once and is in the books."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from psycopg.types.json import Jsonb
from solders.keypair import Keypair

from domain.launchpad.cids import cid_of
from domain.shared.processes import LAUNCHPAD
from localnet.running import RunningTemporal, running_temporal
from localnet.upstreams import Upstreams
from storage.database import Pool, transaction
from storage.events import new_id
from tests.launch_lab import launch_lab

FILES = [f'{{"name":"file {number}"}}'.encode() for number in range(4)]


@pytest_asyncio.fixture(loop_scope="session")
async def temporal(tmp_path: Path) -> AsyncIterator[RunningTemporal]:
    async with running_temporal(tmp_path / "temporal") as server:
        yield server


async def live_launch(pool: Pool) -> None:
    """A launch whose files the pinning node keeps."""
    account, launch = new_id(), new_id()
    async with transaction(pool) as connection:
        await connection.execute(
            "INSERT INTO platform.accounts (id, name, role) VALUES (%s, 'creator', 'trader')", [account]
        )
        await connection.execute(
            """INSERT INTO launchpad.launches (id, account_id, request, cluster, signing, creator_wallet, status,
                 budget_lamports) VALUES (%s, %s, %s, 'localnet', 'platform', '', 'live', 0)""",
            [launch, account, Jsonb({})],
        )
        for number, content in enumerate(FILES):
            await connection.execute(
                """INSERT INTO launchpad.pins (cid, launch_id, kind, content, pinned_at)
                   VALUES (%s, %s, %s, %s, now())""",
                [cid_of(content), launch, f"file {number}", content],
            )


async def test_a_worker_killed_between_sending_and_noting_sends_nothing_twice(
    database: str, temporal: RunningTemporal, tmp_path: Path
) -> None:
    async with Upstreams() as web:
        more = {
            "arweave_bundler_url": web.url,
            "arweave_gateway_url": web.url,
            "arweave_keypair": str(Keypair()),
        }
        async with launch_lab(database, temporal.address, tmp_path / "solana", **more) as lab:
            await live_launch(lab.pool)
            web.fail("arweave", "stall", times=None, match="raw")
            await lab.start_worker()
            handle = await lab.processes.client.start_workflow("ArweaveMirror", id="copies", task_queue=LAUNCHPAD)

            async def taken() -> int:
                return len(web.arweave.items.kept)

            await lab.until(taken, lambda items: items == 1)
            await lab.kill()
            web.faults.clear()
            await lab.start_worker()
            await asyncio.wait_for(handle.result(), 120)
            rows = await lab.rows("SELECT cid, arweave_id FROM launchpad.mirrors WHERE seen_at IS NOT NULL")
            assert {row["cid"] for row in rows} == {cid_of(content) for content in FILES}
            assert {row["arweave_id"] for row in rows} == set(web.arweave.items.kept)
