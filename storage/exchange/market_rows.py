"""What a settled batch looks like to the statements of market_sql.py: columns, bookings, events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from domain.exchange import fills
from domain.exchange.batch import Pending, Position, Verdict
from domain.exchange.trading import Fill, Market
from domain.shared.ledger import Booking
from storage.columns import documents, numbers, words

Columns = list[str]
"""Array literals, in the order in which their statement takes them."""

_REJECTED: Final = (None,) * len(Fill._fields)


def verdicts(given: Sequence[Verdict]) -> Columns:
    """One row an order; what a fill has is null for a rejected one."""
    fills_or_nulls = [v.fill if v.fill is not None else _REJECTED for v in given]
    return [
        words(v.order.id for v in given),
        words("filled" if v.fill is not None else "rejected" for v in given),
        words(v.reject for v in given),
        numbers(v.number for v in given),
        numbers(v.usdc for v in given),
        numbers(v.lp_shares for v in given),
        *map(numbers, zip(*fills_or_nulls, strict=True)),
    ]


def bookings(given: Iterable[Verdict]) -> list[Booking]:
    """The transfers of the fills."""
    return [_booking(v.order, v.fill) for v in given if v.fill is not None]


def _booking(o: Pending, fill: Fill) -> Booking:
    lines = fills.lines(o.asset_id, o.account_id, o.order.side, fill)
    return Booking(fills.transfer_key(o.id), fills.KIND, lines, o.id)


def positions(held: Mapping[tuple[str, str], Position]) -> Columns:
    """In the order of their key, as every batch writes them."""
    found = sorted(held.items())
    rows = [position for _, position in found]
    keys = [words(account for (account, _), _ in found), words(asset for (_, asset), _ in found)]
    return [*keys, *map(numbers, zip(*rows, strict=True))]


def assets(markets: Mapping[str, Market]) -> Columns:
    rows = [(m.supply, m.fee_index, m.fee_carry, m.fills, m.verdicts) for m in markets.values()]
    return [words(markets), *map(numbers, zip(*rows, strict=True))]


def events(given: Sequence[Verdict], now: datetime) -> tuple[str, str, bytes]:
    """A `trade` event per fill, a `trade_rejected` per rejection; each is its trader's."""
    stamp = (now - datetime.fromtimestamp(0, now.tzinfo)) // timedelta(milliseconds=1)
    payloads = [fills.event(v, v.fill, stamp) if v.fill is not None else fills.refusal(v, stamp) for v in given]
    return (
        words("trade" if v.fill is not None else "trade_rejected" for v in given),
        words(v.order.account_id for v in given),
        documents([msgspec.json.encode(payload) for payload in payloads]),
    )
