"""The three functions a sale curve needs, in 112-bit binary fixed point that C on chain repeats bit by bit.

A number is an integer in units of 2^-112. Every operation rounds down and every series is cut short, so each result is
never above the true value; the error is below 2^-104 of it (tests/unit/domain/test_launch_curves.py).
programs/launchpad/fixed.h is the same text in C: change both or neither.
Source: launchpad.md 1, 2, 5.
"""

from __future__ import annotations

from typing import Final

FRACTION_BITS: Final = 112
ONE: Final = 1 << FRACTION_BITS
LN_2: Final = 0xB17217F7D1CF79ABC9E3B39803F2
"""floor(2^112 · ln 2)"""
LOG10_E: Final = 0x6F2DEC549B9438CA9AADD557D699
"""floor(2^112 / ln 10)"""
LOG10_E_NINTH: Final = 0x0C5A6F979F823F32F4BDFB42A611
"""floor(2^112 / (9 · ln 10))"""

_LN_TERMS: Final = 34
"""w < 1/3: what is cut off is below 3^-69 / 69 < 2^-115."""
_GROWTH_TERMS: Final = 26
"""y / 16 < 0.576: what is cut off is below 0.576^26 / 27! < 2^-113."""
_HALVINGS: Final = 4


def mul(a: int, b: int) -> int:
    """a · b, rounded down; both at least 0."""
    return (a * b) >> FRACTION_BITS


def ln_ratio(numerator: int, denominator: int) -> int:
    """ln(numerator / denominator) for a ratio from 1 up to, not including, 2^14; both below 2^126.

    The ratio is halved into [1, 2); with w = (n - d) / (n + d), ln(n / d) = 2·atanh(w) = 2·(w + w³/3 + w⁵/5 …).
    """
    halvings = 0
    while numerator >= 2 * denominator:
        denominator *= 2
        halvings += 1
    w = ((numerator - denominator) << FRACTION_BITS) // (numerator + denominator)
    square = mul(w, w)
    total = 0
    for term in range(_LN_TERMS - 1, -1, -1):
        total = ONE // (2 * term + 1) + mul(total, square)
    return halvings * LN_2 + 2 * mul(total, w)


def growth(y: int) -> int:
    """(e^y - 1) / y, which is 1 at 0, for y below 9.216: without the cancellation that dividing would bring.

    1 + y/2·(1 + y/3·(1 + …)) at y/16, then four times f(2y) = f(y)·(2 + y·f(y)) / 2.
    """
    y >>= _HALVINGS
    value = ONE
    for term in range(_GROWTH_TERMS, 1, -1):
        value = ONE + mul(value, y) // term
    for _ in range(_HALVINGS):
        value = mul(value, 2 * ONE + mul(value, y)) >> 1
        y <<= 1
    return value
