"""The system's own jobs survive their worker: a backup and a webhook delivery with a SIGKILL in the middle."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.chaos.live_stack import LiveStack, live_stack


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveStack]:
    async with live_stack(tmp_path_factory.mktemp("chaos-operations") / "data") as running:
        yield running


async def test_backup_survives_the_kill_of_all_workers(stack: LiveStack) -> None:
    directory = stack.directory
    command = [sys.executable, "-m", "cli.main", "backup", "--yes", "--json", "--data-dir", str(directory)]
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)

    async def running() -> list[dict[str, object]]:
        found = await stack.ask("GET", "/api/operations?kind=backup")
        return list(found["items"])

    await stack.until(running, bool, "backup started")
    stack.kill("workers")
    output, _ = await asyncio.wait_for(child.communicate(), 120)
    assert child.returncode == 0, output
    assert json.loads(output)
    archives = [f for f in _files(directory) if not f.name.startswith(".")]
    assert len(archives) == 1, archives


def _files(directory: Path) -> list[Path]:
    return list(directory.with_name(f"{directory.name}-backups").iterdir())


async def test_webhook_is_delivered_although_workers_die_and_the_receiver_refuses(stack: LiveStack) -> None:
    sink = stack.endpoints()["upstreams"]["webhook_sink_url"]
    await stack.ask("POST", "/api/webhooks", {"url": f"{sink}/hook", "topics": ["deposits"]})
    async with httpx.AsyncClient(base_url=sink) as client:
        await client.post("/faults", json={"status": 500, "times": 2})
        account, address = await stack.account()
        tx_hash = await stack.mint(address, "3")
        await stack.until(lambda: stack.deposits(account), bool, "seen")
        stack.kill("workers")
        await stack.until(
            lambda: stack.deposits(account), lambda rows: rows[tx_hash]["status"] == "credited", "credited"
        )

        async def credited_events() -> list[dict[str, object]]:
            deliveries = (await client.get("/deliveries")).json()
            found = deliveries["items"] if isinstance(deliveries, dict) else deliveries
            return [d for d in found if "deposit_credited" in json.dumps(d)]

        await stack.until(credited_events, bool, "delivered")
