"""Money as integers in minor units, decimal strings at the edge. No floats, no silent rounding.

Units: USDC in micros (10^-6), ETH in wei (10^-18). A unit names its scale, as in `USDC/6`.
"""

from __future__ import annotations

import re
from typing import Final, NewType

from domain.shared.errors import Rejected

Micros = NewType("Micros", int)
Wei = NewType("Wei", int)

USDC: Final = "USDC"
USDC_DECIMALS: Final = 6
USDC_ONE: Final = 10**USDC_DECIMALS
ETH_DECIMALS: Final = 18
MICROS_MAX: Final = 2**63 - 1
"""Largest amount the books take in one posting (BIGINT): 9.2 trillion USDC."""

DECIMALS: Final[dict[str, int]] = {USDC: USDC_DECIMALS}

_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,17})(?:\.([0-9]+))?\Z", re.ASCII)


def parse_amount(text: str, decimals: int, largest: int = MICROS_MAX) -> int:
    """Read a decimal string as minor units; exact or refused, never rounded.

    Args:     text  plain decimal without sign, exponent or spaces, e.g. "100.25".   decimals  scale of the unit.
              largest  what its column can hold.
    Returns:  minor units, 0 ≤ value ≤ largest.
    Raises:   Rejected validation_failed (not a number, or too large), amount_precision (too many decimals).
    Source:   api.md section 3.
    """
    match = _DECIMAL.match(text)
    if match is None:
        raise Rejected("validation_failed", f"{text[:40]!r} is not a decimal amount")
    whole, fraction = match.group(1), match.group(2) or ""
    if len(fraction) > decimals:
        raise Rejected("amount_precision", f"{text[:40]!r} has more than {decimals} decimals")
    scale: int = 10**decimals
    value = int(whole) * scale + int(fraction.ljust(decimals, "0") or "0")
    if value > largest:
        raise Rejected("validation_failed", f"{text[:40]!r} is larger than this system books")
    return value


def format_amount(value: int, decimals: int) -> str:
    """Write minor units as a plain decimal string without trailing zeros: 100250000, 6 → "100.25"."""
    if not decimals:
        return str(value)
    # by the digits: five of these are in every trade's event, and dividing costs twice as much
    sign, digits = ("-", str(-value)) if value < 0 else ("", str(value))
    digits = digits.zfill(decimals + 1)
    fraction = digits[-decimals:].rstrip("0")
    return f"{sign}{digits[:-decimals]}.{fraction}" if fraction else f"{sign}{digits[:-decimals]}"


def parse_usdc(text: str) -> Micros:
    """Read USDC micros from a decimal string (see parse_amount)."""
    return Micros(parse_amount(text, USDC_DECIMALS))


def format_usdc(micros: int) -> str:
    """Write USDC micros as a decimal string."""
    return format_amount(micros, USDC_DECIMALS)


def mul_div_floor(a: int, b: int, divisor: int) -> int:
    """Return a·b / divisor rounded down (toward −∞): what we give."""
    if divisor <= 0:
        raise ValueError("divisor must be positive")
    return (a * b) // divisor


def mul_div_ceil(a: int, b: int, divisor: int) -> int:
    """Return a·b / divisor rounded up (toward +∞): what we take."""
    return -mul_div_floor(-a, b, divisor)
