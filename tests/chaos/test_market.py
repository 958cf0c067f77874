"""SIGKILL of workers and of Postgres under trading, funding, payouts and halts: nothing lost, nothing doubled.

`make test` kills a worker once and Postgres once; `make soak` fifty times at random, by a printed seed.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.chaos.bazaar import SETTINGS, Bazaar
from tests.chaos.live_stack import LiveStack, live_stack

SEED = int(os.environ["CHAOS_SEED"])
KILLS = int(os.environ.get("CHAOS_KILLS", "50"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveStack]:
    async with live_stack(tmp_path_factory.mktemp("chaos-market") / "data", *SETTINGS) as running:
        yield running


@pytest.mark.parametrize("process", ["worker", "postgres"])
async def test_a_busy_market_survives_the_kill(stack: LiveStack, process: str) -> None:
    draw = random.Random(f"{SEED}:{process}")
    bazaar = Bazaar(stack, draw)
    await bazaar.prepare(users=4)
    async with bazaar.busy():
        await asyncio.sleep(draw.uniform(2, 4))
        bazaar.kill(process, draw.randrange(2))
        await asyncio.sleep(6)
    print(f"CHAOS_SEED={SEED} {json.dumps(await bazaar.check())}")


@pytest.mark.soak
@pytest.mark.timeout(3_600)
async def test_a_busy_market_survives_fifty_kills(stack: LiveStack) -> None:
    draw = random.Random(SEED)
    bazaar = Bazaar(stack, draw)
    await bazaar.prepare(users=8)
    async with bazaar.busy():
        while len(bazaar.kills) < KILLS:
            await asyncio.sleep(draw.uniform(1, 6))
            bazaar.kill(draw.choice(("worker", "worker", "workers", "postgres", "postgres")), draw.randrange(2))
        await asyncio.sleep(10)
    print(f"CHAOS_SEED={SEED} {json.dumps(await bazaar.check())}")
