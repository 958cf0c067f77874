"""Taking from a book, level by level, no worse than a bound. Depth is counted with the same bound (CG-040).

A BUY spends a notional, a SELL gives shares. What is paid is rounded up, what is received down, level by level.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final, NamedTuple

from domain.copytrade.config import Guardrails
from domain.copytrade.decisions import Fill
from domain.copytrade.fees import FeeRule, fee_of
from domain.copytrade.venue import ONE, Book, Level, Side
from domain.shared.money import mul_div_ceil, mul_div_floor

BPS: Final = 10_000


class Bounds(NamedTuple):
    """The worst price of each check, and the worst both allow, on the venue's grid. None: no such check."""

    vs_fill: int | None
    vs_mid: int
    worst: int


class Walk(NamedTuple):
    """`complete`: nothing more was to be had for the target; then the ratio is 100 % whatever the rounding left."""

    fills: tuple[Fill, ...]
    complete: bool

    @property
    def shares(self) -> int:
        return sum(fill.shares for fill in self.fills)

    @property
    def notional(self) -> int:
        return sum(fill.notional for fill in self.fills)

    @property
    def fee(self) -> int:
        return sum(fill.fee for fill in self.fills)


def bounds(side: Side, their_price: int | None, mid: int, rules: Guardrails, tick: int | None) -> Bounds:
    """Their fill ± its tolerance and the mid ± its own, and an order's limit price that keeps both."""
    sign = 1 if side is Side.BUY else -1
    vs_fill = None if their_price is None else their_price + sign * rules.max_worsening_vs_their_fill_micros
    vs_mid = mid + sign * rules.max_over_mid_micros
    both = [vs_mid] if vs_fill is None else [vs_fill, vs_mid]
    step = tick or 1
    if side is Side.BUY:
        return Bounds(vs_fill, vs_mid, min(min(both) // step * step, ONE - step))
    return Bounds(vs_fill, vs_mid, max(-(-max(both) // step) * step, step))


def facing(book: Book, side: Side) -> tuple[Level, ...]:
    """The levels an order takes from, best first."""
    return book.asks if side is Side.BUY else book.bids


def band(book: Book, side: Side, worst: int) -> tuple[Level, ...]:
    """The levels no worse than the bound."""
    if side is Side.BUY:
        return tuple(level for level in book.asks if level.price <= worst)
    return tuple(level for level in book.bids if level.price >= worst)


def notional_of(levels: tuple[Level, ...]) -> int:
    """What all of it costs or brings, rounded down."""
    return sum(level.price * level.size for level in levels) // ONE


def shares_of(levels: tuple[Level, ...]) -> int:
    return sum(level.size for level in levels)


def buy(token_id: str, levels: tuple[Level, ...], target: int, cash: int, rule: FeeRule) -> Walk:
    """Buy for at most `target` micros, fees apart, and never for more than `cash` with fees."""
    fills: list[Fill] = []
    spent = paid = 0
    for number, level in enumerate(levels):
        wanted = min(level.size, mul_div_floor(max(0, target - spent), ONE, level.price))
        shares = _affordable(wanted, level.price, cash - paid, rule)
        if shares > 0:
            notional = mul_div_ceil(shares, level.price, ONE)
            fee = fee_of(rule, shares, level.price)
            fills.append(Fill(number, token_id, shares, level.price, notional, fee))
            spent, paid = spent + notional, paid + notional + fee
        if shares < wanted:
            return Walk(tuple(fills), False)
        if wanted < level.size:
            return Walk(tuple(fills), bool(fills))
    return Walk(tuple(fills), bool(fills) and spent >= target)


def _affordable(shares: int, price: int, cash: int, rule: FeeRule) -> int:
    """The most of these shares that the cash pays for, fee included."""

    def cost(some: int) -> int:
        return mul_div_ceil(some, price, ONE) + fee_of(rule, some, price)

    if cost(shares) <= cash:
        return shares
    low, high = 0, shares
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if cost(middle) <= cash else (low, middle)
    return low


def sell(token_id: str, levels: tuple[Level, ...], shares: int, rule: FeeRule) -> Walk:
    """Sell at most so many shares."""
    fills: list[Fill] = []
    left = shares
    for number, level in enumerate(levels):
        taken = min(level.size, left)
        if taken <= 0:
            break
        notional = mul_div_floor(taken, level.price, ONE)
        fills.append(Fill(number, token_id, taken, level.price, notional, fee_of(rule, taken, level.price)))
        left -= taken
    return Walk(tuple(fills), bool(fills) and left == 0)


def vwap(fills: tuple[Fill, ...], side: Side) -> int | None:
    """Σ price·shares / Σ shares: up for a BUY, down for a SELL, so that it never flatters; between worst and best."""
    exact = exact_vwap(fills)
    if exact is None:
        return None
    return -(-exact.numerator // exact.denominator) if side is Side.BUY else exact.numerator // exact.denominator


def exact_vwap(fills: tuple[Fill, ...]) -> Fraction | None:
    shares = sum(fill.shares for fill in fills)
    return Fraction(sum(fill.price * fill.shares for fill in fills), shares) if shares else None


def ratio_bps(done: int, target: int, *, complete: bool) -> int:
    """Share of the target that was filled, rounded down; 100 % only when it was complete."""
    if complete:
        return BPS
    return min(BPS - 1, mul_div_floor(done, BPS, target)) if target > 0 else 0


def seen_from(book: Book, token_id: str) -> Book:
    """The book of a token. A market's two books mirror each other: who buys one at p sells the other at 1 − p."""
    if book.token_id == token_id:
        return book
    return book._replace(token_id=token_id, bids=_mirrored(book.asks), asks=_mirrored(book.bids))


def _mirrored(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    return tuple(Level(ONE - level.price, level.size) for level in levels)
