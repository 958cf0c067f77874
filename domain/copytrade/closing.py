"""An operator sells a paper position by hand: at one book, by the walk every copy uses, as far as the book goes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from domain.copytrade.entries import Entry, EntryType
from domain.copytrade.fees import FeeRule
from domain.copytrade.portfolio import Portfolio
from domain.copytrade.venue import Book, Side
from domain.copytrade.walk import Walk, seen_from, sell, vwap


class Part(NamedTuple):
    """What of a close falls on one leader's trades (EXEC_GLOBAL); "" on nobody's. `entries`: the sale and its fee."""

    leader: str
    entries: tuple[Entry, ...]


class Closed(NamedTuple):
    """No parts: the book took nothing."""

    walk: Walk
    price: int | None
    parts: tuple[Part, ...]


class Sale(NamedTuple):
    """What is to be sold. `ref`: of its lines; each leader's have his id behind it, as a line is written once."""

    ref: str
    condition_id: str
    token_id: str
    shares: int
    at: datetime


def close(portfolio: Portfolio, sale: Sale, book: Book, rule: FeeRule) -> Closed:
    """Sell up to so many shares of a sorted book's bids."""
    held = max(0, portfolio.shares_of(sale.token_id))
    walked = sell(sale.token_id, seen_from(book, sale.token_id).bids, min(held, sale.shares), rule)
    price = vwap(walked.fills, Side.SELL)
    shares = _shared_out(walked.shares, held, _owners(portfolio, sale.token_id, held))
    cash = _in_proportion(walked.notional, shares)
    fees = _in_proportion(walked.fee, shares)
    parts = [
        Part(leader, _lines(sale, leader, price, (count, cash[leader], fees[leader])))
        for leader, count in shares.items()
        if count
    ]
    return Closed(walked, price, tuple(parts))


def _owners(portfolio: Portfolio, token_id: str, held: int) -> dict[str, int]:
    """Whose trades the shares copy; what no slice tells is nobody's."""
    found, left = {}, held
    for leader in sorted(portfolio.slices):
        own = max(0, min(portfolio.slices[leader].get(token_id, 0), left))
        if own:
            found[leader], left = own, left - own
    return found | ({"": left} if left else {})


def _shared_out(sold: int, held: int, owners: Mapping[str, int]) -> dict[str, int]:
    """Everybody gives the same part of his shares; never more than he has."""
    found = {leader: sold * own // held for leader, own in owners.items()}
    rest = sold - sum(found.values())
    for leader, own in owners.items():
        more = min(rest, own - found[leader])
        found[leader], rest = found[leader] + more, rest - more
    return found


def _in_proportion(amount: int, shares: Mapping[str, int]) -> dict[str, int]:
    """An amount by shares, to the micro: the last takes what rounding left."""
    total, found, left = sum(shares.values()), {}, amount
    for leader, count in shares.items():
        found[leader] = amount * count // total if total else 0
        left -= found[leader]
    if found:
        found[next(reversed(found))] += left
    return found


def _lines(sale: Sale, leader: str, price: int | None, what: tuple[int, int, int]) -> tuple[Entry, ...]:
    shares, cash, fee = what
    ref = f"{sale.ref}:{leader}" if leader else sale.ref
    place = (ref, sale.condition_id, sale.token_id)
    sold = Entry(EntryType.CLOSE, *place, -shares, cash, price, sale.at)
    return (sold, Entry(EntryType.FEE, *place, 0, -fee, None, sale.at)) if fee else (sold,)
