"""What a trade along the curve costs or brings, before it is sent. Instructions take exact tokens; an amount of SOL is
turned into tokens here.

Lamports, base units, basis points. The buyer pays value + tax, the seller receives value - tax; who referred him
changes neither. On a token with a transfer fee a sale counts what arrives: the fee comes off what is sent.
Source: launchpad.md 4, 8; docs/concepts/sales.md.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from domain.launchpad import curves
from domain.launchpad.curves import Curve
from domain.launchpad.trade_tax import tax_of
from domain.shared.errors import Rejected

BPS: Final = 10_000
SLIPPAGE_BPS: Final = 100
"""How far the price may move until the trade lands, when nobody says."""
_UNCLAIMED: Final = "buyers do not hold so many; what was bought before the soft cap is sold after it was claimed"


class Market(NamedTuple):
    """Where a sale stands. `most`: base units that can be sold in all; `fee_bps`: of every transfer of the token."""

    curve: Curve
    sold: int
    held: int
    burned: int
    most: int
    tax_bps: int
    fee_bps: int = 0

    @property
    def returnable(self) -> int:
        """Base units that buyers hold in their wallets: no more can come back."""
        return self.sold - self.held - self.burned


class Quote(NamedTuple):
    """`total`: what the buyer pays or the seller receives; `limit`: with slippage, the most or the least of it."""

    tokens: int
    value: int
    tax: int
    total: int
    limit: int


def buy(market: Market, tokens: int, slippage_bps: int = SLIPPAGE_BPS) -> Quote:
    """Clipped to what is left, as the program does.

    Raises: Rejected amount_too_small, sale_not_open when nothing is left.
    """
    if tokens <= 0:
        raise Rejected("amount_too_small", "it buys no tokens")
    tokens = min(tokens, market.most - market.sold)
    if tokens <= 0:
        raise Rejected("sale_not_open", "everything is sold")
    value = curves.cost(market.curve, market.sold, tokens)
    tax = tax_of(value, market.tax_bps)
    total = value + tax
    return Quote(tokens, value, tax, total, total + total * slippage_bps // BPS)


def buy_for(market: Market, lamports: int, slippage_bps: int = SLIPPAGE_BPS) -> Quote:
    """The most tokens that value and tax together leave within `lamports`.

    Raises: as `buy`.
    """
    budget = lamports * BPS // (BPS + market.tax_bps)  # value + ceil(value · tax) fits exactly when value is no more
    return buy(market, curves.max_affordable(market.curve, market.sold, budget, market.most), slippage_bps)


def sell(market: Market, tokens: int, slippage_bps: int = SLIPPAGE_BPS) -> Quote:
    """What sending `tokens` brings.

    Raises: Rejected amount_too_small; tokens_missing when buyers do not hold so many.
    """
    arrives = tokens - _fee(tokens, market.fee_bps)
    if arrives <= 0:
        raise Rejected("amount_too_small", "nothing would arrive")
    if arrives > market.returnable:
        raise Rejected("tokens_missing", _UNCLAIMED)
    value = curves.revenue(market.curve, market.sold, arrives)
    tax = tax_of(value, market.tax_bps)
    total = value - tax
    return Quote(tokens, value, tax, total, total - total * slippage_bps // BPS)


def sell_for(market: Market, lamports: int, slippage_bps: int = SLIPPAGE_BPS) -> Quote:
    """The fewest tokens that bring `lamports` after tax.

    Raises: Rejected tokens_missing when all of them do not.
    """
    most = _sent_for(market.returnable, market.fee_bps)
    if most <= 0 or _brings(market, most) < lamports:
        raise Rejected("tokens_missing", f"all of them do not bring so much: {_UNCLAIMED}")
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        if _brings(market, middle) >= lamports:
            high = middle
        else:
            low = middle + 1
    return sell(market, low, slippage_bps)


def _brings(market: Market, tokens: int) -> int:
    arrives = tokens - _fee(tokens, market.fee_bps)
    value = curves.revenue(market.curve, market.sold, arrives)
    return value - tax_of(value, market.tax_bps)


def _fee(tokens: int, bps: int) -> int:
    """What Token-2022 withholds of a transfer: rounded up."""
    return -(-tokens * bps // BPS)


def _sent_for(arrives: int, bps: int) -> int:
    """The most that can be sent so that no more than `arrives` arrives."""
    return arrives * BPS // (BPS - bps) if bps < BPS else 0
