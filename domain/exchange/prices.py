"""What a price did over a trailing window: lowest and highest, kept in one-second buckets.

A price stands until the next one, so the price standing now belongs to the window as well. Buckets make the window the
same whether it was followed live or read back from the books (seconds are whole; it reaches back 60 to 61 s).
Source: exchange.md 10, CG-006, EX-080, EX-081.
"""

from __future__ import annotations

from typing import Final, NamedTuple

WINDOW_S: Final = 60
BPS: Final = 10_000


class Bucket(NamedTuple):
    """One second: lowest and highest price in micros."""

    second: int
    low: int
    high: int


class Window(NamedTuple):
    """Buckets oldest first; `low` and `high` over all of them, 0 when empty."""

    buckets: tuple[Bucket, ...] = ()
    low: int = 0
    high: int = 0


def window_of(buckets: tuple[Bucket, ...]) -> Window:
    """A window from its buckets."""
    if not buckets:
        return Window()
    return Window(buckets, min(b.low for b in buckets), max(b.high for b in buckets))


def at_second(window: Window, second: int) -> Window:
    """The window without what is older than 60 s at `second`."""
    oldest = second - WINDOW_S
    if not window.buckets or window.buckets[0].second >= oldest:
        return window
    return window_of(tuple(b for b in window.buckets if b.second >= oldest))


def with_price(window: Window, second: int, price: int) -> Window:
    """The window with one more price at `second`, never earlier than the newest bucket."""
    window = at_second(window, second)
    if not window.buckets:
        return Window((Bucket(second, price, price),), price, price)
    last = window.buckets[-1]
    if last.second >= second:
        bucket = Bucket(last.second, min(last.low, price), max(last.high, price))
        buckets = (*window.buckets[:-1], bucket) if bucket != last else window.buckets
    else:
        buckets = (*window.buckets, Bucket(second, price, price))
    return Window(buckets, min(window.low, price), max(window.high, price))


def breaches(window: Window, standing: int, price: int, limit_bps: int) -> bool:
    """Whether `price` is further than `limit_bps` from the lowest or highest of the window and the standing price.

    Args:  standing   the price before, in micros; it holds until now, whenever it was made.
           limit_bps  0 switches the breaker off.
    """
    if limit_bps == 0:
        return False
    low, high = standing, standing
    if window.buckets:
        low, high = min(low, window.low), max(high, window.high)
    return abs(price - low) * BPS > limit_bps * low or abs(price - high) * BPS > limit_bps * high
