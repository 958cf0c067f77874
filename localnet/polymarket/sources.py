"""Where books come from: drawn from the seed, or played from a tape of real ones. A function of the step alone."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from localnet.polymarket import names
from localnet.polymarket.books import Book
from localnet.polymarket.numbers import ONE

LEVELS = 12
ANCHOR = 60
"""Steps between two drawn prices; the mid goes straight from one to the next."""


class Source(Protocol):
    """The book of a market's first outcome at a step; the other one's is its mirror."""

    @property
    def step_ms(self) -> int: ...
    def at(self, step: int) -> Book: ...


class Drawn(NamedTuple):
    """A book around a price that wanders between drawn points. `width` in ticks between best bid and best ask."""

    seed: int
    name: str
    tick: int = 10_000
    base: int = 0
    swing: int = 12
    width: int = 1
    step_ms: int = 2_000

    def middle(self) -> int:
        """Where the price wanders around: as given, else somewhere between 0.25 and 0.75."""
        return self.base or 250_000 + names.draw(self.seed, self.name, "base") % 500_000

    def at(self, step: int) -> Book:
        turn, along = divmod(step, ANCHOR)
        here, there = (names.draw(self.seed, self.name, turn + k) % (2 * self.swing + 1) for k in (0, 1))
        ticks = self.middle() // self.tick + (here * (ANCHOR - along) + there * along) // ANCHOR - self.swing
        last = ONE // self.tick - 1
        bid = max(1, min(ticks, last - self.width))
        book = Book()
        for place in range(LEVELS):
            low, high = bid - place, bid + self.width + place
            if low >= 1:
                book.bids[low * self.tick] = self._size(step, "bid", place)
            if high <= last:
                book.asks[high * self.tick] = self._size(step, "ask", place)
        return book

    def _size(self, step: int, side: str, place: int) -> int:
        """Some hundreds of shares with two decimals, more of them further away from the best price."""
        number = names.draw(self.seed, self.name, step // 5, side, place)
        return (10_000 + number % 40_000 * (place + 1)) * 10_000
