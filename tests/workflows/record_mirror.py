"""Golden histories of copying to Arweave: a round with nothing to do, and one with a file that is refused first."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from solders.keypair import Keypair

from domain.shared.processes import LAUNCHPAD
from localnet.upstreams import Upstreams
from tests.workflows.record_upkeep import launchpad_world
from tests.workflows.test_mirror_kills import live_launch
from tests.world import World


async def copies(world: World) -> dict[str, str]:
    played = {}
    async with Upstreams() as web:
        given = {"arweave_bundler_url": web.url, "arweave_gateway_url": web.url, "arweave_keypair": str(Keypair())}
        world.settings = type(world.settings).model_validate(world.settings.model_dump() | given)
        async with launchpad_world(world) as opened:
            for path in ("nothing_waits", "bundler_away_at_first"):
                name = f"ArweaveMirror/{path}"
                played[name] = f"golden:{name}"
                if path == "bundler_away_at_first":
                    await live_launch(opened.pool)
                    web.fail("arweave", "http_500", match="tx")
                handle = await world.client.start_workflow(
                    "ArweaveMirror", id=played[name], task_queue=LAUNCHPAD, static_summary=path
                )
                await asyncio.wait_for(handle.result(), 90)
    return played


async def main() -> None:
    """Only these: `python -m tests.workflows.record_mirror`."""
    from localnet.running import running_postgres
    from storage.migrate import upgrade
    from tests.workflows.record_histories import _record as record

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        async with running_postgres(Path(name) / "postgres") as postgres:
            upgrade(postgres.dsn)
            async with World.open(postgres.dsn, Path(name) / "world") as world:
                await record(world, await copies(world))


if __name__ == "__main__":
    asyncio.run(main())
