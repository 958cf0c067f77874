"""Which fill is which, though the venue numbers none: the multiset of what it says of them (polymarket.md 3.1).

A transaction may hold several equal rows (two equal resting orders), and each is a fill of its own. So equal rows are
counted within one reading, and readings that overlap are merged by the greatest count: a row read twice is one row.
That is right only when a reading holds a transaction whole or not at all, which is why readings end with whole seconds.

The time of a row is part of its identity only where it has no transaction: a block that is replaced gives the same
transaction another time.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from domain.copytrade.venue import ActivityRow, Kind


class Fact(NamedTuple):
    """What two readings of the same row agree in. `subject`: the token, or the condition of a row without one."""

    wallet: str
    tx_hash: str
    kind: str
    subject: str
    side: str
    price: str
    size: str
    timestamp: str


class Identified(NamedTuple):
    """A row with its name. `occurrence` counts equal rows from 0."""

    source_id: str
    occurrence: int
    row: ActivityRow


def fact_of(row: ActivityRow) -> Fact:
    """Numbers are compared by value. Only trades have a price; other kinds are sent with 0, 0.5 or 1 by turns."""
    return Fact(
        wallet=row.wallet,
        tx_hash=row.tx_hash,
        kind=row.kind,
        subject=row.token_id or row.condition_id,
        side=row.side,
        price=_plain(row.price) if row.kind is Kind.TRADE else "",
        size=_plain(row.size),
        timestamp="" if row.tx_hash else str(row.timestamp),
    )


def source_id(fact: Fact, occurrence: int) -> str:
    """The same for the same fill whenever and wherever it is read."""
    return hashlib.sha256("\0".join((*fact, str(occurrence))).encode()).hexdigest()


def identified(rows: Iterable[ActivityRow]) -> list[Identified]:
    """Name the rows of one reading, in their order."""
    seen: Counter[Fact] = Counter()
    found = []
    for row in rows:
        fact = fact_of(row)
        found.append(Identified(source_id(fact, seen[fact]), seen[fact], row))
        seen[fact] += 1
    return found


def merged(readings: Iterable[Iterable[ActivityRow]]) -> list[Identified]:
    """Readings of overlapping windows as one: of each row the greatest number that any one reading held."""
    found: dict[str, Identified] = {}
    for reading in readings:
        for one in identified(reading):
            found.setdefault(one.source_id, one)
    return sorted(found.values(), key=lambda one: one.row.timestamp)


def repeats(rows: Iterable[ActivityRow]) -> bool:
    """Is any row there twice? Then it is two equal fills, or one that was served twice: a second reading tells."""
    counts = Counter(map(fact_of, rows))
    return any(count > 1 for count in counts.values())


def agreed(first: Sequence[ActivityRow], second: Sequence[ActivityRow]) -> list[ActivityRow]:
    """The first reading, with a repeated row no more often than the second held it too, and at least once."""
    confirmed = Counter(map(fact_of, second))
    kept: Counter[Fact] = Counter()
    found = []
    for row in first:
        fact = fact_of(row)
        if kept[fact] < max(1, confirmed[fact]):
            kept[fact] += 1
            found.append(row)
    return found


def whole(rows: Sequence[ActivityRow], *, more: bool) -> list[ActivityRow]:
    """Rows of a page in order of time, without the last second when there is a next page: it may be torn."""
    if not more or not rows:
        return list(rows)
    last = max(row.timestamp for row in rows)
    return [row for row in rows if row.timestamp < last]


def _plain(value: Decimal) -> str:
    return format(value.normalize(), "f")
