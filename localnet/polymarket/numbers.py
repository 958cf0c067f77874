"""Amounts as the venue writes them: integers of micros inside, JSON numbers or decimal strings on the wire."""

from __future__ import annotations

from decimal import Decimal

ONE = 1_000_000


def number(micros: int) -> int | float:
    """A JSON number: 20, 22.84, 12.16184. Exact for every amount below 9 billion."""
    whole, rest = divmod(micros, ONE)
    return whole if rest == 0 else micros / ONE


def text(micros: int) -> str:
    """A decimal string without trailing zeros: "0.01", "2260866.89", "5"."""
    sign, micros = ("-" if micros < 0 else ""), abs(micros)
    whole, rest = divmod(micros, ONE)
    return f"{sign}{whole}" if rest == 0 else f"{sign}{whole}.{rest:06d}".rstrip("0")


def micros(value: object) -> int:
    """Micros of a decimal string, Decimal or int. Raises ValueError for anything else and for a seventh digit."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"{value!r} is no amount: give a decimal string")
    try:
        scaled = Decimal(value) * ONE
    except ArithmeticError as error:
        raise ValueError(f"{value!r} is no amount") from error
    if not scaled.is_finite() or scaled != int(scaled):
        raise ValueError(f"{value!r} has more than six decimals")
    return int(scaled)


def fee_micros(shares: int, price: int, rate_ppm: int, exponent: int) -> int:
    """shares · rate · (p(1−p))^exponent in micros of USDC, rounded to 5 decimals as the venue does."""
    if rate_ppm == 0 or not 0 < price < ONE:
        return 0
    exact = Decimal(shares) * rate_ppm / ONE * (Decimal(price) * (ONE - price) / ONE / ONE) ** exponent
    return int((exact / 10).quantize(Decimal(1), "ROUND_HALF_UP")) * 10
