"""The feed and its neighbours as processes: following, polling, settling, killed in the middle (B4 9, 11)."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowExecutionStatus

from domain.copytrade.feed_messages import FollowEnded, RunFeed
from domain.copytrade.messages import RunGlobal
from domain.shared import ids
from domain.shared.processes import COPYTRADE, Start
from localnet.running import RunningTemporal, running_temporal
from storage.copytrade.configs import change_general
from storage.database import transaction
from tests.feed_lab import FeedLab, open_feed_lab
from tests.feed_worker import feed_settings, start_worker
from tests.patience import PATIENCE_S
from tests.scene_lab import LADDER
from workflows import client as temporal

RAIN = "rain-in-paris"


class Processes:
    """Workers and processes of one lab."""

    def __init__(self, lab: FeedLab, client: Client, settings: dict[str, Any]) -> None:
        self.lab, self.client, self.settings = lab, client, settings
        self.children: list[asyncio.subprocess.Process] = []

    async def worker(self) -> None:
        self.children.append(await start_worker(self.settings))

    async def kill(self) -> None:
        child = self.children.pop()
        child.kill()
        await child.wait()

    async def follow(self, name: str) -> tuple[str, FollowEnded]:
        step = await self.lab.wish(name)
        start = Start(subject_id=step.user_id, operation_id=step.operation_id)
        ended: FollowEnded = await self.run("FollowLeader", ids.follow(step.user_id), start, FollowEnded)
        return step.user_id, ended

    async def run(self, workflow: str, name: str, argument: object = None, result: type[Any] | None = None) -> Any:
        given = [argument] if argument is not None else []
        return await asyncio.wait_for(
            self.client.execute_workflow(workflow, args=given, id=name, task_queue=COPYTRADE, result_type=result), 60
        )

    async def portfolio(self) -> None:
        await self.client.start_workflow("GlobalPortfolio", RunGlobal(), id=ids.GLOBAL_PORTFOLIO, task_queue=COPYTRADE)

    async def feed(self) -> None:
        await self.client.start_workflow("CopytradeFeed", RunFeed(), id=ids.COPYTRADE_FEED, task_queue=COPYTRADE)


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningTemporal]:
    async with running_temporal(tmp_path_factory.mktemp("temporal")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[FeedLab]:
    async with open_feed_lab(database) as opened:
        await opened.venue.market(RAIN, category="weather")
        yield opened


@asynccontextmanager
async def processes(lab: FeedLab, server: RunningTemporal) -> AsyncIterator[Processes]:
    client = await temporal.connect(server.address, "default")
    made = Processes(lab, client, feed_settings(lab.dsn, server.address, lab.venue.settings()))
    await made.worker()
    try:
        yield made
    finally:
        for name in (ids.COPYTRADE_FEED, ids.GLOBAL_PORTFOLIO):
            with contextlib.suppress(Exception):
                await client.get_workflow_handle(name).terminate()
        while made.children:
            await made.kill()


async def test_a_leader_is_followed_polled_copied_and_settled(lab: FeedLab, server: RunningTemporal) -> None:
    async with processes(lab, server) as world:
        await lab.venue.trade("alice", f"{RAIN}:1", "BUY", "3", price="0.4", ago_s=30)
        user, ended = await world.follow("alice")
        assert ended.code == ""
        operation = await lab.row("SELECT status::text FROM platform.operations")
        assert operation["status"] == "completed"
        await world.feed()
        await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "20", price="0.52")
        [group] = await lab.until(lambda: lab.groups(user), lambda rows: len(rows) == 1)
        handle = world.client.get_workflow_handle(ids.copy_attempt(group["group_key"]))
        await lab.until(lambda: started(handle), bool)
        assert await lab.shadow(user) == lab.venue.positions("alice")
        await lab.venue.resolve(RAIN, 0)
        await world.run("MarketFacts", "facts-1")
        done = await world.run("Settlement", "settlement-1")
        assert done["positions"] >= 2
        assert await lab.shadow(user) == {}
        found = await world.run("Drift", "drift-1")
        assert (found["tokens"], found["failed"]) == (0, 0)
    await lab.check_shadow()


async def started(handle: Any) -> bool:
    with contextlib.suppress(Exception):
        await handle.describe()
        return True
    return False


async def test_somebody_unknown_is_given_up(lab: FeedLab, server: RunningTemporal) -> None:
    async with processes(lab, server) as world:
        step = await lab.wish("nobody", profile="nobody-of-that-name")
        start = Start(subject_id=step.user_id, operation_id=step.operation_id)
        ended = await world.run("FollowLeader", ids.follow(step.user_id), start, FollowEnded)
    assert ended.code == "profile_not_found"
    operation = await lab.row("SELECT status::text AS status, failure_code FROM platform.operations")
    assert operation == {"status": "failed", "failure_code": "profile_not_found"}


async def test_sigkill_of_the_worker_loses_and_doubles_nothing(lab: FeedLab, server: RunningTemporal) -> None:
    """B4 11: killed again and again in the middle of polls, while two leaders trade, split and merge."""
    dice = random.Random(11)
    async with processes(lab, server) as world:
        users = {name: (await world.follow(name))[0] for name in ("alice", "bob")}
        await world.feed()
        trading = True

        async def trade() -> None:
            while trading:
                name = dice.choice(list(users))
                await lab.venue.trade(name, f"{RAIN}:0", "BUY", "5", price="0.5", copies=dice.choice((1, 2)))
                if dice.random() < 0.3:
                    await lab.venue.split(name, RAIN, "4")
                    await lab.venue.merge(name, RAIN, "2")
                await asyncio.sleep(0.02)

        task = asyncio.create_task(trade())
        for _ in range(4):
            await asyncio.sleep(dice.uniform(0.5, 2.0))
            await world.kill()
            await world.worker()
        trading = False
        await task
        for name, user in users.items():
            await lab.until(
                lambda user=user: lab.shadow(user),
                lambda held, name=name: held == lab.venue.positions(name),
                every=0.3,
            )
            assert len(await lab.trades(user)) == sum(row["type"] == "TRADE" for row in lab.venue.rows(name))
        waiting = "SELECT group_key FROM copytrade.event_groups WHERE dispatched_at IS NULL"
        await lab.until(lambda: lab.rows(waiting), lambda rows: not rows)
        for row in await lab.rows("SELECT group_key, fills FROM copytrade.event_groups"):
            found = await world.client.get_workflow_handle(ids.copy_attempt(row["group_key"])).describe()
            assert found.status is not WorkflowExecutionStatus.FAILED
        members = await lab.row(
            """SELECT count(*) AS members, (SELECT sum(fills) FROM copytrade.event_groups)::bigint AS fills,
                 (SELECT count(*) FROM copytrade.trade_events WHERE NOT baseline)
                 + (SELECT count(*) FROM copytrade.activity_events WHERE NOT baseline) AS events
               FROM copytrade.group_members"""
        )
        assert members["members"] == members["fills"] == members["events"]
    await lab.check_shadow()


async def test_small_trades_that_wait_survive_sigkill(lab: FeedLab, server: RunningTemporal) -> None:
    """Killed whenever one has joined: what waits is in the books, and is decided once in each portfolio."""
    market = lab.venue.venue.market(RAIN)
    await lab.venue.book(market.tokens[0].id, *LADDER)
    rules = {
        "small_trades": {"enabled": True, "quiet_ms": 120_000, "longest_ms": 600_000},
        "guardrails": {"max_copy_age_ms": 600_000},
    }
    async with transaction(lab.books.pool) as connection:
        await change_general(connection, rules, actor="test", reason="kill")
    async with processes(lab, server) as world:
        user, _ = await world.follow("alice")
        await world.feed()
        await world.portfolio()
        for number in (1, 2, 3):
            await lab.venue.trade("alice", f"{RAIN}:0", "BUY", "40", price="0.51")
            await lab.until(lambda: lab.groups(user), lambda found, n=number: sum(g["fills"] for g in found) == n)
            await world.kill()
            await world.worker()
        attempts = "SELECT *, decision::text AS verdict, source_type::text AS source FROM copytrade.copy_attempts"
        found = await lab.until(lambda: lab.rows(attempts), lambda rows: len(rows) == 2)
        [group] = await lab.groups(user)
        handle = world.client.get_workflow_handle(ids.copy_attempt(group["group_key"]))
        await asyncio.wait_for(handle.result(), PATIENCE_S)
    assert {(a["verdict"], a["source"], a["buffered_count"], a["group_key"]) for a in found} == {
        ("EXECUTE", "BUFFER", 3, group["group_key"])
    }
    counted = await lab.row(
        """SELECT (SELECT count(*) FROM copytrade.group_members) AS members,
             (SELECT count(*) FROM copytrade.group_inputs) AS inputs,
             (SELECT count(*) FROM copytrade.ledger_entries WHERE ref_id = %s AND entry_type = 'TRADE_FILL') AS own""",
        group["group_key"],
    )
    assert counted == {"members": 3, "inputs": 1, "own": 2}
    assert group["due_at"] < group["window_start"] + timedelta(seconds=100), "closed by what came together"
