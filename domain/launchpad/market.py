"""What a token on a curve is worth: price, market capitalisation, liquidity, progress. Values for people to read.

Lamports, base units, prices in 10^-9 lamport per whole token; everything rounds down. Source: LP-033, LP-034.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from domain.launchpad import curves
from domain.launchpad.curves import Curve

BPS: Final = 10_000
_PRICE_UNITS_PER_LAMPORT: Final = 10**9


class Books(NamedTuple):
    """The counters of a sale. `supply`: tokens that exist; `pooled`: lamports given to the pool, 0 before, and for ever
    when it `graduated` with too little for one."""

    supply: int
    sold: int
    most: int
    raised: int
    soft_cap: int
    pooled: int = 0
    graduated: bool = False


class Worth(NamedTuple):
    """`liquidity`: the lamports that stand behind the token, on the curve or in its pool when that was opened."""

    spot: int
    market_cap: int
    liquidity: int
    progress_bps: int
    soft_cap_bps: int


def worth(curve: Curve, books: Books) -> Worth:
    """Price on the curve times supply. Progress is of the tokens that can be sold at most, and of the soft cap."""
    spot = curves.spot(curve, books.sold)
    return Worth(
        spot=spot,
        market_cap=spot * books.supply // (10**curve.decimals * _PRICE_UNITS_PER_LAMPORT),
        liquidity=books.pooled or (0 if books.graduated else books.raised),
        progress_bps=books.sold * BPS // books.most if books.most else 0,
        soft_cap_bps=min(BPS, books.raised * BPS // books.soft_cap),
    )
