"""What a quote adds to the fill it foresees: impact, the least to accept, how long it is worth anything."""

from __future__ import annotations

from typing import Final

from domain.exchange.curve import SHARE
from domain.exchange.prices import BPS
from domain.exchange.trading import Fill, Side
from domain.shared.money import mul_div_ceil, mul_div_floor

LASTS_S: Final = 10
"""A quote is a look at the market, not a promise; what protects an order is its limit."""


def impact_bps(fill: Fill) -> int:
    """How far the order moves the spot price, either way, rounded up."""
    return mul_div_ceil(abs(fill.spot_after - fill.spot_before), BPS, fill.spot_before)


def least_out(side: Side, fill: Fill, slippage_bps: int) -> int:
    """The limit that bears `slippage_bps` less than foreseen: atto-shares of a buy, micros of a sale."""
    return mul_div_floor(fill.shares if side == "buy" else fill.amount, BPS - slippage_bps, BPS)


def average_price(fill: Fill) -> int:
    """Micros a share on the curve, without fee, rounded down."""
    return mul_div_floor(fill.pool, SHARE, fill.shares)
