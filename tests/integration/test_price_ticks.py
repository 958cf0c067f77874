"""Ticks on real Postgres: what is summed up, what is applied, when an asset is halted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from domain.exchange import curve
from domain.exchange.curve import Curve
from domain.exchange.price_messages import EndHalt, ExtendHalt, RecordTick, TickRecorded
from domain.exchange.pricing import PICO, Policy, display, weight_bps
from domain.shared.errors import Rejected
from domain.shared.money import USDC_ONE
from storage.books import Books
from storage.database import Pool, make_pool, transaction
from storage.events import new_id
from storage.exchange.feed import FeedStore
from storage.exchange.halts import HaltStore
from storage.exchange.pricing import Pace, PricingStore, clear, degrade
from storage.intents.halts import halt_by_operator
from storage.retention import RetentionStore
from tests.world.assets import funded_asset, trader
from tests.world.books import BooksSide
from tests.world.market import Asked, open_market
from tests.world.trades import fill, fills, trading

V0 = 1_000 * USDC_ONE
POLICY = Policy(beta_millionths=200_000, volume_scale=V0, delta_cap_bps=500)
P0 = 1_000_000


class Desk(BooksSide):
    """One asset at P0 = 1 with k = 0.01, its price engine's store, and a trader."""

    def __init__(self, dsn: str, pool: Pool, asset: str, account: str) -> None:
        super().__init__(dsn)
        self.pool, self.asset, self.trader = pool, asset, account
        self.books = Books(pool)
        self.store = PricingStore(self.books, POLICY, Pace())
        self.halts = HaltStore(self.books)

    async def tick(self, in_s: float = 0) -> TickRecorded:
        return await self.store.record(RecordTick(asset_id=self.asset, at=datetime.now(UTC) + timedelta(seconds=in_s)))

    async def buy(self, usdc: int, seconds_ago: int = 0) -> None:
        await fill(self.pool, self.asset, self.trader, usdc * USDC_ONE, seconds_ago=seconds_ago)

    async def signal(self, delta_bps: int, applied_bps: int | None = None) -> str:
        signal_id = new_id()
        await self.rows(
            """INSERT INTO exchange.oracle_signals (id, asset_id, status, delta_bps, applied_bps, confidence_bps)
               VALUES (%s, %s, 'accepted', %s, %s, 8000)""",
            signal_id, self.asset, delta_bps, applied_bps,
        )  # fmt: skip
        return signal_id

    async def ticks(self) -> list[dict[str, Any]]:
        return await self.rows("SELECT * FROM exchange.price_ticks WHERE asset_id = %s ORDER BY id", self.asset)

    async def price(self) -> dict[str, Any]:
        return await self.row("SELECT * FROM exchange.asset_prices WHERE asset_id = %s", self.asset)

    async def status(self) -> str:
        row = await self.row("SELECT status::text AS status FROM exchange.assets WHERE id = %s", self.asset)
        return str(row["status"])

    async def halt(self) -> dict[str, Any]:
        return await self.row("SELECT * FROM exchange.asset_halts WHERE asset_id = %s ORDER BY id DESC", self.asset)

    async def trip(self) -> None:
        """Trade until the display price jumps by more than the breaker allows."""
        await self.buy(500, seconds_ago=400)
        await self.tick()
        await self.buy(5_000)
        await self.tick()


@pytest_asyncio.fixture(loop_scope="session")
async def desk(database: str) -> AsyncIterator[Desk]:
    async with make_pool(database, size=6, name="ticks") as pool:
        asset = await funded_asset(database, breaker_bps=1_500, symbol="TICK")
        yield Desk(database, pool, asset, await trader(database))


async def test_the_first_tick_is_written_at_once_from_p0(desk: Desk) -> None:
    done = await desk.tick()
    assert (done.written, done.again_in_ms) == (True, 60_000)
    (tick,) = await desk.ticks()
    assert (tick["cause"], tick["display_micros"], tick["market_micros"]) == ("heartbeat", P0, P0)
    assert (tick["fundamental_pico"], tick["weight_bps"], tick["volume_5m_micros"]) == (P0 * PICO, 5_000, 0)
    again = await desk.tick()
    assert (again.written, again.again_in_ms > 55_000) == (False, True)
    assert len(await desk.ticks()) == 1


async def test_a_heartbeat_is_written_when_the_last_tick_is_old(desk: Desk) -> None:
    await desk.tick()
    assert not (await desk.tick(in_s=59)).written
    assert (await desk.tick(in_s=60)).written
    assert [tick["cause"] for tick in await desk.ticks()] == ["heartbeat", "heartbeat"]


async def test_a_tick_sums_up_what_was_traded_since_the_last_one(desk: Desk) -> None:
    await desk.tick()
    await fills(desk.pool, desk.asset, desk.trader, [100 * USDC_ONE, 50 * USDC_ONE, -30 * USDC_ONE])
    assert (await desk.tick()).written
    tick = (await desk.ticks())[-1]
    asset = await desk.row("SELECT * FROM exchange.assets WHERE id = %s", desk.asset)
    spots = await desk.rows("SELECT spot_after_micros AS s FROM exchange.trades ORDER BY verdict")
    moved = await desk.row("SELECT sum(pool_micros) AS v FROM exchange.trades")
    spot = curve.spot(Curve(P0, 10**16), int(asset["supply_atto"]))
    assert (tick["cause"], tick["volume_micros"], tick["volume_5m_micros"]) == ("trade", moved["v"], moved["v"])
    assert (tick["market_low_micros"], tick["market_high_micros"]) == (
        min(row["s"] for row in spots),
        max(row["s"] for row in spots),
    )
    weight = weight_bps(tick["volume_5m_micros"], POLICY)
    assert (tick["market_micros"], tick["weight_bps"]) == (spot, weight)
    assert tick["display_micros"] == display(spot, P0 * PICO, weight)
    assert not (await desk.tick()).written, "nothing is summed up twice"
    event = await desk.row("SELECT payload FROM platform.outbox WHERE topic = 'prices' ORDER BY id DESC LIMIT 1")
    assert event["payload"]["tick_id"] == tick["id"]
    kept = await desk.price()
    assert (kept["display_micros"], kept["verdict"]) == (tick["display_micros"], 3)


async def test_volume_of_five_minutes_is_the_sum_over_the_trades_at_every_tick(desk: Desk) -> None:
    """It is carried from tick to tick; after any sequence of trades, delays and outages it equals the plain sum."""
    draw = random.Random(20261121)
    offset = 0.0
    for _ in range(40):
        for _ in range(draw.randrange(4)):
            await desk.buy(draw.randrange(1, 40), seconds_ago=draw.randrange(-int(offset), 400))
        offset += draw.choice([0, 1, 30, 200, 700])
        await desk.tick(in_s=offset)
        kept = await desk.price()
        plain = await desk.row(
            """SELECT coalesce(sum(pool_micros), 0) AS v FROM exchange.trades
               WHERE executed_at > %s - interval '5 minutes' AND verdict <= %s""",
            kept["ticked_at"], kept["verdict"],
        )  # fmt: skip
        assert kept["volume_5m_micros"] == plain["v"]


async def test_trades_are_summed_up_once_however_many_ticks_run_at_the_same_time(desk: Desk) -> None:
    stop = asyncio.create_task(trading(desk.pool, desk.asset, desk.trader, every_s=0.002))
    for _ in range(15):
        await asyncio.gather(desk.tick(), desk.tick(), desk.tick())
    stop.cancel()
    await asyncio.gather(stop, return_exceptions=True)
    await desk.tick()
    traded = await desk.row("SELECT sum(pool_micros) AS v, count(*) AS n FROM exchange.trades")
    summed = await desk.row("SELECT sum(volume_micros) AS v FROM exchange.price_ticks")
    assert traded["n"] > 15
    assert summed["v"] == traded["v"]


async def test_an_ordinary_tick_does_not_wait_for_the_markets_lock(desk: Desk) -> None:
    """EX-054: and no trade waits for a tick."""
    await desk.tick()
    async with transaction(desk.pool) as trade:
        await trade.execute("SELECT id FROM exchange.assets WHERE id = %s FOR NO KEY UPDATE", [desk.asset])
        done = await asyncio.wait_for(desk.tick(in_s=60), 3)
    assert done.written


# --- oracle signals ---------------------------------------------------------------------------------------------------


async def test_d21_accepted_signals_are_applied_once_in_order_also_those_of_a_time_without_engine(desk: Desk) -> None:
    first, second = await desk.signal(500), await desk.signal(-9_000, -500)
    await asyncio.gather(*(desk.tick() for _ in range(4)))
    rows = await desk.rows("SELECT * FROM exchange.oracle_signals ORDER BY id")
    assert [(r["id"], r["status"], r["applied_bps"]) for r in rows] == [
        (first, "applied", 500),
        (second, "applied", -500),
    ]
    start = P0 * PICO
    assert [(r["fundamental_before_pico"], r["fundamental_after_pico"]) for r in rows] == [
        (start, start * 101 // 100),
        (start * 101 // 100, start * 9_999 // 10_000),
    ]
    assert all(r["applied_at"] is not None for r in rows)
    (tick,) = await desk.ticks()
    assert (tick["cause"], tick["fundamental_pico"]) == ("oracle", start * 9_999 // 10_000)


async def test_d11_the_oracle_never_touches_the_curve(desk: Desk) -> None:
    """D11: signals moved what holders can redeem."""
    await desk.buy(100)
    before = await desk.row("SELECT p0_micros, k_atto, supply_atto FROM exchange.assets WHERE id = %s", desk.asset)
    for _ in range(20):
        await desk.signal(500)
    await desk.tick()
    after = await desk.row("SELECT p0_micros, k_atto, supply_atto FROM exchange.assets WHERE id = %s", desk.asset)
    assert before == after
    assert (await desk.price())["fundamental_pico"] > P0 * PICO


async def test_ex_065_degradation_weighs_the_market_95_percent_until_a_signal_or_its_end(desk: Desk) -> None:
    until = datetime.now(UTC) + timedelta(seconds=3_600)
    async with transaction(desk.pool) as connection:
        await degrade(connection, desk.asset, until)
        await degrade(connection, desk.asset, until - timedelta(seconds=600))
    assert (await desk.price())["degraded_until"] == until
    weights = []
    for offset in (0, 61, 3_700):
        await desk.tick(in_s=offset)
        weights.append((await desk.ticks())[-1]["weight_bps"])
    assert weights == [9_500, 9_500, 5_000]
    async with transaction(desk.pool) as connection:
        await clear(connection, desk.asset)
        await degrade(connection, desk.asset, until + timedelta(days=1))
    await desk.signal(100)
    await desk.tick(in_s=3_701)
    assert ((await desk.ticks())[-1]["weight_bps"], (await desk.price())["degraded_until"]) == (5_000, None)


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


# --- with the market engine -------------------------------------------------------------------------------------------


async def test_the_engine_honours_a_halt_and_its_trades_are_what_ticks_sum_up(desk: Desk) -> None:
    account = await trader(desk.dsn, 1_000 * USDC_ONE)
    async with open_market(desk.dsn) as market:
        (bought,) = await market.carry_out([Asked(desk.asset, account, asked=100 * USDC_ONE)])
        await desk.tick()
        until = datetime.now(UTC) + timedelta(seconds=60)
        async with transaction(desk.pool) as connection:
            await halt_by_operator(connection, asset_id=desk.asset, reason="news", principal="operator", until=until)
        (refused,) = await market.carry_out([Asked(desk.asset, account, asked=100 * USDC_ONE)])
        halt = await desk.halt()
        await desk.halts.end(EndHalt(halt_id=halt["id"], at=datetime.now(UTC), principal="operator"))
        await desk.rows("UPDATE exchange.assets SET breaker_bps = 0 WHERE id = %s", desk.asset)
        (again,) = await market.carry_out([Asked(desk.asset, account, asked=100 * USDC_ONE)])
        await desk.tick()
    assert [row["status"] for row in (bought, refused, again)] == ["filled", "rejected", "filled"]
    assert refused["reject_code"] == "asset_halted"
    first, last = await desk.ticks()
    assert (first["volume_micros"], last["volume_micros"]) == (bought["pool_micros"], again["pool_micros"])
    assert last["market_micros"] == again["spot_after_micros"]
    assert last["volume_5m_micros"] == bought["pool_micros"] + again["pool_micros"]
    assert (await desk.price())["verdict"] == 3


async def test_the_feed_is_told_of_the_engines_trades(desk: Desk) -> None:
    account = await trader(desk.dsn, 1_000 * USDC_ONE)
    feed = FeedStore(desk.books)
    async with open_market(desk.dsn) as market:
        await market.carry_out([Asked(desk.asset, account, asked=USDC_ONE)] * 5)
    heard = 0
    while (page := await feed.read(100)) is not None:
        heard += page.news[desk.asset].events if desk.asset in page.news else 0
        await feed.advance(page)
    assert heard == 5


# --- retention --------------------------------------------------------------------------------------------------------


async def test_old_ticks_go_and_events_stay_until_the_feed_has_read_them(desk: Desk) -> None:
    await desk.tick()
    await desk.tick(in_s=60)
    await desk.rows("UPDATE exchange.price_ticks SET ticked_at = ticked_at - interval '11 days' WHERE id = 1")
    await desk.rows("UPDATE platform.outbox SET created_at = created_at - interval '40 days'")
    retention, feed = RetentionStore(desk.books, tick_days=10), FeedStore(desk.books)
    assert await retention.delete_batch("price_ticks") == 1
    assert [tick["id"] for tick in await desk.ticks()] == [2]
    first = await feed.read(1)
    assert first is not None
    await feed.advance(first)
    assert await retention.delete_batch("outbox") == 1
    while (page := await feed.read(100)) is not None:
        await feed.advance(page)
    assert await retention.delete_batch("outbox") > 0
