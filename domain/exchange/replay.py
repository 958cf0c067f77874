"""Carrying out the log of an asset again: from its terms and its orders, every fill and every rejection, bit for bit.

Taken as given, because it comes from elsewhere and was read under the engine's locks, is what each row of the log says
it saw: the account's USDC (deposits, withdrawals, trades in other assets), the principal that earns fees, the batch's
clock, and whether trading was open. That last one is the verdict itself: `trading_disabled`, `asset_halted` and
`asset_not_active` say what the kill switch and the asset's status were. Everything else, above all supply, prices, the
breaker's minute, positions, fees and the fee index, follows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from domain.exchange.batch import NOTHING, Position
from domain.exchange.curve import Curve
from domain.exchange.trading import Fill, Holder, Market, Order, RejectCode, Status, execute

_CLOSED: Final[dict[str, Status]] = {"asset_halted": "halted", "asset_not_active": "cancelled"}


class Terms(NamedTuple):
    """What an asset was made with."""

    curve: Curve
    fee_bps: int
    lp_part_bps: int
    breaker_bps: int


class Logged(NamedTuple):
    """One row of the log: the order, what the rules saw, and what they said."""

    number: int
    account_id: str
    order: Order
    second: int
    usdc: int
    lp_shares: int
    fill: Fill | None
    reject: RejectCode | None


class Difference(NamedTuple):
    """A row that does not follow: `said` is in the log, `follows` is what the rules make of it."""

    number: int
    said: Fill | RejectCode | None
    follows: Fill | RejectCode | None


class Replayed(NamedTuple):
    """Where the log leads: the market and all positions after it, and what did not follow."""

    market: Market
    positions: dict[str, Position]
    differences: tuple[Difference, ...]


def replay(terms: Terms, log: Iterable[Logged]) -> Replayed:
    """Carry out the log of one asset from its beginning, in the order of its verdicts.

    Raises: ValueError when the numbers have a gap: then it is not the whole log.
    """
    market = Market(*terms, status="active")
    positions: dict[str, Position] = {}
    differences = []
    for row in log:
        if row.number != market.verdicts + 1:
            raise ValueError(f"verdict {row.number} follows {market.verdicts}")
        market = market._replace(lp_shares=row.lp_shares, status=_CLOSED.get(row.reject or "", "active"))
        holder = Holder(row.usdc, *positions.get(row.account_id, NOTHING))
        enabled = row.reject != "trading_disabled"
        market, holder, fill, reject = execute(market, holder, row.order, row.second, enabled=enabled)
        if (fill, reject) != (row.fill, row.reject):
            differences.append(Difference(row.number, row.fill or row.reject, fill or reject))
        positions[row.account_id] = Position(holder.shares, holder.cost, holder.realised)
    return Replayed(market, positions, tuple(differences))
