"""Order books: what /book shows and hashes, the mirrored book of the other outcome, and taking from it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from localnet.polymarket.markets import Market, Token
from localnet.polymarket.numbers import ONE, text

Levels = dict[int, int]
"""Shares by price, both in micros."""


class Last(NamedTuple):
    """The last trade of a token."""

    price: int
    side: str
    size: int = 0


class Taken(NamedTuple):
    """Part of an order, filled at one level."""

    price: int
    shares: int


@dataclass
class Book:
    """Bids and asks of one token. `shown`: the order in which the arrays stand, worst first as the venue does."""

    bids: Levels = field(default_factory=dict)
    asks: Levels = field(default_factory=dict)
    changed_ms: int = 0
    shown: str = "worst_first"

    def best_bid(self) -> int | None:
        return max(self.bids, default=None)

    def best_ask(self) -> int | None:
        return min(self.asks, default=None)

    def mid(self) -> int | None:
        bid, ask = self.best_bid(), self.best_ask()
        return (bid + ask) // 2 if bid is not None and ask is not None else None

    def mirrored(self) -> Book:
        """The book of the other outcome: who sells one at p would buy the other at 1-p."""
        return Book(
            {ONE - price: size for price, size in self.asks.items()},
            {ONE - price: size for price, size in self.bids.items()},
            self.changed_ms,
            self.shown,
        )

    def same_levels(self, other: Book) -> bool:
        return self.bids == other.bids and self.asks == other.asks

    def take(self, side: str, shares: int, limit: int | None = None) -> list[Taken]:
        """Removes up to `shares` from the opposite side, best level first, never beyond `limit`."""
        levels = self.asks if side == "BUY" else self.bids
        taken: list[Taken] = []
        for price in sorted(levels, reverse=side == "SELL"):
            beyond = limit is not None and (price > limit if side == "BUY" else price < limit)
            if beyond or shares == 0:
                break
            part = min(levels[price], shares)
            taken.append(Taken(price, part))
            shares -= part
            levels[price] -= part
            if not levels[price]:
                del levels[price]
        return taken


def arrays(book: Book) -> dict[str, list[dict[str, str]]]:
    """Bids ascending, asks descending: the best level is the last one."""
    best_first = book.shown == "best_first"
    bids = sorted(book.bids, reverse=best_first)
    asks = sorted(book.asks, reverse=not best_first)
    if book.shown == "shuffled":
        bids, asks = bids[1::2] + bids[::2], asks[1::2] + asks[::2]
    return {
        "bids": [{"price": text(price), "size": text(book.bids[price])} for price in bids],
        "asks": [{"price": text(price), "size": text(book.asks[price])} for price in asks],
    }


def summary(market: Market, token: Token, book: Book, last: Last | None) -> dict[str, Any]:
    """The answer of /book."""
    value: dict[str, Any] = {
        "market": market.condition_id,
        "asset_id": token.id,
        "timestamp": str(book.changed_ms),
        "hash": "",
        **arrays(book),
        "min_order_size": text(market.min_order),
        "tick_size": text(market.tick),
        "neg_risk": market.neg_risk,
        "last_trade_price": f"{last.price / ONE:.3f}" if last else "",
    }
    value["hash"] = digest(value)
    return value


def digest(summary_: dict[str, Any]) -> str:
    """SHA-1 of the compact JSON with an empty hash, keys in this order (py-clob-client-v2, utilities.py)."""
    keys = ("market", "asset_id", "timestamp", "hash", "bids", "asks", "min_order_size", "tick_size", "neg_risk",
            "last_trade_price")  # fmt: skip
    payload = {key: "" if key == "hash" else summary_[key] for key in keys}
    return hashlib.sha1(json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()
