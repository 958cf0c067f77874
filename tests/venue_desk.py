"""The real clients on the local venue, and what they put into quarantine."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal, NamedTuple

from gateways.polymarket.client import Polymarket
from gateways.polymarket.data import DataApiV2
from gateways.polymarket.data_v1 import DataApiV1
from gateways.polymarket.gamma import Gamma
from gateways.polymarket.recording import Recorder
from tests.world.venue import RunningVenue, running_venue

NOW = int(time.time()) + 7_200
"""After everything the venue does by itself; an open end of a window is the day after today."""
Generation = Literal["v1", "v2"]


class Held(NamedTuple):
    kind: str
    reason: str
    payload: Any


class Desk:
    """`venue` is told what to do, `polymarket` is asked; waits between tries take no time."""

    def __init__(self, venue: RunningVenue, *, data_version: Generation = "v2", **more: Any) -> None:
        self.venue = venue
        self.held: list[Held] = []
        self.slept: list[float] = []
        self.now = 1_000.0
        self.polymarket = Polymarket.connect(
            quarantine=self.keep,
            data_url=venue.data_url,
            clob_url=venue.clob_url,
            gamma_url=venue.gamma_url,
            data_version=data_version,
            **{
                "timeout_s": 1.0, "max_rps": 1_000, "burst": 1_000, "sleep": self.sleep, "clock": self.clock, **more
            },
        )  # fmt: skip

    async def keep(self, source: str, kind: str, reason: str, payload: Any) -> None:
        assert source == "polymarket"
        self.held.append(Held(kind, reason, payload))

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now

    def asked(self, route: str) -> list[str]:
        """URLs of the requests to a route, oldest first."""
        return [one["url"] for one in self.venue.requests if one["route"] == route]


@asynccontextmanager
async def desk(
    *, data_version: Generation = "v2", recorder: Recorder | None = None, **venue: Any
) -> AsyncIterator[Desk]:
    async with running_venue(**venue) as running:
        made = Desk(running, data_version=data_version, recorder=recorder)
        try:
            yield made
        finally:
            await made.polymarket.aclose()


def small(made: Desk, generation: Generation, page: int, pages: int = 1_000) -> DataApiV2 | DataApiV1:
    """A client with tiny pages."""
    transport = made.polymarket._transport
    if generation == "v2":
        return DataApiV2(transport, made.keep, page=page, pages=pages)
    return DataApiV1(transport, made.keep, Gamma(transport, made.keep), page=page)
