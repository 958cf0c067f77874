"""Golden histories of looking after Solana: all is well, and the wallet runs low."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from domain.shared.processes import LAUNCHPAD
from tests.workflows.record_upkeep import launchpad_world
from tests.world import World

PATHS = {"all_is_well": 0, "wallet_is_low": 10**15}
"""What the platform's wallet should hold."""


async def looks(world: World) -> dict[str, str]:
    played = {}
    for path, wanted in PATHS.items():
        world.settings = world.settings.model_copy(update={"solana_float_lamports": wanted})
        async with launchpad_world(world):
            name = f"SolanaUpkeep/{path}"
            played[name] = f"golden:{name}"
            handle = await world.client.start_workflow(
                "SolanaUpkeep", id=played[name], task_queue=LAUNCHPAD, static_summary=path
            )
            await asyncio.wait_for(handle.result(), 90)
    return played


async def main() -> None:
    """Only these: `python -m tests.workflows.record_landings`."""
    from localnet.running import running_postgres
    from storage.migrate import upgrade
    from tests.workflows.record_histories import _record as record

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        async with running_postgres(Path(name) / "postgres") as postgres:
            upgrade(postgres.dsn)
            async with World.open(postgres.dsn, Path(name) / "world") as world:
                await record(world, await looks(world))


if __name__ == "__main__":
    asyncio.run(main())
