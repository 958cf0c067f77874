"""Order books as the venue means them: best first, with what is wrong with them named, and a mid without a guess.

The venue sends both sides worst first (polymarket.md 0.9), and a displayed book already holds the mirrored orders of
the other outcome, so two books of a market are never added together. Prices and sizes are micros.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from domain.copytrade.reasons import Reason
from domain.copytrade.venue import ONE, Book, Level

PLACEHOLDER_BID: Final = 10_000
PLACEHOLDER_ASK: Final = 990_000
"""A fresh market shows 0.01 / 0.99 until somebody quotes: its mid of 0.5 says nothing."""


class Touch(NamedTuple):
    """Best bid and best ask of a book that has both."""

    bid: int
    ask: int


def sorted_book(book: Book) -> Book:
    """The same levels with bids descending and asks ascending; equal prices are one level, empty levels are gone."""
    return book._replace(bids=_side(book.bids, best_high=True), asks=_side(book.asks, best_high=False))


def _side(levels: tuple[Level, ...], *, best_high: bool) -> tuple[Level, ...]:
    sizes: dict[int, int] = {}
    for level in levels:
        sizes[level.price] = sizes.get(level.price, 0) + level.size
    prices = sorted((price for price, size in sizes.items() if size > 0), reverse=best_high)
    return tuple(Level(price, sizes[price]) for price in prices)


def touch(book: Book) -> Touch | None:
    """Best bid and ask of a sorted book; None when a side is empty."""
    if not book.bids or not book.asks:
        return None
    return Touch(book.bids[0].price, book.asks[0].price)


def problem_of(book: Book) -> Literal[Reason.ONE_SIDED_BOOK, Reason.CROSSED_BOOK] | None:
    """Why no mid and no spread can be read from a sorted book; None when they can.

    A locked book (bid = ask) counts as crossed: a matching engine leaves none standing, so it was read in between.
    """
    best = touch(book)
    if best is None:
        return Reason.ONE_SIDED_BOOK
    return Reason.CROSSED_BOOK if best.bid >= best.ask else None


def is_placeholder(book: Book) -> bool:
    """Nobody quotes yet: 0.01 or less bid, 0.99 or more asked. Fit for no mark; the spread guard refuses it anyway."""
    best = touch(book)
    return best is not None and best.bid <= PLACEHOLDER_BID and best.ask >= PLACEHOLDER_ASK


def mid_half_micros(book: Book) -> int | None:
    """The mid exactly, in half micros: bid + ask. None when the book has a problem."""
    best = touch(book)
    return None if best is None or problem_of(book) is not None else best.bid + best.ask


def mid(book: Book) -> int | None:
    """The mid in micros, rounded down: at most half a micro below the exact one. None when the book has a problem.

    Ticks are multiples of 100 micros, so two ticks always have a mid in whole micros; down is for books that break it.
    """
    doubled = mid_half_micros(book)
    return None if doubled is None else doubled // 2


def spread(book: Book) -> int | None:
    """Best ask − best bid in micros. None when the book has a problem."""
    best = touch(book)
    return None if best is None or problem_of(book) is not None else best.ask - best.bid


def on_tick(price: int, tick_micros: int) -> bool:
    """Is it a price the venue takes: a multiple of the tick, at least one tick away from 0 and from 1?"""
    return tick_micros > 0 and price % tick_micros == 0 and tick_micros <= price <= ONE - tick_micros
