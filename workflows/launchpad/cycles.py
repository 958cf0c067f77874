"""Many transactions of one run, some at a time: what becomes of one does not keep the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception

from domain.launchpad.transactions import Outcome
from workflows.failures import STEP_FAILED, code_of
from workflows.launchpad.landing import land

AT_ONCE: Final = 8
"""Transactions on their way at a time."""
TIMED_OUT: Final = "timed_out"
"""Why one has not landed that something holds (the day limit, a node, the signer). It stays planned or signed, and the
next run goes on with it."""


async def land_each(keys: Sequence[str], *, each: timedelta, within: timedelta) -> dict[str, str]:
    """What kept each of them from landing; empty when nothing did.

    Args:  each    as long as one of them is waited for, once it has its turn.
           within  of the run's beginning all have ended, so that what they did can still be recorded.
    """
    room, ends = asyncio.Semaphore(AT_ONCE), workflow.info().start_time + within

    async def one(key: str) -> str:
        async with room:
            left = min(each, ends - workflow.now())
            return await _land(key, left.total_seconds()) if left > timedelta() else TIMED_OUT

    # with its exceptions: cancelled, it waits for all of them, and Temporal takes no timer back after the end of a run
    told = dict(zip(keys, await asyncio.gather(*map(one, keys), return_exceptions=True), strict=True))
    for failure in told.values():
        if isinstance(failure, BaseException):
            raise failure
    return {key: why for key, why in told.items() if isinstance(why, str)}


async def _land(key: str, seconds: float) -> str:
    try:
        async with asyncio.timeout(seconds) as bound:
            landing = await land(key, finalized=True)
    except TimeoutError:
        return TIMED_OUT
    except STEP_FAILED as error:
        if not is_cancelled_exception(error):
            return code_of(error)
        if bound.expired():  # a step that is cancelled says so in its own way, and no TimeoutError is made of it
            return TIMED_OUT
        raise
    return "" if landing.outcome is Outcome.LANDED else landing.code or str(landing.outcome)
