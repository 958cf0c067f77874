"""The queue `copytrade`: the feed, attempts, portfolios, marks, the chain's trigger. One module a part beside this."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activities.operations.parking import ParkingActivities
from composition.copytrade_attempt import attempts
from composition.copytrade_chain import chain_trigger
from composition.copytrade_feed import feed
from composition.copytrade_portfolios import portfolios
from composition.parts import Parts
from settings import WorkerSettings

Activities = list[Callable[..., Any]]


def copytrade(settings: WorkerSettings, opened: Parts) -> Activities:
    """Every activity of this queue."""
    return [
        ParkingActivities(opened.jobs).park_operation,
        *attempts(settings, opened, opened.polymarket.clob),
        *chain_trigger(settings, opened),
        *feed(settings, opened),
        *portfolios(settings, opened),
    ]
