"""What the clients share: rows one by one with the odd ones kept apart, ids in batches with the bad ones found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, Protocol, TypeVar

from gateways.polymarket.routes import Route
from gateways.polymarket.transport import Refused, Transport
from gateways.polymarket.wire import Odd

T = TypeVar("T")

ONE_BAD_ID: Final = (400, 404, 422)
"""Statuses that may be the fault of a single id in a batch."""


class Quarantine(Protocol):
    """Keeps what could not be understood; storage.jobs.JobStore.quarantine is one."""

    async def __call__(self, source: str, kind: str, reason: str, payload: Any) -> None: ...


class Sorter:
    """Parses rows; what is odd goes to quarantine, once per content while this process lives, and the rest goes on."""

    def __init__(self, transport: Transport, quarantine: Quarantine) -> None:
        self._transport, self._quarantine = transport, quarantine
        self.held_back = 0

    async def parse(self, route: Route, raw_rows: Iterable[Any], parse: Callable[[Any], T]) -> list[T]:
        """The good rows, in order."""
        good = []
        for raw in raw_rows:
            try:
                good.append(parse(raw))
            except Odd as odd:
                await self.keep(route, str(odd), raw)
        return good

    async def keep(self, route: Route, reason: str, raw: Any) -> None:
        """Put one thing into quarantine."""
        self.held_back += 1
        kept = self._transport.odd(route, reason, raw)
        await self._quarantine(kept.source, kept.kind, kept.reason, kept.payload)


async def in_batches(
    ids: Sequence[str],
    size: int,
    ask: Callable[[Sequence[str]], Awaitable[list[T]]],
    refused: Callable[[str, Refused], Awaitable[None]],
) -> list[T]:
    """Ask for ids by `size` at a time. A batch refused with 400, 404 or 422 is asked for singly, so that a bad id costs
    itself alone (CT-223); `refused` is told of it.
    """
    found: list[T] = []
    distinct = list(dict.fromkeys(ids))
    for start in range(0, len(distinct), size):
        batch = distinct[start : start + size]
        try:
            found += await ask(batch)
        except Refused as refusal:
            if refusal.status not in ONE_BAD_ID:
                raise
            for one in batch:
                try:
                    found += await ask([one])
                except Refused as alone:
                    if alone.status not in ONE_BAD_ID:
                        raise
                    await refused(one, alone)
    return found
