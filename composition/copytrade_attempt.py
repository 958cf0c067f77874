"""Copy attempts and the global portfolio: where books come from, who may write the one portfolio."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from activities.copytrade.attempts import AttemptActivities
from activities.copytrade.portfolio import GlobalActivities
from composition.parts import Parts
from gateways.protocols import OrderBooks
from settings import WorkerSettings
from storage.copytrade.drains import GlobalDrain, UserDrains
from storage.copytrade.fence import GLOBAL, fenced
from storage.copytrade.inputs import InputsStore
from storage.copytrade.overdue import Overdue


def attempts(settings: WorkerSettings, opened: Parts, books: OrderBooks) -> list[Callable[..., Any]]:
    """Every activity of attempts and of the global portfolio."""
    dsn = settings.database_url.get_secret_value()

    @asynccontextmanager
    async def fence() -> AsyncIterator[GlobalDrain]:
        async with fenced(dsn, GLOBAL) as connection:
            yield GlobalDrain(connection)

    drains = UserDrains(opened.pool, enabled=settings.copytrade_exec_user)
    attempt = AttemptActivities(InputsStore(opened.pool), books, drains, opened.jobs.quarantine)
    portfolio = GlobalActivities(fence, opened.listener.listen, Overdue(opened.pool), opened.processes.copy_group)
    return [attempt.take_inputs, attempt.drain_user, portfolio.run_global]
