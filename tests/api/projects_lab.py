"""Projects with their sales, as rows behind an API."""

from __future__ import annotations

from typing import Any

from storage.database import transaction
from tests import launchpad_rows as rows
from tests.api.lab import Api
from tests.launchpad_rows import Row


async def make(api: Api, **change: Any) -> Row:
    async with transaction(api.deps.writes) as connection:
        return await rows.project(connection, api.admin_id, **change)


async def buy(api: Api, row: Row, lamports: int, who: str | None = None, uplines: tuple[str, ...] = ()) -> int:
    async with transaction(api.deps.writes) as connection:
        return await rows.trade(connection, row, who or rows.wallet(), lamports, uplines)
