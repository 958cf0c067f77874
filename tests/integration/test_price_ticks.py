"""Ticks on real Postgres: what is summed up, what is applied, when an asset is halted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest_asyncio

from domain.exchange import curve
from domain.exchange.curve import Curve
from domain.exchange.price_messages import EndHalt
from domain.exchange.pricing import PICO, display, weight_bps
from domain.shared.money import USDC_ONE
from storage.database import transaction
from storage.exchange.feed import FeedStore
from storage.exchange.pricing import clear, degrade
from storage.intents.halts import halt_by_operator
from storage.retention import RetentionStore
from tests.tick_desk import P0, POLICY, Desk, tick_desk
from tests.world.assets import trader
from tests.world.market import Asked, open_market
from tests.world.trades import fills, trading


@pytest_asyncio.fixture(loop_scope="session")
async def desk(database: str) -> AsyncIterator[Desk]:
    async with tick_desk(database) as opened:
        yield opened


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
    await desk.until(lambda: desk.row("SELECT count(*) AS n FROM exchange.trades"), lambda found: found["n"] > 15)
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
        done = await asyncio.wait_for(desk.tick(in_s=60), 30)
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
    assert await retention.delete_batch("price_ticks") == (1, False)
    assert [tick["id"] for tick in await desk.ticks()] == [2]
    first = await feed.read(1)
    assert first is not None
    await feed.advance(first)
    assert await retention.delete_batch("outbox") == (1, False)
    while (page := await feed.read(100)) is not None:
        await feed.advance(page)
    assert (await retention.delete_batch("outbox"))[0] > 0
