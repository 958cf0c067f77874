"""The smallest JSON-RPC client the local chain needs: one HTTP session, one call at a time or several."""

from __future__ import annotations

import itertools
from types import TracebackType
from typing import Any

import aiohttp


class RpcError(Exception):
    """The node answered with an error object."""

    def __init__(self, method: str, error: Any) -> None:
        super().__init__(f"{method}: {error}")
        self.error = error


class JsonRpc:
    """``async with JsonRpc(url) as rpc: await rpc("eth_chainId")``."""

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        self.url = url
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._ids = itertools.count(1)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> JsonRpc:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __call__(self, method: str, *params: Any) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        body = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}
        async with self._session.post(self.url, json=body) as answer:
            answer.raise_for_status()
            value = await answer.json(content_type=None)
        if "error" in value:
            raise RpcError(method, value["error"])
        return value["result"]
