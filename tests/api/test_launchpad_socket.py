"""`/api/sync` with a real client against a real server: snapshots, numbered changes, resuming, who hears what."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
import pytest_asyncio
import websockets
from websockets.asyncio.client import ClientConnection, connect

from storage.accounts import add_account, add_key, ensure_admin, new_key, open_session
from storage.database import Pool, make_pool, transaction
from tests import launchpad_rows as rows
from tests.api.process import ServerProcess, running_server
from tests.launchpad_rows import SOL, Row

Told = dict[str, Any]
QUICK = {"LAUNCHPAD_SYNC_PROJECT_S": "0", "LAUNCHPAD_SYNC_WALLET_S": "0", "LAUNCHPAD_SYNC_SYSTEM_S": "0"}


class Client:
    """Says and hears JSON; what is wanted next must come next, heartbeats aside."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, op: str, channel: str = "", key: str = "", **more: Any) -> None:
        await self.connection.send(json.dumps({"op": op, "channel": channel, "key": key, **more}))

    async def next(self) -> Told:
        async with asyncio.timeout(10):
            while True:
                told: Told = json.loads(await self.connection.recv())
                if told["op"] != "heartbeat":
                    return told

    async def follow(self, channel: str, key: str = "", **more: Any) -> Told:
        await self.say("subscribe", channel, key, **more)
        told = await self.next()
        assert (told.get("channel"), told.get("key")) == (channel, key), told
        return told

    async def rest(self) -> None:
        """Hear until the connection is closed."""
        async with asyncio.timeout(20):
            while True:
                await self.connection.recv()

    async def flood(self) -> None:
        async with asyncio.timeout(20):
            while True:
                await self.say("subscribe", "tax-stats")

    async def closed(self) -> int:
        """The code it is closed with."""
        with pytest.raises(websockets.ConnectionClosed) as closing:
            await self.rest()
        assert closing.value.rcvd is not None
        return closing.value.rcvd.code


class Stage:
    """A server, and the launchpad's rows behind it."""

    def __init__(self, server: ServerProcess, pool: Pool, admin: str, admin_id: str, dsn: str) -> None:
        self.server, self.pool, self.admin, self.admin_id, self.dsn = server, pool, admin, admin_id, dsn

    @asynccontextmanager
    async def client(self, key: str | None = None, **headers: str) -> AsyncIterator[Client]:
        named = headers | ({"Authorization": f"Bearer {key}"} if key else {})
        url = self.server.url.replace("http", "ws") + "/api/sync"
        async with connect(url, additional_headers=named, proxy=None) as connection:
            yield Client(connection)

    async def project(self, **change: Any) -> Row:
        async with transaction(self.pool) as connection:
            return await rows.project(connection, self.admin_id, **change)

    async def buy(self, row: Row, who: str | None = None, uplines: tuple[str, ...] = ()) -> int:
        async with transaction(self.pool) as connection:
            return await rows.trade(connection, row, who or rows.wallet(), SOL, uplines)


@asynccontextmanager
async def staged(dsn: str, **changes: str) -> AsyncIterator[Stage]:
    async with running_server(dsn, **{**QUICK, **changes}) as server, make_pool(dsn, size=4, name="test") as pool:
        admin = new_key()
        yield Stage(server, pool, admin, await ensure_admin(pool, admin), dsn)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(new_database: Callable[[], Awaitable[str]]) -> AsyncIterator[Stage]:
    async with staged(await new_database()) as opened:
        yield opened


def chained(told: list[Told], start: str) -> None:
    """Each delta comes after what was told before it."""
    for delta in told:
        assert (delta["op"], delta["after"]) == ("delta", start), delta
        start = delta["seq"]


async def test_a_project_is_followed_without_a_key(stage: Stage) -> None:
    row, other = await stage.project(), await stage.project()
    async with stage.client() as client:
        snapshot = await client.follow("project", row.project_id)
        assert snapshot["op"] == "snapshot"
        assert (snapshot["state"]["sold"], snapshot["state"]["investors"]) == ("0", 0)
        deltas = []
        for number in range(1, 4):
            await stage.buy(other)
            tokens = await stage.buy(row)
            deltas.append(await client.next())
            (event,) = deltas[-1]["events"]
            assert (event["type"], event["payload"]["tokens"]) == ("sale_traded", str(tokens))
            assert deltas[-1]["state"]["investors"] == number
            assert "hard_cap_sol" not in deltas[-1]["state"], "only what changed is told"
        chained(deltas, snapshot["seq"])


async def test_what_changes_often_is_told_together_and_nothing_is_left_out(database: str) -> None:
    """The first change is told at once, the rest of them once the ceiling is over: by their numbers, in one delta."""
    async with staged(database, LAUNCHPAD_SYNC_PROJECT_S="3") as slow:
        row = await slow.project()
        async with slow.client() as client:
            snapshot = await client.follow("project", row.project_id)
            bought = [await slow.buy(row) for _ in range(5)]
            told = [await client.next()]
            while sum(len(delta["events"]) for delta in told) < 5:
                told.append(await client.next())
            chained(told, snapshot["seq"])
            assert len(told) == 1
            events = [event for delta in told for event in delta["events"]]
            assert [int(event["payload"]["tokens"]) for event in events] == bought
            assert told[-1]["state"]["investors"] == 5
            assert told[-1]["seq"] == events[-1]["id"]


async def test_a_client_resumes_over_a_restart_of_the_server(database: str) -> None:
    async with staged(database) as first:
        row = await first.project()
        async with first.client() as client:
            snapshot = await client.follow("project", row.project_id)
            await first.buy(row)
            known = await client.next()
            chained([known], snapshot["seq"])
        await first.server.stop()
        async with transaction(first.pool) as connection:
            away = [await rows.trade(connection, row, rows.wallet(), SOL) for _ in range(3)]
    async with staged(database) as second, second.client() as client:
        resumed = await client.follow("project", row.project_id, seq=known["seq"])
        assert (resumed["op"], resumed["seq"]) == ("resumed", known["seq"])
        delta = await client.next()
        chained([delta], known["seq"])
        assert [int(event["payload"]["tokens"]) for event in delta["events"]] == away
        assert (delta["state"]["investors"], delta["state"]["hard_cap_sol"]) == (4, "50"), "the state comes whole"
        live = await second.buy(row)
        following = await client.next()
        chained([following], delta["seq"])
        assert following["events"][0]["payload"]["tokens"] == str(live)


async def test_figures_that_changed_while_away_are_told_without_an_event(stage: Stage) -> None:
    row = await stage.project()
    async with stage.client() as client:
        await client.follow("project", row.project_id)
        await stage.buy(row)
        known = await client.next()
    async with transaction(stage.pool) as connection:
        await connection.execute("UPDATE launchpad.sales SET pool_address = 'there' WHERE id = %s", [row.sale_id])
    async with stage.client() as client:
        resumed = await client.follow("project", row.project_id, seq=known["seq"])
        assert resumed["op"] == "resumed"
        delta = await client.next()
        assert (delta["events"], delta["state"]["pool_address"]) == ([], "there")


async def test_whoever_cannot_go_on_begins_anew(stage: Stage) -> None:
    row = await stage.project()
    async with stage.client() as client:
        for seq in ("999999999999-7", "1-7"):
            begun = await client.follow("project", row.project_id, seq=seq)
            assert (begun["op"], begun["reset"]) == ("snapshot", True)
        assert (await client.follow("project", row.project_id, seq="x"))["code"] == "validation_failed"


async def test_a_late_commit_is_told(stage: Stage) -> None:
    row = await stage.project()
    async with stage.client() as client, await psycopg.AsyncConnection.connect(stage.dsn) as early:
        await client.follow("project", row.project_id)
        payload = json.dumps({"project_id": row.project_id, "n": 1})
        await early.execute(
            "INSERT INTO platform.outbox (topic, type, payload) VALUES ('launchpad', 'said', %s)", [payload]
        )
        await stage.buy(row)
        await asyncio.sleep(0.3)
        await early.commit()
        told = [await client.next()]
        while len([event for delta in told for event in delta["events"]]) < 2:
            told.append(await client.next())
        assert [event["type"] for delta in told for event in delta["events"]] == ["said", "sale_traded"]


async def test_a_wallet_is_for_whoever_is_signed_in(stage: Stage) -> None:
    row, root, buyer = await stage.project(), rows.wallet(), rows.wallet()
    async with stage.client() as nobody:
        assert (await nobody.follow("referral", root))["code"] == "unauthorized"
    key = new_key()
    async with transaction(stage.pool) as connection:
        trader = await add_account(connection, principal="t", name="t", role="trader", email=None, password_hash=None)
        await add_key(connection, principal="t", account_id=trader, api_key=key, scopes=["exchange:read"])
    async with stage.client(key) as stranger:
        assert (await stranger.follow("referral", root))["code"] == "forbidden"
        assert (await stranger.follow("project", row.project_id))["op"] == "snapshot"
    async with stage.client(stage.admin) as client:
        snapshot = await client.follow("referral", root)
        assert snapshot["state"]["earned_sol"] == "0"
        await stage.buy(row, rows.wallet())
        await stage.buy(row, buyer, (root,))
        delta = await client.next()
        chained([delta], snapshot["seq"])
        assert (delta["state"]["earned_sol"], delta["state"]["tree"][0]["wallet"]) == ("0.001", buyer)
        assert delta["events"][0]["payload"]["wallet"] == buyer
    async with stage.client("hf_wrong") as wrong:
        assert (await wrong.next())["code"] == "unauthorized"
        assert await wrong.closed() == 4401


async def test_a_session_counts_only_for_pages_of_our_own(stage: Stage) -> None:
    token, _, _ = await open_session(stage.pool, stage.admin_id, 1)
    cookie = {"Cookie": f"hf_session={token}"}
    async with stage.client(**cookie, Origin=stage.server.url) as own:
        assert (await own.follow("referral", rows.wallet()))["op"] == "snapshot"
    async with stage.client(**cookie, Origin="https://evil.example") as other:
        assert (await other.follow("referral", rows.wallet()))["code"] == "unauthorized"
        assert (await other.follow("tax-stats"))["op"] == "snapshot"


async def test_taxes_of_every_sale_are_followed(stage: Stage) -> None:
    row = await stage.project()
    async with stage.client() as client:
        snapshot = await client.follow("tax-stats")
        await stage.buy(row)
        delta = await client.next()
        chained([delta], snapshot["seq"])
        assert list(delta["state"]) == ["escrow_sol"]


async def test_what_is_booked_a_moment_after_its_event_is_told_too(stage: Stage) -> None:
    """Counters are read off the chain after the events: the state is looked at once more."""
    row = await stage.project()
    async with stage.client() as client:
        snapshot = await client.follow("project", row.project_id)
        await stage.buy(row)
        delta = await client.next()
        async with transaction(stage.pool) as connection:
            await connection.execute("UPDATE launchpad.sales SET read_slot = 4711 WHERE id = %s", [row.sale_id])
        late = await client.next()
        chained([delta, late], snapshot["seq"])
        assert (late["events"], late["seq"], late["state"]) == ([], delta["seq"], {"read_slot": 4711})


async def test_mistakes_are_answered_and_the_connection_goes_on(stage: Stage) -> None:
    hidden = await stage.project(status="preparing")
    async with stage.client() as client:
        for text in ("", "{", "[]", '{"op":"shout"}', '{"op":"ping","more":1}', "\ud800".encode("utf-8", "replace")):
            await client.connection.send(text)
            assert (await client.next())["code"] == "malformed_request", text
        assert (await client.follow("gossip"))["code"] == "validation_failed"
        assert (await client.follow("project", "x"))["code"] == "validation_failed"
        assert (await client.follow("tax-stats", "x"))["code"] == "validation_failed"
        assert (await client.follow("project", hidden.project_id))["code"] == "not_found"
        await client.say("ping")
        assert await client.next() == {"op": "pong"}


async def test_an_unfollowed_channel_is_silent(stage: Stage) -> None:
    row, other = await stage.project(), await stage.project()
    async with stage.client() as client:
        await client.follow("project", row.project_id)
        await client.follow("project", other.project_id)
        await client.say("unsubscribe", "project", row.project_id)
        assert (await client.next())["op"] == "unsubscribed"
        await stage.buy(row)
        await stage.buy(other)
        assert (await client.next())["key"] == other.project_id


async def test_a_project_that_is_withdrawn_is_gone(stage: Stage) -> None:
    row = await stage.project()
    async with stage.client() as client:
        await client.follow("project", row.project_id)
        async with transaction(stage.pool) as connection:
            await connection.execute("UPDATE launchpad.projects SET status = 'undone' WHERE id = %s", [row.project_id])
            await rows.tell(connection, row, "project_changed")
        assert (await client.next())["op"] == "gone"


async def test_one_connection_follows_only_so_many(stage: Stage) -> None:
    made = [await stage.project() for _ in range(51)]
    async with stage.client() as client:
        told = [await client.follow("project", row.project_id) for row in made]
    assert [one["op"] for one in told] == ["snapshot"] * 50 + ["error"]
    assert told[-1]["code"] == "rate_limited"


async def test_a_giant_ends_the_connection(stage: Stage) -> None:
    async with stage.client() as client:
        await client.connection.send("x" * 5_000)
        assert await client.closed() == 1009


async def test_a_flood_of_messages_ends_the_connection(stage: Stage) -> None:
    """Who does not stop talking may not hear why."""
    async with stage.client() as client:
        with pytest.raises(websockets.ConnectionClosed):
            await client.flood()


async def test_a_client_that_does_not_read_is_dropped_and_the_others_go_on(stage: Stage) -> None:
    row = await stage.project()
    async with stage.client() as good, stage.client() as lazy:
        await good.follow("project", row.project_id)
        await lazy.follow("project", row.project_id)
        lazy.connection.transport.pause_reading()
        padding = "x" * 60_000
        for number in range(300):
            async with transaction(stage.pool) as connection:
                await rows.tell(connection, row, "said", padding=padding, number=number)
            await good.next()
        await asyncio.sleep(11)
        lazy.connection.transport.resume_reading()
        with pytest.raises(websockets.ConnectionClosed):
            await lazy.rest()
        await stage.buy(row)
        assert (await good.next())["events"][0]["type"] == "sale_traded"


async def test_sigterm_tells_clients_to_come_back(database: str) -> None:
    async with staged(database) as going:
        row = await going.project()
        async with going.client() as client:
            await client.follow("project", row.project_id)
            stopping = asyncio.create_task(going.server.stop())
            assert await client.closed() == 1012
            assert await stopping == 0
