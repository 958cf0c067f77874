"""A market behind the API: assets that trade, accounts with money, and an engine in this process."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from domain.shared.money import USDC_ONE
from storage.listen import Listener
from tests.api.lab import Api
from tests.world.assets import funded_asset
from tests.world.market import Market, open_market

PATH = "/api/exchange/trades"


async def asset(api: Api, **changes: Any) -> str:
    """An active asset with p0 = 1 and k = 0.01, without a breaker unless asked for."""
    return await funded_asset(api.deps.database_url, **changes)


async def trader(api: Api, usdc: int = 1_000) -> tuple[str, str]:
    """An account with whole USDC, and its key."""
    account_id, key = await api.account()
    if usdc:
        await api.fund(account_id, usdc * USDC_ONE)
    return account_id, key


@asynccontextmanager
async def engine(api: Api) -> AsyncIterator[Market]:
    """The market engine at work, as its activity runs it."""
    async with open_market(api.deps.database_url) as market:

        async def work() -> None:
            async with Listener(api.deps.database_url).listen("orders", 0.5) as wake_ups:
                async for _ in wake_ups:
                    await market.drain()

        task = asyncio.create_task(work())
        try:
            yield market
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def order(
    api: Api, key: str, asset_id: str, account_id: str, *, idem: str | None = None, wait: int = 0, **fields: str
) -> httpx.Response:
    """Place an order: `amount_usdc` makes it a buy, `shares` a sale; under a fresh key unless one is given."""
    body = {"asset_id": asset_id, "account_id": account_id, "side": "sell" if "shares" in fields else "buy", **fields}
    headers = {"Idempotency_Key": idem or secrets.token_hex(8)}
    if wait:
        headers["Prefer"] = f"wait={wait}"
    return await api.post(PATH, body, key, **headers)
