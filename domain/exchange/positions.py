"""What an account holds of an asset, worked out from its fills alone: average cost, profit realised by sales.

The engine keeps positions as it goes (trading.py); this is the same from the other end, for whoever checks.
Source: seed-exchange D22.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from domain.exchange.batch import NOTHING, Position
from domain.exchange.trading import Side
from domain.shared.money import mul_div_floor


class Done(NamedTuple):
    """One fill of an account: shares in atto, `amount` in micros as it moved on the account."""

    side: Side
    shares: int
    amount: int


def position_of(fills: Iterable[Done]) -> Position:
    """The position after all fills of one account in one asset, in the order in which they happened.

    Raises: ValueError when more is sold than was held: then these are not all fills.
    """
    shares, cost, realised = NOTHING
    for fill in fills:
        if fill.side == "buy":
            shares, cost = shares + fill.shares, cost + fill.amount
            continue
        if fill.shares > shares:
            raise ValueError("more was sold than held")
        leaving = mul_div_floor(cost, fill.shares, shares)
        shares, cost, realised = shares - fill.shares, cost - leaving, realised + fill.amount - leaving
    return Position(shares, cost, realised)


def unrealised(position: Position, proceeds: int) -> int:
    """Micros that selling everything for `proceeds` would add to the realised profit."""
    return proceeds - position.cost
