"""Both outcomes of a market at once: a pair costs and gives 1 USDC, no book and no fee in between (CG-030)."""

from __future__ import annotations

from domain.copytrade.entries import Entry, EntryType
from domain.copytrade.portfolio import Holding
from domain.copytrade.venue import ONE
from domain.copytrade.view import View
from domain.shared.money import mul_div_floor


def split(seen: View, amount: int) -> tuple[Entry, ...]:
    """`amount` USDC into as many shares of each outcome. What each leg cost follows the marks; without any, halves."""
    first, second = seen.group.token_ids
    mark = seen.marks.get(first)
    other = seen.marks.get(second)
    price = mark if mark is not None else ONE - other if other is not None else ONE // 2
    paid = mul_div_floor(amount, price, ONE)
    return (
        _leg(seen, EntryType.SPLIT, first, amount, -paid),
        _leg(seen, EntryType.SPLIT, second, amount, paid - amount),
    )


def merged(seen: View, amount: int) -> tuple[Entry, ...]:
    """`amount` shares of each outcome back into USDC, divided by what the legs had cost: so each leg makes its part of
    the gain, and none a loss that the other one pays for."""
    first, second = seen.group.token_ids
    costs = [_leaving(seen.portfolio.holdings[token], amount) for token in (first, second)]
    total = sum(costs)
    got = mul_div_floor(amount, costs[0], total) if total > 0 else amount // 2
    return (
        _leg(seen, EntryType.MERGE, first, -amount, got),
        _leg(seen, EntryType.MERGE, second, -amount, amount - got),
    )


def _leaving(held: Holding, shares: int) -> int:
    return mul_div_floor(held.cost, shares, held.shares)


def _leg(seen: View, kind: EntryType, token_id: str, shares: int, cash: int) -> Entry:
    group = seen.group
    price = abs(cash) * ONE // abs(shares) if shares else None
    return Entry(kind, group.group_key, group.condition_id, token_id, shares, cash, price, group.due_at)
