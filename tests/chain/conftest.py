"""A world with manual mining per test: blocks appear only when a test mines them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest_asyncio

from tests.world import World


@pytest_asyncio.fixture(loop_scope="session")
async def world(new_database: Callable[[], Awaitable[str]], tmp_path: Path) -> AsyncIterator[World]:
    async with World.open(await new_database(), tmp_path, replace_after_s=5) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def idle_world(new_database: Callable[[], Awaitable[str]], tmp_path: Path) -> AsyncIterator[World]:
    """The same without workers: a test starts them when it wants to."""
    async with World.open(await new_database(), tmp_path, workers=False) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def hostile_world(new_database: Callable[[], Awaitable[str]], tmp_path: Path) -> AsyncIterator[World]:
    """Its token lies when told to."""
    async with World.open(await new_database(), tmp_path, hostile=True) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def cooling_world(new_database: Callable[[], Awaitable[str]], tmp_path: Path) -> AsyncIterator[World]:
    """New withdrawal addresses wait for four seconds."""
    async with World.open(await new_database(), tmp_path, withdrawal_new_address_cooldown_s=4) as opened:
        yield opened
