"""The circuit breaker on real Postgres: when an asset is halted, and when it is not any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from domain.exchange.price_messages import EndHalt, ExtendHalt
from domain.shared.errors import Rejected
from storage.database import transaction
from storage.intents.halts import halt_by_operator
from tests.tick_desk import P0, Desk, tick_desk


@pytest_asyncio.fixture(loop_scope="session")
async def desk(database: str) -> AsyncIterator[Desk]:
    async with tick_desk(database) as opened:
        yield opened


# --- the circuit breaker ----------------------------------------------------------------------------------------------


async def test_ex_081_the_first_fill_never_trips(desk: Desk) -> None:
    await desk.tick()
    await desk.buy(5_000)
    await desk.tick()
    assert (await desk.ticks())[-1]["display_micros"] > 5 * P0
    assert await desk.status() == "active"


async def test_ex_082_083_a_display_breach_halts_the_asset_and_tells_operators(desk: Desk) -> None:
    await desk.trip()
    first, last = await desk.ticks()
    halt = await desk.halt()
    old, new = first["display_micros"], last["display_micros"]
    assert await desk.status() == "halted"
    assert halt["until"] - last["ticked_at"] == timedelta(seconds=300)
    assert (halt["cause"], halt["started_by"], halt["ended_at"]) == ("circuit_breaker", "price-engine", None)
    change = (new - old) * 10_000 // old
    assert (halt["old_price_micros"], halt["new_price_micros"], halt["change_bps"]) == (old, new, change)
    alert = await desk.row("SELECT * FROM platform.alerts WHERE code = 'breaker_tripped'")
    assert alert["subject"] == desk.asset
    assert alert["data"] | {"until": "", "halt_id": "", "seconds_since_tick": 0} == {
        "asset_id": desk.asset,
        "halt_id": "",
        "change_percent": f"{change // 100}.{change % 100:02d}".rstrip("0").rstrip("."),
        "seconds_since_tick": 0,
        "old_price_usdc": f"{old / 10**6:.6f}".rstrip("0").rstrip("."),
        "new_price_usdc": f"{new / 10**6:.6f}".rstrip("0").rstrip("."),
        "until": "",
    }
    operation = await desk.row("SELECT * FROM platform.operations WHERE kind = 'asset_halt'")
    assert (operation["workflow_id"], operation["status"]) == (f"asset-halt:{halt['id']}", "waiting")
    assert operation["dispatched_at"] is None, "the dispatcher starts it"
    told = await desk.rows("SELECT type FROM platform.outbox WHERE topic = 'assets'")
    assert [row["type"] for row in told] == ["asset_halted"]


async def test_the_breaker_switched_off_halts_nothing(desk: Desk) -> None:
    await desk.rows("UPDATE exchange.assets SET breaker_bps = 0 WHERE id = %s", desk.asset)
    await desk.trip()
    assert await desk.status() == "active"


async def test_a_halted_asset_is_not_halted_again_and_prices_go_on(desk: Desk) -> None:
    await desk.trip()
    await desk.buy(9_000)
    assert (await desk.tick()).written
    assert len(await desk.rows("SELECT id FROM exchange.asset_halts")) == 1


async def test_after_a_halt_prices_from_before_it_do_not_trip_again(desk: Desk) -> None:
    """An operator lets trading go on within the minute: the jump that tripped was seen and accepted."""
    await desk.trip()
    halt = await desk.halt()
    await desk.halts.end(EndHalt(halt_id=halt["id"], at=datetime.now(UTC), principal="operator"))
    await desk.buy(10)
    await desk.tick()
    assert (len(await desk.ticks()), await desk.status()) == (3, "active")


async def test_the_tick_that_trips_waits_for_the_markets_lock_and_counts_what_was_traded_meanwhile(desk: Desk) -> None:
    await desk.buy(500, seconds_ago=400)
    await desk.tick()
    await desk.buy(5_000)
    async with transaction(desk.pool) as trade:
        await trade.execute("SELECT id FROM exchange.assets WHERE id = %s FOR NO KEY UPDATE", [desk.asset])
        waiting = asyncio.create_task(desk.tick())
        await asyncio.sleep(0.3)
        assert not waiting.done()
        assert len(await desk.ticks()) == 1
    assert (await waiting).written
    assert await desk.status() == "halted"


# --- halts ------------------------------------------------------------------------------------------------------------


async def test_a_halt_ends_by_time_only_when_its_time_is_over(desk: Desk) -> None:
    await desk.trip()
    halt = await desk.halt()
    early = await desk.halts.end(EndHalt(halt_id=halt["id"], at=halt["until"] - timedelta(microseconds=1)))
    assert (early.ended, await desk.status()) == (False, "halted")
    ended = await desk.halts.end(EndHalt(halt_id=halt["id"], at=halt["until"]))
    assert (ended.ended, ended.ended_by, await desk.status()) == (True, "time", "active")
    again = await desk.halts.end(EndHalt(halt_id=halt["id"], at=halt["until"], principal="somebody"))
    assert again.ended_by == "time"
    assert await desk.rows("SELECT id FROM platform.alerts WHERE resolved_at IS NULL") == []
    operation = await desk.row("SELECT status::text AS s FROM platform.operations WHERE kind = 'asset_halt'")
    assert operation["s"] == "completed"


async def test_extending_names_the_end_so_a_repeat_adds_nothing(desk: Desk) -> None:
    await desk.trip()
    halt = await desk.halt()
    until = halt["until"] + timedelta(seconds=600)
    command = ExtendHalt(halt_id=halt["id"], until=until, principal="operator")
    for _ in range(2):
        assert (await desk.halts.extend(command)).until == until
    await desk.halts.end(EndHalt(halt_id=halt["id"], at=until))
    with pytest.raises(Rejected) as refusal:
        await desk.halts.extend(command)
    assert refusal.value.code == "not_halted"
    audits = await desk.rows("SELECT action FROM platform.audit_log ORDER BY id")
    assert [row["action"] for row in audits] == ["asset_halted", "halt_extended"]


async def test_two_halts_of_one_asset_at_the_same_time_are_one(desk: Desk) -> None:
    until = datetime.now(UTC) + timedelta(seconds=60)

    async def halt() -> str:
        try:
            async with transaction(desk.pool) as connection:
                await halt_by_operator(
                    connection, asset_id=desk.asset, reason="news", principal="operator", until=until
                )
        except Rejected as refusal:
            return refusal.code
        return "halted"

    assert sorted(await asyncio.gather(halt(), halt(), halt())) == ["asset_halted", "asset_halted", "halted"]


async def test_a_halt_whose_process_was_lost_is_dispatched_again(desk: Desk) -> None:
    await desk.trip()
    await desk.rows("UPDATE platform.operations SET dispatched_at = clock_timestamp()")
    await desk.tick(in_s=330)
    lost = "SELECT id FROM platform.operations WHERE dispatched_at IS NULL"
    assert await desk.rows(lost) == [], "its time has only just come"
    await desk.tick(in_s=400)
    assert len(await desk.rows(lost)) == 1
