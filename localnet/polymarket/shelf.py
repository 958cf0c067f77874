"""All books of the venue as they stand now: moving ones, pinned ones, hidden ones; and the last trades."""

from __future__ import annotations

from localnet.polymarket.books import Book, Last, Taken
from localnet.polymarket.markets import Market, Token
from localnet.polymarket.sources import Drawn, Source
from localnet.polymarket.venue import Venue


class Shelf:
    """`moving=False` keeps every book at its first step until it is told otherwise, as tests want it."""

    def __init__(self, venue: Venue, *, moving: bool = False) -> None:
        self.venue = venue
        self.moving = moving
        self.sources: dict[str, Source] = {}
        self.last: dict[str, Last] = {}
        self.hidden: set[str] = set()
        self._shown: dict[str, Book] = {}
        self._step: dict[str, int] = {}
        self._pinned: set[str] = set()

    def source(self, market: Market) -> Source:
        found = self.sources.get(market.condition_id)
        if found is None:
            found = self.sources[market.condition_id] = Drawn(self.venue.seed, market.slug, market.tick)
        return found

    def book(self, token_id: str) -> Book | None:
        """The book of a token; None when there is none: unknown, closed, or taken away."""
        found = self.venue.tokens.get(token_id)
        if found is None or found[0].closed or token_id in self.hidden:
            return None
        self.refresh(found[0])
        return self._shown[token_id]

    def mid(self, token_id: str) -> int | None:
        book = self.book(token_id)
        return book.mid() if book else None

    def refresh(self, market: Market) -> bool:
        """Brings the books of a market to the present step; says whether any level changed."""
        source = self.source(market)
        step = self.venue.now_ms() // source.step_ms if self.moving else 0
        first, second = (token.id for token in market.tokens)
        if first in self._shown and (market.condition_id in self._pinned or self._step[market.condition_id] == step):
            return False
        fresh, old = source.at(step), self._shown.get(first)
        self._step[market.condition_id] = step
        if old is not None and old.same_levels(fresh):
            return False
        fresh.changed_ms = step * source.step_ms if self.moving else self.venue.now_ms()
        self._shown[first], self._shown[second] = fresh, fresh.mirrored()
        return True

    def pin(self, market: Market, token: Token, book: Book, *, mirror: bool = True) -> None:
        """Shows this book from now on and moves it no more; `mirror=False` leaves the other outcome as it is."""
        self.refresh(market)
        book.changed_ms = max(self.venue.now_ms(), self._shown[token.id].changed_ms + 1)
        self._pinned.add(market.condition_id)
        self._shown[token.id] = book
        if mirror:
            self._shown[market.other(token).id] = book.mirrored()

    def unpin(self, market: Market) -> None:
        """The book moves again."""
        self._pinned.discard(market.condition_id)
        self._shown.pop(market.tokens[0].id, None)

    def take(self, market: Market, token: Token, side: str, shares: int, limit: int | None = None) -> list[Taken]:
        """A taker's order against the book; the mirror shrinks with it."""
        book = self.book(token.id)
        if book is None:
            raise ValueError(f"{market.slug} has no book")
        taken = book.take(side, shares, limit)
        if taken:
            book.changed_ms = max(self.venue.now_ms(), book.changed_ms + 1)
            self._shown[market.other(token).id] = book.mirrored()
        return taken

    def forget(self, market: Market) -> None:
        """Lets go of everything kept for a market."""
        for token in market.tokens:
            self._shown.pop(token.id, None)
            self.last.pop(token.id, None)
            self.hidden.discard(token.id)
        self._pinned.discard(market.condition_id)
        self._step.pop(market.condition_id, None)
        self.sources.pop(market.condition_id, None)
