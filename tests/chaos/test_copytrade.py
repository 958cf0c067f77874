"""SIGKILL of workers, Postgres, the venue and the Polygon node while leaders trade: each group decided once per scope.

`make test` kills each once; `make soak` a hundred times at random, by a printed seed.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.chaos.floor import SETTINGS, Floor
from tests.chaos.live_stack import LiveStack, live_stack

SEED = int(os.environ["CHAOS_SEED"])
KILLS = int(os.environ.get("CHAOS_KILLS", "100"))
VICTIMS = ("worker", "worker", "workers", "postgres", "temporal", "venue", "polygon")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveStack]:
    async with live_stack(tmp_path_factory.mktemp("chaos-copytrade") / "data", *SETTINGS) as running:
        yield running


async def test_copying_survives_the_kill_of_everything_it_needs(stack: LiveStack) -> None:
    draw = random.Random(f"{SEED}:copytrade")
    floor = Floor(stack, draw)
    await floor.prepare(leaders=4)
    async with floor.busy():
        for process in ("workers", "postgres", "venue", "polygon"):
            await asyncio.sleep(draw.uniform(1, 2))
            assert stack.kill(process)
        await asyncio.sleep(2)
    print(f"CHAOS_SEED={SEED} {json.dumps(await floor.check())}")


@pytest.mark.soak
@pytest.mark.timeout(3_600)
async def test_copying_survives_a_hundred_kills(stack: LiveStack) -> None:
    draw = random.Random(SEED)
    floor = Floor(stack, draw)
    await floor.prepare(leaders=5)
    before = len(stack.kills)
    async with floor.busy():
        while len(stack.kills) - before < KILLS:
            await asyncio.sleep(draw.uniform(1, 6))
            stack.kill(draw.choice(VICTIMS), draw.randrange(2))
        await asyncio.sleep(10)
    print(f"CHAOS_SEED={SEED} {json.dumps(await floor.check())}")
