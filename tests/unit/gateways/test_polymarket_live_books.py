"""Books kept by frames of the market socket."""

from __future__ import annotations

from typing import Any

import pytest

from domain.copytrade.books import Touch
from domain.copytrade.venue import LastTrade, Level, Side
from gateways.polymarket.live_books import LiveBooks
from gateways.polymarket.wire import Odd

CONDITION = "0x" + "5" * 64
BOOK: dict[str, Any] = {
    "event_type": "book", "market": CONDITION, "asset_id": "7", "timestamp": "1786385407185", "hash": "a" * 40,
    "bids": [{"price": "0.01", "size": "100"}, {"price": "0.42", "size": "10"}],
    "asks": [{"price": "0.99", "size": "100"}, {"price": "0.43", "size": "20"}],
    "tick_size": "0.01", "min_order_size": "5", "neg_risk": False,
}  # fmt: skip


def change(price: str, size: str, side: str, bid: str = "0.42", ask: str = "0.43", at: str = "1786385407200") -> Any:
    row = {
        "asset_id": "7",
        "price": price,
        "size": size,
        "side": side,
        "hash": "b" * 40,
        "best_bid": bid,
        "best_ask": ask,
    }
    return {"event_type": "price_change", "market": CONDITION, "timestamp": at, "price_changes": [row]}


def started(**changes: Any) -> LiveBooks:
    books = LiveBooks()
    books.apply({**BOOK, **changes})
    return books


def test_a_book_frame_is_the_book() -> None:
    book = started().book("7")
    assert book is not None
    assert book.bids == (Level(420_000, 10_000_000), Level(10_000, 100_000_000))
    assert book.asks == (Level(430_000, 20_000_000), Level(990_000, 100_000_000))
    assert (book.changed_at_ms, book.tick_micros, book.hash) == (1786385407185, 10_000, "a" * 40)
    assert LiveBooks().book("7") is None


def test_a_change_is_the_new_size_of_a_level_and_zero_removes_it() -> None:
    books = started()
    books.apply(change("0.42", "3", "BUY"))
    books.apply(change("0.43", "0", "SELL", ask="0.99"))
    book = books.book("7")
    assert book is not None
    assert book.bids[0] == Level(420_000, 3_000_000)
    assert [level.price for level in book.asks] == [990_000]
    assert (book.changed_at_ms, book.hash) == (1786385407200, "b" * 40)
    books.apply(change("0.99", "0", "SELL", ask="1"))
    assert books.touch("7") is None
    assert books.dropped == 0


def test_a_book_that_contradicts_the_venues_best_prices_is_dropped() -> None:
    books = started()
    books.apply(change("0.40", "3", "BUY", bid="0.415"))
    assert books.book("7") is None
    assert books.dropped == 1
    books.apply(change("0.40", "3", "BUY"))
    assert books.book("7") is None, "changes do not make a book"
    books.apply(BOOK)
    assert books.touch("7") == Touch(420_000, 430_000)


def test_a_change_older_than_the_book_is_passed_over() -> None:
    books = started()
    books.apply(change("0.42", "0", "BUY", bid="0.01", at="1786385407100"))
    assert books.touch("7") == Touch(420_000, 430_000)


def test_a_new_tick_drops_the_book_until_the_next() -> None:
    books = started()
    books.apply({"event_type": "tick_size_change", "asset_id": "7", "market": CONDITION, "old_tick_size": "0.01",
                 "new_tick_size": "0.001", "timestamp": "1"})  # fmt: skip
    assert books.book("7") is None
    books.apply({**BOOK, "tick_size": "0.001"})
    book = books.book("7")
    assert book is not None
    assert book.tick_micros == 1_000


def test_a_book_without_its_terms_serves_marks_only() -> None:
    bare = {name: value for name, value in BOOK.items() if name not in ("tick_size", "min_order_size", "neg_risk")}
    books = LiveBooks()
    books.apply(bare)
    assert books.book("7") is None
    assert books.touch("7") == Touch(420_000, 430_000)
    books.apply(BOOK)
    books.apply(bare)
    assert books.book("7") is not None, "its terms are known from the frame before"


def test_the_last_trade_is_kept_and_other_known_frames_passed_over() -> None:
    books = started()
    books.apply({"event_type": "last_trade_price", "asset_id": "7", "market": CONDITION, "price": "0.43", "size": "5",
                 "side": "SELL", "timestamp": "1786385407185"})  # fmt: skip
    assert books.last_trades["7"] == LastTrade("7", 430_000, Side.SELL)
    for kind in ("best_bid_ask", "new_market", "market_resolved"):
        books.apply({"event_type": kind, "market": CONDITION})


@pytest.mark.parametrize(
    "frame",
    [[], "text", {}, {"event_type": "weather"}, {**BOOK, "asset_id": ""}, {**BOOK, "bids": "none"},
     {**BOOK, "timestamp": "soon"}, {**BOOK, "tick_size": "0.3"}, {"event_type": "price_change", "price_changes": []},
     change("0.42", "-1", "BUY"), change("0.42", "1", "HOLD")],
)  # fmt: skip
def test_frames_that_are_not_understood(frame: Any) -> None:
    with pytest.raises(Odd):
        started().apply(frame)
