"""Waiting for the verdicts of orders: everybody who waits is served by one read, whenever the outbox was written to."""

from __future__ import annotations

import asyncio
from typing import Final

import psycopg
import structlog

from api.events.hub import Hub
from domain.shared.errors import Unavailable
from storage.database import Pool
from storage.reads import market as reads

_POLL_S: Final = 0.25
"""How soon to look without a notification: one may be lost with its connection."""
_log = structlog.get_logger("api.verdicts")


class Verdicts:
    """Who waits for which order."""

    def __init__(self, hub: Hub, pool: Pool) -> None:
        self._hub = hub
        self._pool = pool
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._reader: asyncio.Task[None] | None = None

    def expect(self, trade_id: str) -> asyncio.Future[str]:
        """The order's JSON once it has its verdict. Call it before the order is committed, so that none is missed."""
        verdict: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[trade_id] = verdict
        if self._reader is None:
            self._reader = asyncio.create_task(self._read(), name="verdicts")
        return verdict

    def forget(self, trade_id: str) -> None:
        self._waiting.pop(trade_id, None)

    async def wait(self, verdict: asyncio.Future[str], seconds: float) -> str | None:
        """The order's JSON, or None when the time is over."""
        try:
            async with asyncio.timeout(seconds):
                return await verdict
        except TimeoutError:
            return None

    async def stop(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        try:
            pulse = self._hub.pulse
            while self._waiting:
                await self._hub.changed(_POLL_S, pulse)
                # taken before the read: what is written while it runs makes another one
                pulse = self._hub.pulse
                await self._tell()
        finally:
            self._reader = None

    async def _tell(self) -> None:
        try:
            rows = await reads.verdicts(self._pool, list(self._waiting))
        except (Unavailable, psycopg.Error) as error:
            _log.warning("verdicts_not_read", waiting=len(self._waiting), exc_info=error)
            await asyncio.sleep(_POLL_S)
            return
        for row in rows:
            verdict = self._waiting.pop(row["id"], None)
            if verdict is not None and not verdict.done():
                verdict.set_result(row["body"])
