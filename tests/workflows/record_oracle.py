"""The oracle's golden histories: a good day, a bad one, an exhausted budget, and a round."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from domain.exchange.oracle_messages import RefreshAssets
from domain.shared import ids
from domain.shared.processes import EXCHANGE, Start
from localnet.upstreams import Upstreams
from tests.world import World
from tests.world.assets import funded_asset

ROUND = "20261121T070000Z"


def upstreams(web: Upstreams) -> dict[str, str]:
    """Settings of a world whose search and model are these."""
    return {
        "serper_api_key": "k",
        "serper_base_url": web.url,
        "openai_base_url": web.llm_url,
        "openai_api_key": "k",
        "openai_model": "local-analyst",
    }


async def _fails(world: World, target: str, fault: str, times: int) -> None:
    async with httpx.AsyncClient(base_url=world.settings.serper_base_url) as control:
        asked = {"target": target, "fault": fault, "times": times}
        (await control.post("/control/faults", json=asked)).raise_for_status()


async def _refresh(world: World, asset: str, slot: str) -> str:
    name = ids.oracle_refresh(asset, slot)
    start: Any = Start(subject_id=asset)
    await asyncio.wait_for(world.client.execute_workflow("OracleRefresh", start, id=name, task_queue=EXCHANGE), 60)
    return name


async def oracle(world: World) -> dict[str, str]:
    """{"Workflow/path": workflow id}, as record_histories wants it."""
    asset = await funded_asset(world.dsn, symbol="GOLD")
    accepted = await _refresh(world, asset, "good")
    await _fails(world, "search", "http_500", 1)
    await _fails(world, "llm", "prose", 1)
    third = await _refresh(world, asset, "third")
    await _fails(world, "llm", "out_of_bounds", 3)
    exhausted = await _refresh(world, asset, "bad")
    skipped = await _refresh(world, await funded_asset(world.dsn, status="halted"), "halted")
    await world.client.execute_workflow(
        "OracleRound", RefreshAssets(slot=ROUND, spread_s=1), id="oracle-round", task_queue=EXCHANGE
    )
    day = "UPDATE platform.budgets SET used = 1000000 WHERE resource = 'searches'"
    await world.rows(day)
    broke = await _refresh(world, asset, "broke")
    return {
        "OracleRefresh/accepted": accepted,
        "OracleRefresh/accepted_at_the_third_attempt": third,
        "OracleRefresh/exhausted": exhausted,
        "OracleRefresh/over_budget": broke,
        "OracleRefresh/skipped": skipped,
        "OracleRound/one_asset": "oracle-round",
    }
