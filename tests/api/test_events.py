"""Event streams over a real server: order, resume, who sees what, and that no late commit is skipped."""

from __future__ import annotations

import asyncio
import json
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import psycopg
import pytest_asyncio

from domain.shared.events import Event
from storage.accounts import add_account, add_key, ensure_admin, new_key
from storage.database import Pool, make_pool, transaction
from storage.events import emit
from storage.restored import settle
from tests.api.lab import Api, problem
from tests.api.process import ServerProcess, running_server
from tests.patience import PATIENCE_S

Told = dict[str, Any]


class Streams:
    """A server with an administrator and one trader."""

    def __init__(self, server: ServerProcess, dsn: str, pool: Pool, admin: str) -> None:
        self.server, self.dsn, self.pool, self.admin = server, dsn, pool, admin

    async def say(self, number: int, account_id: str | None = None, topic: str = "custody") -> None:
        async with transaction(self.pool) as connection:
            await emit(connection, Event(topic=topic, type="said", account_id=account_id, payload={"n": number}))

    async def trader(self) -> tuple[str, str]:
        key = new_key()
        async with transaction(self.pool) as connection:
            account_id = await add_account(
                connection, principal="test", name="t", role="trader", email=None, password_hash=None
            )
            await add_key(connection, principal="test", account_id=account_id, api_key=key, scopes=["exchange:read"])
        return account_id, key

    @asynccontextmanager
    async def follow(self, key: str, query: str = "?topics=custody", **headers: str) -> AsyncIterator[Follower]:
        named = {"Authorization": f"Bearer {key}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        async with httpx.AsyncClient(timeout=20) as client:
            async with client.stream("GET", f"{self.server.url}/api/events{query}", headers=named) as response:
                assert response.status_code == 200, await response.aread()
                assert response.headers["content-type"].startswith("text/event-stream")
                follower = Follower(response)
                await follower.line(": connected")
                yield follower


class Follower:
    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def line(self, wanted: str) -> None:
        while await anext(self._lines) != wanted:
            pass

    async def events(self, count: int, timeout: float = PATIENCE_S) -> list[Told]:
        found: list[Told] = []
        event_id = ""
        async with asyncio.timeout(timeout):
            while len(found) < count:
                line = await anext(self._lines)
                if line.startswith("id: "):
                    event_id = line[4:]
                if line.startswith("data: "):
                    found.append(json.loads(line[6:]))
                    assert found[-1]["id"] == event_id
        return found


def numbers(events: list[Told]) -> list[int]:
    return [e["payload"]["n"] for e in events]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def streams(new_database: Callable[[], Awaitable[str]]) -> AsyncIterator[Streams]:
    dsn = await new_database()
    async with running_server(dsn) as server, make_pool(dsn, size=4, name="test") as pool:
        admin = new_key()
        await ensure_admin(pool, admin)
        yield Streams(server, dsn, pool, admin)


async def test_events_come_as_they_are_committed(streams: Streams) -> None:
    async with streams.follow(streams.admin) as follower:
        for number in range(5):
            await streams.say(number)
        events = await follower.events(5)
    assert numbers(events) == [0, 1, 2, 3, 4]
    assert events[0]["topic"] == "custody"
    assert events[0]["type"] == "said"
    assert events[0]["version"] == 1


async def test_a_client_resumes_where_it_was(streams: Streams) -> None:
    async with streams.follow(streams.admin) as follower:
        await streams.say(1)
        (first,) = await follower.events(1)
    for number in range(2, 6):
        await streams.say(number)
    async with streams.follow(streams.admin, Last_Event_ID=first["id"]) as follower:
        assert numbers(await follower.events(4)) == [2, 3, 4, 5]
        await streams.say(6)
        assert numbers(await follower.events(1)) == [6]


async def test_a_client_from_beyond_the_newest_event_is_told_to_begin_anew(streams: Streams) -> None:
    """Its id comes from a database that has been restored since: numbers it knows do not come back for a long time."""
    async with streams.follow(streams.admin, Last_Event_ID="999999999999-7") as follower:
        (reset,) = await follower.events(1)
        assert (reset["type"], reset["payload"]) == ("reset", {"after": "999999999999-7"})
        await streams.say(1)
        assert numbers(await follower.events(1)) == [1]
    async with streams.follow(streams.admin, Last_Event_ID=reset["id"]) as follower:
        assert numbers(await follower.events(1)) == [1]


async def test_a_client_whose_event_is_not_kept_is_told_to_begin_anew(streams: Streams) -> None:
    async with streams.follow(streams.admin) as follower:
        await streams.say(1)
        await streams.say(2)
        first, _ = await follower.events(2)
    async with transaction(streams.pool) as connection:
        await connection.execute("DELETE FROM platform.outbox WHERE id = %s", [int(first["id"].split("-")[1])])
    async with streams.follow(streams.admin, Last_Event_ID=first["id"]) as follower:
        await streams.say(3)
        reset, third = await follower.events(2)
    assert reset["type"] == "reset"
    assert third["payload"] == {"n": 3}


async def test_events_that_a_restore_brought_back_can_be_resumed_after(streams: Streams) -> None:
    async with streams.follow(streams.admin) as follower:
        await streams.say(1)
        await streams.say(2)
        before, _ = await follower.events(2)
    read = "INSERT INTO platform.outbox_cursors (consumer, after_xact, after_id) VALUES ('prices', %s, 7)"
    async with transaction(streams.pool) as connection:
        await connection.execute(read, [int(before["id"].split("-")[0])])
    await settle(streams.dsn)
    async with transaction(streams.pool) as connection:
        cursor = await (await connection.execute("SELECT after_xact FROM platform.outbox_cursors")).fetchone()
        number = int(before["id"].split("-")[1])
        row = await (await connection.execute("SELECT xact FROM platform.outbox WHERE id = %s", [number])).fetchone()
    assert row is not None
    assert row["xact"] < 0
    assert cursor == {"after_xact": row["xact"]}, "a consumer's place moves with the events"
    async with streams.follow(streams.admin, Last_Event_ID=f"{row['xact']}-{number}") as follower:
        assert numbers(await follower.events(1)) == [2]
    async with streams.follow(streams.admin, Last_Event_ID=before["id"]) as follower:
        assert [event["type"] for event in await follower.events(1)] == ["reset"]


async def test_topics_and_owners_limit_what_is_told(streams: Streams) -> None:
    mine, key = await streams.trader()
    other, _ = await streams.trader()
    async with streams.follow(key) as trader, streams.follow(streams.admin, "?topics=custody,system") as admin:
        await streams.say(1, other)
        await streams.say(2, None)
        await streams.say(3, mine, topic="deposits")
        await streams.say(4, mine)
        await streams.say(5, topic="system")
        assert numbers(await trader.events(1)) == [4]
        assert numbers(await admin.events(4)) == [1, 2, 4, 5]


async def test_market_data_is_told_to_everybody(streams: Streams) -> None:
    """Assets, prices and signals belong to nobody; trades belong to their trader; what operators hear stays theirs."""
    mine, key = await streams.trader()
    other, _ = await streams.trader()
    async with streams.follow(key, "") as trader, streams.follow(streams.admin, "?topics=assets,prices") as admin:
        for number, topic in enumerate(("operations", "assets", "custody", "prices", "system", "oracle", "trades")):
            await streams.say(number, topic=topic)
        await streams.say(10, other, topic="prices")
        await streams.say(11, other, topic="trades")
        await streams.say(12, mine, topic="trades")
        before, *events = await trader.events(4)
        assert numbers([before, *events]) == [1, 3, 5, 12]
        assert numbers(await admin.events(3)) == [1, 3, 10]
    async with streams.follow(key, "?topics=assets,oracle,trades", Last_Event_ID=before["id"]) as trader:
        assert numbers(await trader.events(2)) == [5, 12]


async def test_a_late_commit_is_never_skipped(streams: Streams) -> None:
    async with streams.follow(streams.admin) as follower, await psycopg.AsyncConnection.connect(streams.dsn) as early:
        await early.execute(
            "INSERT INTO platform.outbox (topic, type, payload) VALUES ('custody', 'said', '{\"n\": 1}')"
        )
        await streams.say(2)
        await asyncio.sleep(0.5)
        await early.commit()
        assert numbers(await follower.events(2)) == [1, 2]


async def test_events_arrive_quickly(streams: Streams) -> None:
    async with streams.follow(streams.admin) as follower:
        took = []
        for number in range(20):
            before = asyncio.get_running_loop().time()
            await streams.say(number)
            await follower.events(1)
            took.append(asyncio.get_running_loop().time() - before)
    assert statistics.median(took) < 2, took


async def test_many_followers_hear_everything(streams: Streams) -> None:
    async def listen(ready: asyncio.Event) -> list[int]:
        async with streams.follow(streams.admin) as follower:
            ready.set()
            return numbers(await follower.events(30))

    ready = [asyncio.Event() for _ in range(10)]
    tasks = [asyncio.create_task(listen(event)) for event in ready]
    await asyncio.gather(*(event.wait() for event in ready))
    await asyncio.gather(*(streams.say(number) for number in range(30)))
    told = await asyncio.gather(*tasks)
    assert all(sorted(one) == list(range(30)) for one in told)
    assert all(one == told[0] for one in told)


async def test_the_listener_comes_back_after_its_connection_is_lost(streams: Streams) -> None:
    async with streams.follow(streams.admin) as follower:
        async with streams.pool.connection() as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdfast-api-listen'"
            )
        await streams.say(1)
        assert numbers(await follower.events(1)) == [1]


async def test_malformed_streams_are_refused(api: Api) -> None:
    problem(await api.get("/api/events?topics=gossip"), 400, "validation_failed")
    problem(await api.get("/api/events", Last_Event_ID="x"), 400, "validation_failed")
    problem(await api.get("/api/events", None), 401, "unauthorized")


async def test_a_stream_ends_after_its_time_with_heartbeats_in_between(database: str) -> None:
    async with Api.open(database, event_stream_s=2, heartbeat_s=0.1) as api:
        answer = await api.get("/api/events")
        assert answer.text.count(": heartbeat") >= 2
        assert answer.text.rstrip().endswith("resume with Last-Event-ID")


async def test_sigterm_ends_streams_and_the_process(database: str) -> None:
    async with running_server(database) as server, make_pool(database, size=2, name="test") as pool:
        admin = new_key()
        await ensure_admin(pool, admin)
        opened = Streams(server, database, pool, admin)
        async with opened.follow(admin) as follower:
            assert server.rss_mb < 140
            stopping = asyncio.create_task(server.stop())
            await follower.line(": end of this connection, resume with Last-Event-ID")
            assert await asyncio.wait_for(stopping, 60) == 0
