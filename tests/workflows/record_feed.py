"""Golden histories of ingest: following, the feed, facts, settlement, drift, backfill; on the local venue."""

from __future__ import annotations

import asyncio
from typing import Any

from domain.copytrade.feed_messages import RunFeed
from domain.shared import ids
from domain.shared.processes import COPYTRADE, Start
from storage.database import transaction
from storage.intents.copytrade import open_backfill
from tests.feed_lab import FeedLab, open_feed_lab
from tests.feed_worker import feed_settings, start_worker
from tests.world import World

RAIN = "rain-in-paris"


async def feed(world: World) -> dict[str, str]:
    """{"Workflow/path": workflow id}, as record_histories wants it."""
    async with open_feed_lab(world.dsn) as lab:
        child = await start_worker(feed_settings(world.dsn, world.temporal.address, lab.venue.settings()))
        try:
            return await _played(world, lab)
        finally:
            child.kill()
            await child.wait()


async def _played(world: World, lab: FeedLab) -> dict[str, str]:
    await lab.venue.market(RAIN, category="weather")
    await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "20", price="0.52", ago_s=60)
    followed, unknown = await _followed(world, lab, ""), await _followed(world, lab, "nobody-of-that-name")
    await world.client.start_workflow("CopytradeFeed", RunFeed(), id=ids.COPYTRADE_FEED, task_queue=COPYTRADE)
    await lab.venue.trade("alice", f"{RAIN}:1", "BUY", "20", price="0.4")
    await lab.until(lambda: lab.rows("SELECT 1 FROM copytrade.event_groups"), bool)
    async with transaction(world.parts.pool) as connection:
        wish = await open_backfill(connection, hours=2, user_id=None, principal=lab.operator)
    start = Start(subject_id=wish.subject_id, operation_id=wish.operation_id)
    await _run(world, "CopytradeBackfill", wish.workflow_id, start)
    await _run(world, "MarketFacts", "facts")
    await _run(world, "Drift", "drift")
    await _run(world, "Settlement", "nothing")
    await lab.venue.resolve(RAIN, 0)
    await _run(world, "Settlement", "settled")
    return {
        "FollowLeader/followed": followed,
        "FollowLeader/unknown_profile": unknown,
        "CopytradeFeed/running": ids.COPYTRADE_FEED,
        "CopytradeBackfill/one_leader": wish.workflow_id,
        "MarketFacts/round": "facts",
        "Drift/one_leader": "drift",
        "Settlement/nothing_resolved": "nothing",
        "Settlement/one_market": "settled",
    }


async def _followed(world: World, lab: FeedLab, profile: str) -> str:
    step = await lab.wish("alice", profile=profile)
    start = Start(subject_id=step.user_id, operation_id=step.operation_id)
    await _run(world, "FollowLeader", ids.follow(step.user_id), start)
    return ids.follow(step.user_id)


async def _run(world: World, workflow: str, name: str, *arguments: Any) -> None:
    done = world.client.execute_workflow(workflow, args=list(arguments), id=name, task_queue=COPYTRADE)
    await asyncio.wait_for(done, 60)
