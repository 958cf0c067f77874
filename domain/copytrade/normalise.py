"""A row of the activity feed as a canonical event: a fill, a move of positions, cash alone, or nothing.

Rounding. The price stays the venue's own in the raw row; the column holds it to the nearest micro. Cash is `usdc_size`,
which the venue gives to the micro. The notional is size · price to the nearest micro, and what the cash differs from it
is the fee; a difference below the venue's smallest fee (0.00001) is the rounding of their price, and no fee at all.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from domain.copytrade.venue import ONE, ActivityRow, Kind, Side

MOVES: Final = (Kind.SPLIT, Kind.MERGE, Kind.REDEEM, Kind.CONVERSION)
SMALLEST_FEE: Final = 10
FEE_RATE_MAX_PPM: Final = 200_000
"""No schedule seen charges more than 7.2 % of p(1 - p); above 20 % it is not a fee but something unknown."""
_NOISE: Final = Decimal(1).scaleb(-8)


class Unfit(ValueError):
    """A row that cannot be booked as it stands; the message is the reason kept in quarantine."""


class Cash(StrEnum):
    """How the cash of a fill was understood."""

    EXACT = "exact"
    """No fee: cash is the notional."""
    WITH_FEE = "with_fee"
    """BUY: cash holds the fee (polymarket.md 3.6)."""
    LESS_FEE = "less_fee"
    """SELL: cash is what is left after the fee."""
    UNEXPLAINED = "unexplained"
    """Neither; it is booked as the venue says and shown to an operator."""


class Trade(NamedTuple):
    """One fill, in micros. `notional`: before the fee, so that the cash that moved is notional ± fee."""

    side: Side
    price: int
    shares: int
    notional: int
    usdc: int
    fee: int
    cash: Cash


class Move(NamedTuple):
    """A split, merge, redemption or conversion, in micros; its legs follow from the market (legs.py)."""

    kind: Kind
    shares: int
    usdc: int


class Recorded(NamedTuple):
    """Known, kept and not booked, and why: combos, and cash without positions."""

    kind: str
    shares: int
    usdc: int
    why: str


Event = Trade | Move | Recorded


def normalise(row: ActivityRow) -> Event | None:
    """What the row is. None: it moves nothing (a merge of zero pairs).

    Raises: Unfit.
    """
    if row.is_combo:
        return Recorded("COMBO", _micros(row.size, "size"), _cash(row) or 0, "a combined position, not of one market")
    if row.kind is Kind.TRADE:
        return _trade(row) if row.size else None
    if row.kind in MOVES:
        return _move(row)
    why = "shares moved to another contract" if row.kind is Kind.MIGRATION else "cash without a position"
    return Recorded(row.kind, _micros(row.size, "size"), _cash(row) or 0, why)


def _trade(row: ActivityRow) -> Trade:
    if row.side not in Side.__members__:
        raise Unfit(f"a trade with side {row.side[:20]!r}")
    side, usdc, shares = Side(row.side), _cash(row), _micros(row.size, "size")
    if usdc is None:
        raise Unfit("a trade without cash")
    price = _nearest(row.price)
    if not 0 < price <= ONE:
        raise Unfit(f"a trade at price {row.price}")
    notional = _nearest(row.size * row.price)
    taken = usdc - notional if side is Side.BUY else notional - usdc
    limit = shares * price * (ONE - price) // ONE * FEE_RATE_MAX_PPM // ONE // ONE + SMALLEST_FEE
    if abs(taken) < SMALLEST_FEE:
        return Trade(side, price, shares, usdc, usdc, 0, Cash.EXACT)
    if 0 < taken <= limit:
        return Trade(side, price, shares, notional, usdc, taken, Cash.WITH_FEE if side is Side.BUY else Cash.LESS_FEE)
    return Trade(side, price, shares, usdc, usdc, 0, Cash.UNEXPLAINED)


def _move(row: ActivityRow) -> Move | None:
    shares, usdc = _micros(row.size, "size"), _cash(row)
    if row.kind in (Kind.SPLIT, Kind.MERGE) and usdc is not None and usdc != shares:
        raise Unfit(f"{row.kind} of {row.size} pairs for {row.usdc_size} USDC")
    if row.kind is Kind.REDEEM and usdc is None:
        raise Unfit("a redemption without cash")
    if shares == 0 and row.kind is not Kind.REDEEM:
        return None
    return Move(row.kind, shares, shares if usdc is None else usdc)


def _cash(row: ActivityRow) -> int | None:
    return None if row.usdc_size is None else _micros(row.usdc_size, "usdc_size")


def _micros(value: Decimal, name: str) -> int:
    """Exact; the last binary digit of a JSON number is forgiven. Raises: Unfit."""
    near = _nearest(value)
    if value < 0 or abs(Decimal(near).scaleb(-6) - value) > _NOISE:
        raise Unfit(f"{name} is {value}, no amount of micros")
    return near


def _nearest(value: Decimal) -> int:
    return int(value.scaleb(6).to_integral_value(ROUND_HALF_EVEN))
