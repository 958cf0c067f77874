"""What a leader held when following began, told apart from what came after.

Positions and activity are two answers of two indexes. They fit when two looks in a row say the same and every position
moved when its newest row says; then whatever the activity holds is in the positions, and nothing else is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from domain.copytrade.entries import Entry, EntryType
from domain.copytrade.identity import identified
from domain.copytrade.venue import ActivityRow, Kind, VenuePosition

LOOK_BACK_S: Final = 900
"""How much activity is compared with the positions; index lag is seconds."""


class Look(NamedTuple):
    """One look at a wallet: activity since `since`, positions, activity again."""

    since: int
    before: tuple[ActivityRow, ...]
    positions: tuple[VenuePosition, ...]
    after: tuple[ActivityRow, ...]


def same(first: Look, second: Look) -> bool:
    """Did nothing move between and during two looks?"""
    readings = [_ids(look, rows) for look in (first, second) for rows in (look.before, look.after)]
    return all(one == readings[0] for one in readings) and _held(first.positions) == _held(second.positions)


def fits(look: Look) -> bool:
    """Do positions and activity tell of the same moment?

    A position that moved within the window has a row of that second, and none moved before its newest trade. Where the
    venue does not say when a position moved, nothing can be said.
    """
    times = {row.timestamp for row in look.after}
    traded: dict[str, int] = {}
    for row in look.after:
        if row.kind is Kind.TRADE:
            traded[row.token_id] = max(row.timestamp, traded.get(row.token_id, 0))
    moved = {one.token_id: one.last_event_at for one in look.positions if one.last_event_at is not None}
    return all((at < look.since or at in times) and at >= traded.get(token, 0) for token, at in moved.items())


def opening(positions: Iterable[VenuePosition], at: datetime) -> list[Entry]:
    """The positions as money brought along, at the venue's present price, so that profit begins at zero."""
    return [
        Entry(
            EntryType.DEPOSIT, f"baseline:{one.token_id}", one.condition_id, one.token_id, one.shares, 0,
            one.current_price if one.current_price is not None else one.avg_price or 0, at,
        )
        for one in sorted(positions, key=lambda one: one.token_id)
        if one.shares
    ]  # fmt: skip


def _ids(look: Look, rows: Sequence[ActivityRow]) -> set[str]:
    return {one.source_id for one in identified(row for row in rows if row.timestamp >= look.since)}


def _held(positions: Iterable[VenuePosition]) -> dict[str, int]:
    return {one.token_id: one.shares for one in positions if one.shares}
