"""One shared app for most tests (each makes its own accounts), a fresh one where the whole state matters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest_asyncio

from tests.api.lab import Api


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def api(new_database: Callable[[], Awaitable[str]]) -> AsyncIterator[Api]:
    async with Api.open(await new_database()) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def fresh_api(database: str) -> AsyncIterator[Api]:
    async with Api.open(database) as opened:
        yield opened
