"""A server, clients of `/api/sync`, and the launchpad's rows behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from storage.accounts import ensure_admin, new_key
from storage.database import Pool, make_pool, transaction
from tests import launchpad_rows as rows
from tests.api.process import ServerProcess, running_server
from tests.launchpad_rows import SOL, Row
from tests.patience import PATIENCE_S

Told = dict[str, Any]
QUICK = {"LAUNCHPAD_SYNC_PROJECT_S": "0", "LAUNCHPAD_SYNC_WALLET_S": "0", "LAUNCHPAD_SYNC_SYSTEM_S": "0"}


class Client:
    """Says and hears JSON; what is wanted next must come next, heartbeats aside."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, op: str, channel: str = "", key: str = "", **more: Any) -> None:
        await self.connection.send(json.dumps({"op": op, "channel": channel, "key": key, **more}))

    async def next(self) -> Told:
        async with asyncio.timeout(PATIENCE_S):
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
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await self.connection.recv()

    async def flood(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
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

    async def streams(self) -> int:
        """Streams that the server counts as open."""
        async with httpx.AsyncClient() as asking:
            text = (await asking.get(f"{self.server.url}/metrics")).text
        [line] = [line for line in text.splitlines() if line.startswith("holdfast_event_streams ")]
        return int(float(line.split()[1]))

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
