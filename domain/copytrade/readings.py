"""Rows read of one leader, sorted into what can be kept as a canonical event and what cannot."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from domain.copytrade.identity import Identified, merged
from domain.copytrade.normalise import Cash, Event, Trade, Unfit, normalise
from domain.copytrade.venue import ActivityRow


class Taken(NamedTuple):
    """A canonical event of a leader: what the books keep of one row. Its id follows from its content."""

    user_id: str
    event_id: str
    source_id: str
    occurrence: int
    row: ActivityRow
    event: Event

    @property
    def event_time(self) -> datetime:
        return datetime.fromtimestamp(self.row.timestamp, UTC)


class Odd(NamedTuple):
    """A row an operator should see: `kept` says whether it was booked nevertheless."""

    row: ActivityRow
    kind: str
    reason: str
    kept: bool


class Sorted(NamedTuple):
    taken: list[Taken]
    odd: list[Odd]


def sort_rows(user_id: str, readings: Iterable[Iterable[ActivityRow]]) -> Sorted:
    """Readings of overlapping windows as events, oldest first. Rows that move nothing are left out."""
    taken, odd = [], []
    for one in merged(readings):
        try:
            event = normalise(one.row)
        except Unfit as unfit:
            odd.append(Odd(one.row, "row", str(unfit), kept=False))
            continue
        if event is None:
            continue
        if isinstance(event, Trade) and event.cash is Cash.UNEXPLAINED:
            reason = (
                f"cash {event.usdc} of {event.shares} shares at {event.price} holds no fee we know; booked as it is"
            )
            odd.append(Odd(one.row, "cash", reason, kept=True))
        taken.append(_taken(user_id, one, event))
    return Sorted(taken, odd)


def _taken(user_id: str, one: Identified, event: Event) -> Taken:
    return Taken(user_id, str(uuid.UUID(one.source_id[:32])), one.source_id, one.occurrence, one.row, event)
