"""The connection an engine writes with: locked to the engine's number for as long as it lives (storage/fence.py)."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Final

from storage import fence
from storage.database import Connection

CLASS: Final = 7_200_020
# One generic plan per statement over indexes: a plan made while a table is empty stays in its session.
ENGINE: Final = fence.Fence("engine", CLASS, {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"})


def fenced(dsn: str, number: int) -> AbstractAsyncContextManager[Connection]:
    """The one connection that may write for engine `number`."""
    return fence.fenced(dsn, ENGINE, number)
