"""What a connection to `/api/sync` may not do, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
import websockets

from storage.database import transaction
from tests import launchpad_rows as rows
from tests.api.sync_stage import Stage, staged
from tests.patience import until


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(new_database: Callable[[], Awaitable[str]]) -> AsyncIterator[Stage]:
    async with staged(await new_database()) as opened:
        yield opened


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
        await until(stage.streams, lambda open_streams: open_streams == 1)  # ten seconds later
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
