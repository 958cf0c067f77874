"""The scenario of the price processes for record_histories.py: trades, a signal, a trip, operators."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from domain.exchange.oracle_messages import OracleNews
from domain.exchange.price_messages import HaltState, LengthenHalt, ResumeTrading
from domain.shared import ids
from storage.database import transaction
from storage.events import new_id
from storage.intents.halts import halt_by_operator
from tests.world import USDC, World
from tests.world.assets import funded_asset, trader
from tests.world.trades import fill

HALTS = "SELECT id::text AS id FROM exchange.asset_halts WHERE asset_id = %s ORDER BY id"
STATUS = "SELECT status::text AS status FROM exchange.assets WHERE id = %s"


async def prices(world: World) -> dict[str, str]:
    """An asset is traded, moved by a signal, halted by the breaker and by an operator."""
    asset_id, account = await funded_asset(world.dsn, breaker_bps=1_500), await trader(world.dsn)
    engine = ids.price_engine(asset_id)
    await fill(world.parts.pool, asset_id, account, 500 * USDC)
    await _ticks(world, asset_id, 1)
    signal_id = new_id()
    await world.rows(
        """INSERT INTO exchange.oracle_signals (id, asset_id, status, delta_bps, applied_bps, confidence_bps)
           VALUES (%s, %s, 'accepted', 500, 500, 9000)""",
        signal_id, asset_id,
    )  # fmt: skip
    assert await world.processes.signal(engine, "oracle", OracleNews(signal_id=signal_id))
    await _ticks(world, asset_id, 2)
    await fill(world.parts.pool, asset_id, account, 5_000 * USDC)
    (tripped,) = await world.until(lambda: world.rows(HALTS, asset_id), bool)
    await _running(world, tripped["id"])
    await _ask(world, tripped["id"], "extend", LengthenHalt(principal="operator", seconds=60))
    await _ask(world, tripped["id"], "resume", ResumeTrading(principal="operator", note="seen"))
    async with transaction(world.parts.pool) as connection:
        timed = await halt_by_operator(
            connection, asset_id=asset_id, reason="news", principal="operator",
            until=datetime.now(UTC) + timedelta(seconds=3),
        )  # fmt: skip
    await _running(world, timed.subject_id)
    await world.until(lambda: world.row(STATUS, asset_id), lambda row: row["status"] == "active")
    await world.client.execute_workflow("Retention", id="retention", task_queue="operations")
    return {
        "Retention/with_price_ticks": "retention",
        "PriceFeed/running": ids.PRICE_FEED,
        "PriceEngine/running": engine,
        "AssetHalt/extended_and_resumed": ids.asset_halt(tripped["id"]),
        "AssetHalt/ended_by_time": timed.workflow_id,
    }


async def _ticks(world: World, asset_id: str, count: int) -> None:
    query = "SELECT id FROM exchange.price_ticks WHERE asset_id = %s"
    await world.until(lambda: world.rows(query, asset_id), lambda rows: len(rows) >= count)


async def _running(world: World, halt_id: str) -> None:
    name = ids.asset_halt(halt_id)
    await world.until(lambda: world.processes.state(name), lambda state: state in ("running", "completed"))


async def _ask(world: World, halt_id: str, name: str, argument: LengthenHalt | ResumeTrading) -> None:
    await world.processes.update(ids.asset_halt(halt_id), name, argument, HaltState, update_id=name)
