"""Books kept current from frames of the market socket. Pure: no I/O, no clock.

A frame that is not understood raises `Odd`. A book that contradicts the venue's own best prices, or whose tick changed,
is dropped and not mended: the next `book` frame brings a whole one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from domain.copytrade.books import Touch
from domain.copytrade.venue import ONE, Book, LastTrade, Level, Side
from gateways.polymarket import clob_shapes, wire
from gateways.polymarket.wire import Odd

IGNORED: Final = frozenset({"best_bid_ask", "new_market", "market_resolved"})
"""Known frames that tell nothing the books need. Resolution is read from the Data API, with its payouts."""


class _Terms(NamedTuple):
    """What a book frame may leave out."""

    tick: int
    min_order: int
    neg_risk: bool


class _Live:
    def __init__(self, condition_id: str, terms: _Terms | None) -> None:
        self.condition_id, self.terms = condition_id, terms
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.hash = ""
        self.changed_at_ms = 0

    def touch(self) -> Touch | None:
        return Touch(max(self.bids), min(self.asks)) if self.bids and self.asks else None


class LiveBooks:
    """The books of one connection, by token."""

    def __init__(self) -> None:
        self._books: dict[str, _Live] = {}
        self.last_trades: dict[str, LastTrade] = {}
        self.dropped = 0
        """Books let go because they contradicted the venue."""

    def book(self, token_id: str) -> Book | None:
        """The book as it stands, best first; None before its first frame, and while its tick is not known."""
        live = self._books.get(token_id)
        if live is None or live.terms is None:
            return None
        return Book(
            token_id=token_id,
            condition_id=live.condition_id,
            bids=tuple(Level(price, live.bids[price]) for price in sorted(live.bids, reverse=True)),
            asks=tuple(Level(price, live.asks[price]) for price in sorted(live.asks)),
            changed_at_ms=live.changed_at_ms,
            hash=live.hash,
            tick_micros=live.terms.tick,
            min_order_micros=live.terms.min_order,
            neg_risk=live.terms.neg_risk,
        )

    def touch(self, token_id: str) -> Touch | None:
        """Best bid and ask, for marks; None without a book or with an empty side."""
        live = self._books.get(token_id)
        return None if live is None else live.touch()

    def forget(self, token_id: str) -> None:
        self._books.pop(token_id, None)
        self.last_trades.pop(token_id, None)

    def apply(self, frame: Any) -> None:
        """One frame, an object. Raises: Odd."""
        row = wire.fields(frame, "frame")
        kind = wire.text(row, "event_type") or wire.text(row, "type")
        if kind == "book":
            self._whole(row)
        elif kind == "price_change":
            self._changes(row)
        elif kind == "tick_size_change":
            clob_shapes.tick(row.get("new_tick_size"))
            self._drop(_token(row))
        elif kind == "last_trade_price":
            trade = clob_shapes.last_trade(row, _token(row))
            if trade is not None:
                self.last_trades[trade.token_id] = trade
        elif kind not in IGNORED:
            raise Odd(f"unknown frame {kind[:40]!r}")

    def _whole(self, row: Mapping[str, Any]) -> None:
        token = _token(row)
        before = self._books.get(token)
        live = _Live(wire.condition_id(row.get("market"), "market"), before.terms if before else None)
        if row.get("tick_size") is not None and row.get("min_order_size") is not None:
            live.terms = _Terms(
                clob_shapes.tick(row["tick_size"]),
                wire.micros(wire.number(row, "min_order_size"), "min_order_size"),
                wire.flag(row, "neg_risk", default=False),
            )
        live.bids = {level.price: level.size for level in clob_shapes.levels(row.get("bids"), "bids") if level.size}
        live.asks = {level.price: level.size for level in clob_shapes.levels(row.get("asks"), "asks") if level.size}
        live.hash, live.changed_at_ms = wire.text(row, "hash"), wire.milliseconds(row, "timestamp")
        self._books[token] = live

    def _changes(self, row: Mapping[str, Any]) -> None:
        """Sizes are the new size of the whole level, 0 takes it away. A frame is applied as a whole or not at all."""
        at = wire.milliseconds(row, "timestamp")
        changes = [_change(item) for item in wire.items(row.get("price_changes"), "price_changes")]
        last: dict[str, _Change] = {}
        for change in changes:
            live = self._books.get(change.token)
            if live is None or at < live.changed_at_ms:  # before the book it would change
                continue
            levels = live.bids if change.side is Side.BUY else live.asks
            if change.level.size:
                levels[change.level.price] = change.level.size
            else:
                levels.pop(change.level.price, None)
            live.changed_at_ms, live.hash = at, change.hash
            last[change.token] = change
        for token, change in last.items():
            if not _agrees(self._books[token], change):
                self.dropped += 1
                self._drop(token)

    def _drop(self, token: str) -> None:
        self._books.pop(token, None)


def _token(row: Mapping[str, Any]) -> str:
    found = wire.token_id(row.get("asset_id"), "asset_id")
    if not found:
        raise Odd("frame without a token")
    return found


class _Change(NamedTuple):
    """`best`: the venue's best bid and ask after it, None where it names none."""

    token: str
    side: Side
    level: Level
    hash: str
    best: tuple[int | None, int | None]


def _change(item: Any) -> _Change:
    row = wire.fields(item, "change")
    side = wire.text(row, "side").upper()
    if side not in Side.__members__:
        raise Odd(f"change on side {side[:20]!r}")
    level = clob_shapes.levels([row], "price_changes")[0]
    said = [wire.optional_number(row, name) for name in ("best_bid", "best_ask")]
    bid, ask = (None if one is None else wire.price_micros(one, "best price") for one in said)
    return _Change(_token(row), Side(side), level, wire.text(row, "hash"), (bid, ask))


def _agrees(live: _Live, change: _Change) -> bool:
    """Does the book have the best prices the venue names beside the change? An empty side is 0, 1 or nothing there."""
    mine = max(live.bids, default=None), min(live.asks, default=None)
    pairs = zip(change.best, mine, strict=True)
    return all(said is None or (said if 0 < said < ONE else None) == held for said, held in pairs)
