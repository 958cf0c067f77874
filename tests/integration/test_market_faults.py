"""What goes wrong around the engine: a poisoned order, a dead or frozen engine, a lost connection, orders that wait."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from domain.shared.errors import Broken, Unavailable
from domain.shared.money import USDC_ONE
from storage.database import make_pool, transaction
from storage.exchange.market import MarketStore
from storage.exchange.market_fence import CLASS, fenced
from storage.intents.system import decide_quarantine
from storage.reads.gauges import samples
from storage.reads.market_log import differences
from tests.world.assets import funded_asset, trader
from tests.world.market import Asked, Market, open_market

STEEP = 10**37
"""k so steep that ten million USDC lift the price beyond what a BIGINT of micros holds: an order of which neither a
fill nor a rejection can be written."""


async def poisoned(market: Market) -> tuple[list[str], str, str]:
    """Sixteen orders of which one cannot be carried out; returns all ids, the poisoned one, and its account."""
    good, steep = await funded_asset(market.dsn), await funded_asset(market.dsn, k_atto=STEEP)
    buyer, whale = await trader(market.dsn, 100 * USDC_ONE), await trader(market.dsn, 10**8 * USDC_ONE)
    orders = [Asked(good, buyer, "buy", USDC_ONE) for _ in range(16)]
    orders[9] = Asked(steep, whale, "buy", 10**7 * USDC_ONE)
    ids = await market.place(orders)
    return ids, ids[9], whale


async def decided(market: Market, state: str) -> None:
    item = await market.row("SELECT id FROM platform.quarantine WHERE source = 'market'")
    async with make_pool(market.dsn, size=1, name="operator") as pool, transaction(pool) as connection:
        await decide_quarantine(connection, item_id=item["id"], state=state, principal="op", note="")


async def test_a_poisoned_order_is_parked_and_blocks_nobody(database: str) -> None:
    async with open_market(database) as market:
        ids, poison, whale = await poisoned(market)
        assert await market.drain() == 15
        rows = {trade_id: await market.trade(trade_id) for trade_id in ids}
        assert {row["status"] for trade_id, row in rows.items() if trade_id != poison} == {"filled"}
        assert rows[poison]["status"] == "pending"
        assert rows[poison]["parked_at"] is not None
        assert await market.available(whale) == 10**8 * USDC_ONE
        item = await market.row("SELECT * FROM platform.quarantine WHERE source = 'market'")
        assert (item["state"], item["payload"]["trade_id"]) == ("held", poison)
        assert "NumericValueOutOfRange" in item["reason"]
        assert await market.rows("SELECT code FROM platform.alerts WHERE resolved_at IS NULL") == [
            {"code": "quarantined"}
        ]
        assert await market.drain() == 0
        assert await market.broken_rules() == {}


async def test_a_parked_order_is_taken_up_again_when_an_operator_says_so(database: str) -> None:
    async with open_market(database) as market:
        _, poison, whale = await poisoned(market)
        await market.drain()
        await decided(market, "replayed")
        await market.rows("UPDATE exchange.assets SET k_atto = 10000000000000000 WHERE k_atto > 10000000000000000")
        await market.desk.parked.release()
        assert await market.drain() == 1
        assert (await market.trade(poison))["status"] == "filled"
        assert await market.available(whale) == 9 * 10**7 * USDC_ONE
        assert await market.broken_rules() == {}


async def test_a_parked_order_that_still_fails_is_held_again(database: str) -> None:
    async with open_market(database) as market:
        _, poison, _ = await poisoned(market)
        await market.drain()
        await decided(market, "replayed")
        await market.desk.parked.release()
        assert await market.drain() == 0
        item = await market.row("SELECT state FROM platform.quarantine WHERE source = 'market'")
        assert item["state"] == "held"
        assert (await market.trade(poison))["parked_at"] is not None


async def test_a_discarded_order_is_rejected_and_moves_nothing(database: str) -> None:
    async with open_market(database) as market:
        _, poison, whale = await poisoned(market)
        await market.drain()
        await decided(market, "discarded")
        await market.desk.look()
        await market.drain()
        row = await market.trade(poison)
        assert (row["status"], row["reject_code"]) == ("rejected", "trading_disabled")
        assert await market.available(whale) == 10**8 * USDC_ONE
        async with make_pool(database, size=1, name="replay") as pool:
            assert await differences(pool, row["asset_id"]) == []


async def test_an_order_delivered_twice_has_one_verdict(database: str) -> None:
    async with open_market(database) as market:
        asset, buyer = await funded_asset(database), await trader(database, 100 * USDC_ONE)
        await market.place(Asked(asset, buyer, "buy", USDC_ONE) for _ in range(8))
        orders = await market.store.pending(8)
        await market.store.carry_out(orders)
        with pytest.raises((Broken, psycopg.errors.UniqueViolation)):
            await market.store.carry_out(orders)
        assert await market.engine.carry_out(orders) == 0, "nor is it parked"
        assert await market.available(buyer) == 92 * USDC_ONE
        assert await market.rows("SELECT 1 FROM platform.quarantine") == []
        await market.place([Asked(asset, buyer, "sell", 10**30)])
        refused = await market.store.pending(1)
        await market.store.carry_out(refused)
        with pytest.raises(Broken):
            await market.store.carry_out(refused)
        assert await market.broken_rules() == {}


async def test_orders_that_waited_for_an_engine_are_carried_out_by_the_next(database: str) -> None:
    async with open_market(database) as market:
        asset, buyer = await funded_asset(database), await trader(database, 1_000 * USDC_ONE)
        await market.place(Asked(asset, buyer, "buy", USDC_ONE) for _ in range(300))
        await market.store.carry_out(await market.store.pending(100))
    async with open_market(database) as market:
        assert await market.drain() == 200
        assert await market.available(buyer) == 700 * USDC_ONE
        assert await market.broken_rules() == {}


async def test_a_new_engine_knows_the_last_minutes_as_the_old_one_did(database: str) -> None:
    async with open_market(database) as market:
        assets = [await funded_asset(database, breaker_bps=1_500) for _ in range(2)]
        buyer = await trader(database, 10_000 * USDC_ONE)
        for turn in range(4):
            await market.carry_out(Asked(asset, buyer, "buy", (turn + 1) * USDC_ONE) for asset in assets)
            await asyncio.sleep(0.6)
        lived = dict(market.store.memory)
        lately = await market.rows("SELECT clock_timestamp() AS now")
    async with open_market(database) as market:
        for asset in assets:
            read = await market.store._remembered(asset, lived[asset].verdicts, lately[0]["now"])
            assert read == lived[asset]
            assert len(read.window.buckets) >= 2
            assert read.volume.micros > 0


async def test_a_stale_memory_is_not_believed(database: str) -> None:
    """Another engine of this number has been at work in between."""
    async with open_market(database) as market:
        asset, buyer = await funded_asset(database, breaker_bps=500), await trader(database, 10_000 * USDC_ONE)
        await market.carry_out([Asked(asset, buyer, "buy", USDC_ONE)])
        memory = dict(market.store.memory)
    async with open_market(database) as other:
        await other.carry_out([Asked(asset, buyer, "buy", 2 * USDC_ONE)])
    async with open_market(database, memory=memory) as market:
        await market.carry_out([Asked(asset, buyer, "buy", USDC_ONE)])
        assert market.store.memory[asset].verdicts == 3
        assert market.store.memory[asset].volume.micros == 3_980_000
        async with make_pool(database, size=1, name="replay") as pool:
            assert await differences(pool, asset) == []


async def test_two_engines_of_one_number_exclude_each_other(database: str) -> None:
    """The frozen one is ended; what it was about to write is lost with its session."""
    async with fenced(database, 0) as frozen:
        store = MarketStore(frozen, 0, 1, {})
        asset, buyer = await funded_asset(database), await trader(database, 100 * USDC_ONE)
        async with open_market(database) as market:
            trade_id = await market.buy(asset, buyer, USDC_ONE)
            waiting = await market.store.pending(8)
            with pytest.raises(Unavailable):
                await store.carry_out(waiting)
            assert await market.drain() == 1
            assert (await market.trade(trade_id))["verdict"] == 1
            assert await market.broken_rules() == {}


async def test_engines_of_other_numbers_do_not_wait(database: str) -> None:
    async with fenced(database, 0), fenced(database, 1) as second:
        cursor = await second.execute(
            "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND classid = %s", [CLASS]
        )
        row = await cursor.fetchone()
        assert row is not None
        assert row["n"] >= 2


async def test_a_connection_lost_in_the_middle_loses_nothing_and_doubles_nothing(database: str) -> None:
    asset, buyer = await funded_asset(database), await trader(database, 1_000 * USDC_ONE)
    memory: dict[str, object] = {}
    async with open_market(database) as market:
        await market.place(Asked(asset, buyer, "buy", USDC_ONE) for _ in range(600))
    for delay in (0.0, 0.005, 0.01, 0.02, 0.03, 0.05):
        async with open_market(database, memory=memory) as market:  # type: ignore[arg-type]
            pid = market.store.connection.info.backend_pid
            killing = asyncio.create_task(_end_backend(database, pid, delay))
            with pytest.raises(Unavailable):
                await _batches_for_ever(market)
            await killing
    async with open_market(database) as market:
        await market.drain()
        filled = await market.row("SELECT count(*) AS n FROM exchange.trades WHERE status = 'filled'")
        assert filled["n"] == 600
        assert await market.available(buyer) == 400 * USDC_ONE
        assert await market.broken_rules() == {}
    async with make_pool(database, size=1, name="replay") as pool:
        assert await differences(pool, asset) == []


async def _batches_for_ever(market: Market) -> None:
    while True:
        await market.engine.carry_out(await market.store.pending(32))
        await asyncio.sleep(0)


async def _end_backend(dsn: str, pid: int, delay: float) -> None:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await asyncio.sleep(delay)
        await connection.execute("SELECT pg_terminate_backend(%s)", [pid])


async def test_an_engine_that_lags_is_told_of_and_the_alert_ends(database: str) -> None:
    async with open_market(database) as market:
        asset, buyer = await funded_asset(database), await trader(database, 100 * USDC_ONE)
        await market.buy(asset, buyer, USDC_ONE)
        await market.desk.watch.judge()
        assert await market.rows("SELECT 1 FROM platform.alerts") == []
        await market.rows("UPDATE exchange.trades SET created_at = created_at - interval '11 seconds'")
        await market.desk.watch.judge()
        await market.desk.watch.judge()
        alert = await market.row("SELECT code, subject, resolved_at FROM platform.alerts")
        assert (alert["code"], alert["subject"], alert["resolved_at"]) == ("engine_lagging", "market-engine:0", None)
        await market.drain()
        await market.desk.watch.judge()
        alert = await market.row("SELECT resolved_at FROM platform.alerts")
        assert alert["resolved_at"] is not None


async def test_gauges_show_orders_that_wait_and_the_last_batch(database: str) -> None:
    async with open_market(database) as market, make_pool(database, size=1, name="gauges") as pool:
        asset, buyer = await funded_asset(database), await trader(database, 100 * USDC_ONE)
        await market.carry_out(Asked(asset, buyer, "buy", USDC_ONE) for _ in range(7))
        await market.desk.watch.note()
        await market.buy(asset, buyer, USDC_ONE)
        found = {s.name: s for s in await samples(pool) if "engine" in s.name or "orders" in s.name}
        assert found["holdfast_orders_pending"].value == "1"
        last = found["holdfast_engine_last_batch_orders"]
        assert (last.value_of, last.value) == ("0", "7")
        assert found["holdfast_engine_verdicts_total"].value == "7"
