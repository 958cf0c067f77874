"""The activity log: every row of every wallet in the server's own order, and which of them are indexed yet."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass

UNLABELLED = 999

Place = tuple[int, int]
"""(block timestamp, sequence id): the order of the feed. The sequence id starts with the block number."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row as the venue knows it; amounts in micros, `price` as the JSON number it is served as.

    `role` says how a fill came about and stands in no answer. `seen_ms`: from when on the API shows the row.
    """

    wallet: str
    kind: str
    timestamp: int
    sequence: int
    tx_hash: str
    condition_id: str = ""
    token_id: str = ""
    side: str = ""
    size: int = 0
    usdc: int = 0
    price: float = 0
    outcome_index: int = UNLABELLED
    outcome: str = ""
    title: str = ""
    slug: str = ""
    event_slug: str = ""
    role: str = ""
    is_combo: bool = False
    seen_ms: int = 0

    @property
    def place(self) -> Place:
        return self.timestamp, self.sequence


class Feed:
    """Rows by wallet and of the whole venue, oldest first."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._by_wallet: dict[str, list[Row]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: Row) -> None:
        insort(self._rows, row, key=lambda one: one.place)
        insort(self._by_wallet.setdefault(row.wallet, []), row, key=lambda one: one.place)

    def rows(self, wallet: str | None = None) -> list[Row]:
        """All rows in order, indexed or not."""
        return self._rows if wallet is None else self._by_wallet.get(wallet, [])

    def walk(
        self, wallet: str | None, start: int, end: int, now_ms: int, *, newest_first: bool, after: Place | None
    ) -> Iterator[Row]:
        """Rows of a time window (both ends included) that are indexed, from behind `after` on."""
        rows = self.rows(wallet)
        low = bisect_left(rows, start, key=lambda row: row.timestamp)
        high = bisect_right(rows, end, key=lambda row: row.timestamp)
        if after is not None and newest_first:
            high = min(high, bisect_left(rows, after, key=lambda row: row.place))
        elif after is not None:
            low = max(low, bisect_right(rows, after, key=lambda row: row.place))
        numbers = range(high - 1, low - 1, -1) if newest_first else range(low, high)
        return (rows[number] for number in numbers if rows[number].seen_ms <= now_ms)

    def forget_before(self, timestamp: int) -> None:
        """Lets go of old rows: a stack that runs for days must not grow for ever."""
        for rows in (self._rows, *self._by_wallet.values()):
            del rows[: bisect_left(rows, timestamp, key=lambda row: row.timestamp)]
