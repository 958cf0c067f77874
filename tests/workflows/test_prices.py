"""Feed, price engines and halts on a real Temporal server: nothing lost, nothing doubled, whatever is killed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from activities.exchange.pricing import FeedActivities
from domain.exchange.oracle_messages import OracleNews
from domain.exchange.price_messages import AssetNews
from domain.shared import ids
from domain.shared.events import Event
from domain.shared.money import USDC_ONE
from localnet.running import RunningTemporal, running_temporal
from localnet.temporal import binary
from storage.database import transaction
from storage.events import emit, new_id
from storage.listen import Listener
from tests.patience import PATIENCE_S
from tests.price_lab import PriceLab, spawn
from tests.world.trades import fill, fills, trading
from workflows import search
from workflows.client import connect


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def temporal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningTemporal]:
    directory: Path = tmp_path_factory.mktemp("prices")
    async with running_temporal(directory / "temporal") as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str, temporal: RunningTemporal) -> AsyncIterator[PriceLab]:
    client = await connect(temporal.address, "default")
    async with PriceLab.open(database, client) as opened:
        yield opened
    async for run in client.list_workflows("ExecutionStatus='Running'"):
        await client.get_workflow_handle(run.id).terminate()


# --- the feed ---------------------------------------------------------------------------------------------------------


async def test_the_feed_passes_on_1000_events_none_lost_whatever_fails(lab: PriceLab) -> None:
    """Transactions overlap and commit in any order, two feeds run at once, and one of them fails now and then."""
    draw, assets = random.Random(7), [new_id() for _ in range(5)]
    heard: dict[str, list[AssetNews]] = {asset_id: [] for asset_id in assets}

    async def tell(asset_id: str, news: AssetNews) -> None:
        await asyncio.sleep(0)
        if draw.random() < 0.05:
            raise ConnectionError("Temporal is away")
        heard[asset_id].append(news)

    async def write(numbers: list[int]) -> None:
        async with transaction(lab.pool) as connection:
            for number in numbers:
                topic, kind = ("trades", "trade") if number % 10 else ("trades", "trade_rejected")
                payload: dict[str, str | int | bool | None] = {"asset_id": assets[number % 5], "n": number}
                await emit(connection, Event(topic=topic, type=kind, payload=payload))
                await asyncio.sleep(draw.random() / 500)

    feed = FeedActivities(lab.feed, tell, Listener(lab.dsn).listen)
    writing = asyncio.gather(*(write(list(range(start, 1_000, 20))) for start in range(20)))
    for _ in range(3_000):
        for outcome in await asyncio.gather(feed.pass_on(), feed.pass_on(), return_exceptions=True):
            assert not isinstance(outcome, BaseException) or isinstance(outcome, ConnectionError)
        if writing.done() and await lab.feed.read(1) is None:
            break
    else:
        raise AssertionError("the feed does not come to the end")
    expected = Counter(assets[number % 5] for number in range(1_000) if number % 10)
    for asset_id, told in heard.items():
        places = [
            (row["xact"], row["id"])
            for row in await lab.rows(
                """SELECT xact, id FROM platform.outbox WHERE type = 'trade' AND payload->>'asset_id' = %s
                   ORDER BY xact, id""",
                asset_id,
            )
        ]
        assert len(places) == expected[asset_id]
        assert max((news.xact, news.position) for news in told) == places[-1]
        # what an engine has not heard before stands for as many events as there are between the places
        seen, counted = (0, 0), 0
        for news in sorted(told, key=lambda n: (n.xact, n.position)):
            upto = (news.xact, news.position)
            new = sum(seen < place <= upto for place in places)
            assert news.events >= new, "a signal leaves out nothing since the one before"
            seen, counted = upto, counted + new
        assert counted == expected[asset_id]


async def test_pages_cover_the_outbox_in_order_without_gap_or_overlap(lab: PriceLab) -> None:
    asset_id = new_id()
    for number in range(100):
        async with transaction(lab.pool) as connection:
            payload: dict[str, str | int | bool | None] = {"asset_id": asset_id, "n": number}
            await emit(connection, *[Event(topic="trades", type="trade", payload=payload)] * 10)
    counted, last = 0, (0, 0)
    while (page := await lab.feed.read(37)) is not None:
        assert tuple(page.after) == last
        last = tuple(page.upto)
        counted += page.news[asset_id].events
        assert await lab.feed.advance(page)
        assert not await lab.feed.advance(page), "the same page moves the cursor once"
    assert counted == 1_000


async def test_an_event_of_a_transaction_that_commits_late_is_not_skipped(lab: PriceLab) -> None:
    asset_id = new_id()
    event = Event(topic="trades", type="trade", payload={"asset_id": asset_id})
    async with transaction(lab.pool) as late:
        await emit(late, event)
        async with transaction(lab.pool) as early:
            await emit(early, event)
        assert await lab.feed.read(100) is None
    page = await lab.feed.read(100)
    assert page is not None
    assert page.news[asset_id].events == 2


# --- the price engine -------------------------------------------------------------------------------------------------


async def test_an_asset_that_trades_gets_an_engine_and_each_of_1000_trades_is_in_one_tick(lab: PriceLab) -> None:
    asset_id, account = await lab.asset()
    async with lab.serving():
        (first,) = await lab.until(lambda: lab.ticks(asset_id), bool)
        assert first["cause"] == "heartbeat", "started because it trades, before the first trade"
        for _ in range(20):
            await fills(lab.pool, asset_id, account, [USDC_ONE] * 50)
        await lab.until(lambda: lab.summed(asset_id), bool)
        ticks = await lab.ticks(asset_id)
    assert [t["cause"] for t in ticks].count("trade") >= 1
    described = await lab.client.get_workflow_handle(ids.price_engine(asset_id)).describe()
    assert described.workflow_type == "PriceEngine"


async def test_activation_starts_the_engine(lab: PriceLab) -> None:
    asset_id, _ = await lab.asset(status="funding")
    async with lab.serving():
        await asyncio.sleep(1)
        assert await lab.ticks(asset_id) == []
        async with transaction(lab.pool) as connection:
            await connection.execute("UPDATE exchange.assets SET status = 'active' WHERE id = %s", [asset_id])
            await emit(connection, Event(topic="assets", type="asset_activated", payload={"asset_id": asset_id}))
        assert await lab.until(lambda: lab.ticks(asset_id), bool)


async def test_heavy_trading_is_summed_up_in_a_few_ticks_a_second(lab: PriceLab) -> None:
    asset_id, account = await lab.asset()
    async with lab.serving():
        await lab.until(lambda: lab.ticks(asset_id), bool)
        busy = asyncio.create_task(trading(lab.pool, asset_id, account, every_s=0.01))
        began = time.monotonic()
        await lab.until(lambda: lab.row("SELECT count(*) AS n FROM exchange.trades"), lambda trades: trades["n"] > 200)
        await lab.until(lambda: lab.ticks(asset_id), lambda ticks: len(ticks) >= 3)
        busy.cancel()
        await asyncio.gather(busy, return_exceptions=True)
        await lab.until(lambda: lab.summed(asset_id), bool)
        ticks = await lab.ticks(asset_id)
    assert len(ticks) <= 4 * (time.monotonic() - began) + 3
    assert all(t["market_low_micros"] <= t["market_micros"] <= t["market_high_micros"] for t in ticks)


async def test_a_heartbeat_comes_without_any_news(lab: PriceLab) -> None:
    asset_id, _ = await lab.asset()
    async with lab.serving():
        ticks = await lab.until(lambda: lab.ticks(asset_id), lambda rows: len(rows) == 3)
    gaps = [(b["ticked_at"] - a["ticked_at"]).total_seconds() for a, b in itertools.pairwise(ticks)]
    assert all(gap >= 2 for gap in gaps)


async def test_d21_a_signal_accepted_while_the_engine_is_down_is_applied_when_it_is_back(lab: PriceLab) -> None:
    asset_id, _ = await lab.asset()
    insert = """INSERT INTO exchange.oracle_signals (id, asset_id, status, delta_bps, applied_bps, confidence_bps)
                VALUES (%s, %s, 'accepted', 500, 500, 9000)"""
    await lab.rows(insert, new_id(), asset_id)
    async with lab.serving():
        ticks = await lab.until(lambda: lab.ticks(asset_id), bool)
        assert ticks[0]["cause"] == "oracle"
        second = new_id()
        await lab.rows(insert, second, asset_id)
        for _ in range(3):
            assert await lab.processes.signal(ids.price_engine(asset_id), "oracle", OracleNews(signal_id=second))
        applied = "SELECT count(*) AS n FROM exchange.oracle_signals WHERE status = 'applied'"
        await lab.until(lambda: lab.row(applied), lambda row: row["n"] == 2)
    moves = await lab.rows("SELECT * FROM exchange.oracle_signals ORDER BY id")
    assert moves[0]["fundamental_after_pico"] == moves[1]["fundamental_before_pico"]


@pytest.mark.parametrize("seed", [1, 2])
async def test_killed_workers_lose_and_double_nothing(lab: PriceLab, temporal: RunningTemporal, seed: int) -> None:
    """SIGKILL in the middle of trading, twice; the next worker goes on from the books."""
    draw = random.Random(seed)
    asset_id, account = await lab.asset()
    busy = asyncio.create_task(trading(lab.pool, asset_id, account, every_s=0.01))
    try:
        for _ in range(2):
            worker = await spawn(lab.dsn, temporal.address)
            before = len(await lab.ticks(asset_id))
            await lab.until(lambda: lab.ticks(asset_id), lambda rows, n=before: len(rows) > n)
            await asyncio.sleep(draw.random() * 2)
            worker.kill()
            await worker.wait()
    finally:
        busy.cancel()
        await asyncio.gather(busy, return_exceptions=True)
    async with lab.serving(follow=False):
        await lab.until(lambda: lab.summed(asset_id), bool)
    doubled = await lab.rows(
        """SELECT 1 FROM exchange.price_ticks a JOIN exchange.price_ticks b ON b.id = a.id + 1
           WHERE a.asset_id = b.asset_id AND b.ticked_at < a.ticked_at"""
    )
    assert doubled == []


# --- history ----------------------------------------------------------------------------------------------------------


async def test_an_engine_continues_as_new_and_loses_nothing(database: str) -> None:
    """On a server that suggests it after a few dozen events instead of thousands."""
    suggested = "limit.historyCount.suggestContinueAsNew=40"
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(binary()),
        data_converter=pydantic_data_converter,
        search_attributes=list(search.ALL),
        dev_server_extra_args=["--dynamic-config-value", suggested],
    ) as env:
        async with PriceLab.open(database, env.client) as lab, lab.serving():
            asset_id, account = await lab.asset()
            handle = lab.client.get_workflow_handle(ids.price_engine(asset_id))
            runs: set[str] = set()
            async with asyncio.timeout(PATIENCE_S):
                while len(runs) < 3:
                    await fill(lab.pool, asset_id, account, USDC_ONE)
                    await asyncio.sleep(0.2)
                    with contextlib.suppress(RPCError):
                        runs.add((await handle.describe()).run_id or "")
            await lab.until(lambda: lab.summed(asset_id), bool)
