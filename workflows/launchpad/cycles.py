"""Many transactions of one run, some at a time: what becomes of one does not keep the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from temporalio.exceptions import is_cancelled_exception

from domain.launchpad.transactions import Outcome
from workflows.failures import STEP_FAILED, code_of
from workflows.launchpad.landing import land

AT_ONCE: Final = 8
"""Transactions on their way at a time."""


async def land_each(keys: Sequence[str]) -> dict[str, str]:
    """What kept each of them from landing; empty when nothing did."""
    told: list[str] = []
    for start in range(0, len(keys), AT_ONCE):
        told += await asyncio.gather(*(_land(key) for key in keys[start : start + AT_ONCE]))
    return dict(zip(keys, told, strict=True))


async def _land(key: str) -> str:
    try:
        landing = await land(key, finalized=True)
    except STEP_FAILED as error:
        if is_cancelled_exception(error):
            raise
        return code_of(error)
    return "" if landing.outcome is Outcome.LANDED else landing.code or str(landing.outcome)
