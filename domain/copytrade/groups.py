"""Fills of one intention, put together: windows of event time, keys, jitter, the due time (copytrade.md 1 and 2)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from domain.shared.times import rfc3339


class GroupKind(StrEnum):
    BUY = "BUY"
    SELL = "SELL"
    SPLIT = "SPLIT"
    MERGE = "MERGE"
    REDEEM = "REDEEM"
    CONVERSION = "CONVERSION"

    @property
    def opening(self) -> bool:
        """Long only: whatever gives shares opens, whatever takes shares reduces (CG-058)."""
        return self in (GroupKind.BUY, GroupKind.SPLIT)


class Source(StrEnum):
    """What put a group together: its window, or the waiting of small trades for company (waiting.py)."""

    AGGREGATOR = "AGGREGATOR"
    BUFFER = "BUFFER"


class Group(NamedTuple):
    """What a leader did in one window with one token and side, summed up. `price`: volume-weighted, micros, floor.

    `detect_time`: the first canonical row's. `due_at`: when the decision is made, absolute. `buffered`: how many small
    trades waited in it for company; then `window_start` is when the first was detected, `detect_time` when it closed.
    """

    group_key: str
    followed_user_id: str
    kind: GroupKind
    condition_id: str
    token_ids: tuple[str, ...]
    window_start: datetime
    window_end: datetime
    event_time: datetime
    detect_time: datetime
    frozen_at: datetime
    due_at: datetime
    shares: int
    notional: int
    price: int
    cash: int
    fees: int
    fills: int
    source: Source = Source.AGGREGATOR
    buffered: int = 0

    @property
    def first_seen(self) -> datetime:
        """When the first canonical row was detected."""
        return self.window_start if self.buffered else self.detect_time


def window_of(event_time: datetime, window_ms: int) -> tuple[datetime, datetime]:
    """[start, end) of the window an event lies in; windows are counted from the epoch, so that replays agree."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    length = timedelta(milliseconds=window_ms)
    start = epoch + (event_time - epoch) // length * length
    return start, start + length


def group_key(user_id: str, token_ids: Iterable[str], kind: GroupKind, start: datetime, number: int = 0) -> str:
    """`<user>:<token>:<BUY|SELL>:<window start>`, tokens sorted and joined by `+`; `:n` for later ones (CG-035)."""
    when = rfc3339(start, "milliseconds")
    base = f"{user_id}:{'+'.join(sorted(token_ids))}:{kind}:{when}"
    return f"{base}:{number}" if number else base


def waiting_key(user_id: str, token_id: str, since: datetime, number: int = 0) -> str:
    """`<user>:<token>:BUFFER:<first detected>`, `:n` for more of one moment. Of one moment it comes before all others
    of its token, as BUFFER comes before the kinds."""
    when = rfc3339(since)
    base = f"{user_id}:{token_id}:BUFFER:{when}"
    return f"{base}:{number}" if number else base


def leader_of(key: str) -> str:
    """Whose group it is: the first part of its key."""
    return key.partition(":")[0]


def jitter_ms(seed: str, key: str, longest_ms: int) -> int:
    """0 to `longest_ms`, the same whenever it is asked: sha256(seed ‖ key)[:8] mod (longest + 1)."""
    digest = hashlib.sha256((seed + key).encode()).digest()
    return int.from_bytes(digest[:8], "big") % (longest_ms + 1)


def frozen_at(detect_time: datetime, window_end: datetime) -> datetime:
    """Until when rows of the window join; later ones form a group of their own."""
    return max(detect_time, window_end)


def due_at(frozen: datetime, delay_ms: int, jitter: int) -> datetime:
    return frozen + timedelta(milliseconds=delay_ms + jitter)
