"""Answers of the CLOB to values: books, prices, last trades, what it knows of a market. Pure: no I/O."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from domain.copytrade.books import sorted_book
from domain.copytrade.venue import ONE, Book, ClobMarket, FeeSchedule, LastTrade, Level, Market, Side, Token
from gateways.polymarket import wire
from gateways.polymarket.wire import Odd

TICKS: Final = frozenset({100_000, 10_000, 5_000, 2_500, 1_000, 100})
"""0.1, 0.01, 0.005, 0.0025, 0.001, 0.0001: what the official client rounds for."""


class Read(NamedTuple):
    """A book, and whether its hash fits what was sent."""

    book: Book
    hash_fits: bool


def book(raw: Any, token: str = "") -> Read:
    """An answer of `/book`, an item of `/books` or a `book` frame that carries tick and minimum. Raises: Odd.

    Args:  token  what was asked for; a book of another token is not taken for it.
    """
    row = wire.fields(raw, "book")
    found = wire.token_id(row.get("asset_id"), "asset_id")
    if not found or (token and found != token):
        raise Odd(f"book of {found or 'no token'}, asked for {token}")
    made = Book(
        token_id=found,
        condition_id=wire.condition_id(row.get("market"), "market"),
        bids=levels(row.get("bids"), "bids"),
        asks=levels(row.get("asks"), "asks"),
        changed_at_ms=wire.milliseconds(row, "timestamp"),
        hash=wire.text(row, "hash"),
        tick_micros=tick(row.get("tick_size")),
        min_order_micros=wire.micros(wire.number(row, "min_order_size"), "min_order_size"),
        neg_risk=wire.flag(row, "neg_risk"),
    )
    return Read(sorted_book(made), made.hash == book_hash(row))


def levels(value: Any, name: str) -> tuple[Level, ...]:
    """Levels in the order sent; null means none, as Go writes an empty list."""
    if value is None:
        return ()
    found = []
    for item in wire.items(value, name):
        row = wire.fields(item, name)
        price, size = wire.level_micros(row, "price"), wire.level_micros(row, "size")
        if size < 0 or not 0 < price < ONE:
            raise Odd(f"level of {size} at {price} in {name}")
        found.append(Level(price, size))
    return tuple(found)


def tick(value: Any) -> int:
    """Text on one route, a JSON number on the next."""
    found = wire.micros(wire.decimal(value, "tick_size"), "tick_size")
    if found not in TICKS:
        raise Odd(f"tick size {value}")
    return found


def book_hash(row: Mapping[str, Any]) -> str:
    """The hash the server puts on a book: SHA1 of compact JSON in its order of keys, with an empty hash."""
    payload = {
        "market": row.get("market"),
        "asset_id": row.get("asset_id"),
        "timestamp": row.get("timestamp"),
        "hash": "",
        "bids": [{"price": level["price"], "size": level["size"]} for level in row.get("bids") or ()],
        "asks": [{"price": level["price"], "size": level["size"]} for level in row.get("asks") or ()],
        "min_order_size": row.get("min_order_size"),
        "tick_size": row.get("tick_size"),
        "neg_risk": row.get("neg_risk"),
        "last_trade_price": row.get("last_trade_price"),
    }
    text = json.dumps(payload, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def prices(raw: Any) -> dict[str, Decimal]:
    """`/midpoints`, `/spreads`: token to a number as text. Raises: Odd."""
    found = {}
    for token, value in wire.fields(raw, "answer").items():
        price = wire.decimal(value, "price")
        if not 0 <= price <= 1:
            raise Odd(f"price {price}")
        found[wire.token_id(token)] = price
    return found


def sided_prices(raw: Any) -> dict[str, dict[Side, int]]:
    """`/prices`: token to side to price. BUY: best bid, SELL: best ask; 0 and 1 mean an empty side. Raises: Odd."""
    found: dict[str, dict[Side, int]] = {}
    for token, sides in wire.fields(raw, "answer").items():
        of_token = found.setdefault(wire.token_id(token), {})
        for side, value in wire.fields(sides, "sides").items():
            if side not in Side.__members__:
                raise Odd(f"side {side[:20]!r}")
            price = wire.price_micros(wire.decimal(value, "price"), "price")
            if 0 < price < ONE:
                of_token[Side(side)] = price
    return found


def last_trade(raw: Any, token: str = "") -> LastTrade | None:
    """One last trade. None when nobody has traded: the venue then says 0.5 with side "". Raises: Odd."""
    row = wire.fields(raw, "last trade")
    found = wire.token_id(row.get("token_id")) or token
    side = wire.text(row, "side").upper()
    if side == "":
        return None
    if side not in Side.__members__ or not found:
        raise Odd(f"last trade of {found or 'no token'} with side {side[:20]!r}")
    return LastTrade(found, wire.price_micros(wire.number(row, "price"), "price"), Side(side))


def market(raw: Any) -> Market:
    """`/markets/{condition_id}` of the CLOB. It names no event and no fee schedule. Raises: Odd."""
    row = wire.fields(raw, "market")
    tokens = []
    for place, item in enumerate(wire.items(row.get("tokens"), "tokens")):
        token = wire.fields(item, "token")
        number = wire.token_id(token.get("token_id"))
        if number:  # a market just minted has places without tokens for minutes
            tokens.append(Token(number, place, wire.text(token, "outcome")))
    condition = wire.condition_id(row.get("condition_id"))
    if not condition:
        raise Odd("market without a condition")
    minimum = wire.optional_number(row, "minimum_order_size")
    return Market(
        condition_id=condition,
        gamma_id="",
        slug=wire.text(row, "market_slug"),
        question=wire.text(row, "question"),
        event_id="",
        tokens=tuple(tokens),
        neg_risk=wire.flag(row, "neg_risk", default=False),
        neg_risk_market_id=wire.text(row, "neg_risk_market_id").lower(),
        version=wire.text(row, "version") or "v1",
        closes_at=wire.moment(row, "end_date_iso"),
        active=wire.flag(row, "active"),
        closed=wire.flag(row, "closed"),
        accepting_orders=wire.flag(row, "accepting_orders", default=False),
        tick_micros=tick(row["minimum_tick_size"]) if row.get("minimum_tick_size") else None,
        min_order_micros=None if minimum is None else wire.micros(minimum, "minimum_order_size"),
        fees=None,
    )


def clob_market(raw: Any) -> ClobMarket:
    """`/clob-markets/{condition_id}`: the compact form, with the fee schedule in force. Raises: Odd."""
    row = wire.fields(raw, "market")
    tokens = tuple(wire.token_id(wire.fields(t, "token").get("t"), "t") for t in wire.items(row.get("t"), "t") if t)
    return ClobMarket(
        token_ids=tuple(token for token in tokens if token),
        tick_micros=tick(row.get("mts")),
        neg_risk=wire.flag(row, "nr", default=False),
        fees=_fees(row.get("fd")),
    )


def _fees(value: Any) -> FeeSchedule | None:
    if value is None:
        return None
    row = wire.fields(value, "fd")
    return fee_schedule(wire.number(row, "r"), wire.number(row, "e"), takers_only=wire.flag(row, "to", default=True))


def fee_schedule(rate: Decimal, exponent: Decimal, *, takers_only: bool) -> FeeSchedule | None:
    """None for a rate of zero. Rates are parts of one. Raises: Odd for a rate or exponent that cannot be charged."""
    if rate == 0:
        return None
    if not 0 < rate < 1 or exponent != exponent.to_integral_value() or not 0 <= exponent <= 10:
        raise Odd(f"fee rate {rate} with exponent {exponent}")
    return FeeSchedule(wire.micros(rate, "fee rate"), int(exponent), takers_only)
