"""What came of asking the venue for the one book of a group."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from domain.copytrade.venue import Book


class Asked(NamedTuple):
    """`requested_at`: when the first request left. `book` None: no request was answered, or none is needed.

    `raw`: the venue's own JSON.
    """

    requested_at: datetime
    received_at: datetime
    requests: int
    book: Book | None = None
    raw: dict[str, Any] | None = None
    source: str = "rest"

    @property
    def age_ms(self) -> int | None:
        """Since the venue last changed the book; its clock may be ahead of ours."""
        if self.book is None:
            return None
        received_ms = int(self.received_at.timestamp()) * 1000 + self.received_at.microsecond // 1000
        return max(0, received_ms - self.book.changed_at_ms)
