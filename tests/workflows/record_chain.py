"""The scenario of the chain trigger for record_histories.py: two short turns of listening to a local Polygon."""

from __future__ import annotations

import tempfile
from pathlib import Path

from domain.copytrade.chain_messages import FollowPolygon
from domain.shared import ids
from domain.shared.processes import COPYTRADE
from localnet.polymarket.chain_node import CHAIN_ID
from tests.polygon_lab import polygon_lab, trigger_worker
from tests.world import World


async def chain(world: World) -> dict[str, str]:
    """A leader's fill is told in the first turn; the second one has begun."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        async with polygon_lab(world.dsn, Path(directory)) as lab:
            leader = await lab.follow()
            async with trigger_worker(world.client, lab.activities(turn_s=3), world.parts.jobs):
                workflow_id = ids.chain_trigger(CHAIN_ID)
                follow = FollowPolygon(chain_id=CHAIN_ID)
                await world.client.start_workflow("ChainTrigger", follow, id=workflow_id, task_queue=COPYTRADE)
                await lab.until(lambda: lab.rows("SELECT 1 FROM copytrade.checkpoints"))
                await lab.trade(leader)
                await lab.until_seen(1)

                async def second_turn() -> bool:
                    return len(lab.sockets) == 2

                await lab.until(second_turn)
    return {"ChainTrigger/running": workflow_id}
