"""What a successful sale turns into: a pool at the final price, burned tokens, and what the team waits for.

70 % of the raised lamports stand in the pool beside their worth in tokens at the final price, rounded down; so the pool
opens where the curve ended. The tokens pass two accounts on their way, and a mint with a transfer fee takes its part
twice: so more is sent than arrives. They come from the liquidity allocation, then from what was not sold; the rest of
both is burned. A product too small for a pool (100 of its root stay locked in it) makes none: the lamports are fewer
than one base unit costs, or than 0.001 SOL, and go to the holders' rewards like every remainder.
programs/launchpad/{graduation,graduate}.h is the same in C.
Source: launchpad.md 10, 11; CG-066.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from domain.launchpad import curves
from domain.launchpad.curves import BPS, LIQUIDITY_BPS, Curve
from domain.launchpad.transfer_fee import NO_FEE, TransferFee, after_fee, before_fee

POOL_LEAST: Final = 1_000_000
"""Lamports times base units."""


class Graduation(NamedTuple):
    """`sent` leaves the vault so that `arrived` can be given and `pool_tokens` received; `burned` is the rest.

    raised = pool_lamports + unpooled + vested_lamports.
    """

    pool_lamports: int
    pool_tokens: int
    arrived: int
    sent: int
    burned: int
    unpooled: int
    vested_lamports: int


def graduation(curve: Curve, sold: int, liquidity_tokens: int, fee: TransferFee = NO_FEE) -> Graduation:
    """How a sale graduates that ended with `sold` base units.

    Raises: ValueError when `sold` lies outside of the sale.
    """
    raised, available = curves.reserve(curve, sold), liquidity_tokens + curve.supply - sold
    liquidity = raised * LIQUIDITY_BPS // BPS
    tokens = curves.pool_tokens(curve, sold)
    arrived = before_fee(fee, tokens)
    sent = before_fee(fee, arrived)
    if sent > available:
        sent = available
        arrived = after_fee(fee, sent)
        tokens = after_fee(fee, arrived)
    lamports = liquidity
    if lamports * tokens < POOL_LEAST:
        lamports = tokens = arrived = sent = 0
    return Graduation(lamports, tokens, arrived, sent, available - sent, liquidity - lamports, raised - liquidity)
