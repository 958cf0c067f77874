"""Which tokens a split, merge, redemption or conversion moved, and the cash of each: from the market, never a guess.

The venue's rows of these kinds name no token (polymarket.md 0.6), so both legs come from the condition's tokens by
place. What the facts at hand cannot decide waits for them; what contradicts them is left to an operator.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from domain.copytrade.venue import ONE, Kind

HALF: Final = ONE // 2


class Leg(NamedTuple):
    """Shares of one token that came (positive) or went, and the cash that belongs to it, in micros."""

    token_id: str
    shares: int
    cash: int
    price: int | None = None


class Applied(NamedTuple):
    """What to book. `settled`: shares by token whose payout a settlement booked before, so they are not paid twice."""

    legs: tuple[Leg, ...]
    settled: tuple[tuple[str, int], ...] = ()
    detail: str = ""

    @property
    def cash(self) -> int:
        return sum(leg.cash for leg in self.legs)


class Waits(NamedTuple):
    """It can be booked once this is known."""

    why: str


class Cannot(NamedTuple):
    """It cannot be booked as the venue tells it."""

    why: str


Outcome = Applied | Waits | Cannot


class Redeemed(NamedTuple):
    """What is known when a redemption is read. `held` and `settled`: shares by token now, and those a settlement
    took that no redemption has claimed yet. `payouts` None: not resolved as far as we know."""

    payouts: tuple[int, ...] | None
    held: Mapping[str, int]
    settled: Mapping[str, int]

    def total(self, token_id: str) -> int:
        return max(0, self.held.get(token_id, 0)) + self.settled.get(token_id, 0)


def pairs(kind: Kind, tokens: Sequence[str], shares: int) -> Outcome:
    """SPLIT: collateral becomes one share of every outcome; MERGE: the reverse. Each leg counts an equal part."""
    if len(tokens) < 2:
        return Waits("the market's tokens are not known")
    sign = 1 if kind is Kind.SPLIT else -1
    parts = _parts(shares, len(tokens))
    price = ONE // len(tokens)
    legs = (Leg(token, sign * shares, -sign * part, price) for token, part in zip(tokens, parts, strict=True))
    return Applied(tuple(legs))


def redemption(tokens: Sequence[str], token_id: str, shares: int, usdc: int, known: Redeemed) -> Outcome:
    """Shares of a resolved market became their payout.

    A row with a token says how many. Without one the contract took everything held, so the cash must be what all of it
    pays; when it is not and one outcome pays all, as many of that one went as there is cash. What a settlement has
    paid already is not paid again.
    """
    if token_id:
        return _named(tokens, token_id, shares, usdc, known)
    if len(tokens) < 2:
        return Waits("the market's tokens are not known")
    if known.payouts is None or len(known.payouts) != len(tokens):
        return Waits("the market's payouts are not known")
    paying = dict(zip(tokens, known.payouts, strict=True))
    all_of_it = {token: known.total(token) for token in tokens}
    if abs(sum(_worth(count, paying[token]) for token, count in all_of_it.items()) - usdc) <= len(tokens):
        return _redeemed(all_of_it, paying, usdc, known)
    if ONE in known.payouts:
        took = {token: usdc if paying[token] == ONE else count for token, count in all_of_it.items()}
        return _redeemed(took, paying, usdc, known)
    return Cannot(f"{usdc} micros were paid, and what is held of the market pays another amount")


def _named(tokens: Sequence[str], token_id: str, shares: int, usdc: int, known: Redeemed) -> Outcome:
    if tokens and token_id not in tokens:
        return Cannot("the token is not of this market")
    if known.payouts is None or len(known.payouts) != len(tokens):
        if known.settled.get(token_id, 0):
            return Waits("the market's payouts are not known")
        price = usdc * ONE // shares if shares else None
        return Applied((Leg(token_id, -shares, usdc, price),) if shares else ())
    payout = known.payouts[tokens.index(token_id)]
    if abs(_worth(shares, payout) - usdc) > 1:
        return Cannot(f"{shares} shares at {payout} do not pay {usdc} micros")
    return _redeemed({token_id: shares}, {token_id: payout}, usdc, known)


def _redeemed(took: Mapping[str, int], paying: Mapping[str, int], usdc: int, known: Redeemed) -> Applied:
    """Legs of what was taken beyond what is settled; the last micro of rounding goes to the first leg that pays."""
    rest = usdc - sum(_worth(count, paying[token]) for token, count in took.items())
    legs, settled = [], []
    for token, count in took.items():
        before = min(count, known.settled.get(token, 0))
        cash = _worth(count, paying[token]) - _worth(before, paying[token])
        if before:
            settled.append((token, before))
        if count > before:
            extra, rest = (rest, 0) if paying[token] else (0, rest)
            legs.append(Leg(token, before - count, cash + extra, paying[token]))
    return Applied(tuple(legs), tuple(settled), "" if legs else "nothing was held any more")


def conversion(moved: Iterable[tuple[str, int]], usdc: int, costs: Mapping[str, int]) -> Applied:
    """Legs as the chain tells them. A conversion sells nothing: the cost of what went stays with what came, less cash.

    Args:  costs  average cost of the shares that went, by token.
    """
    gone = [(token, shares) for token, shares in moved if shares < 0]
    came = [(token, shares) for token, shares in moved if shares > 0]
    carried = sum(costs.get(token, 0) for token, _ in gone)
    kept = max(0, carried - usdc) if came else 0
    surplus = _parts(usdc - carried + kept, len(gone)) if gone else []
    legs = [
        Leg(token, shares, costs.get(token, 0) + extra) for (token, shares), extra in zip(gone, surplus, strict=True)
    ]
    legs += [Leg(token, shares, -part) for (token, shares), part in zip(came, _parts(kept, len(came)), strict=True)]
    return Applied(tuple(legs))


def _parts(amount: int, count: int) -> list[int]:
    """An amount in equal parts; the last takes what is left over."""
    if not count:
        return []
    return [amount // count] * (count - 1) + [amount - amount // count * (count - 1)]


def _worth(shares: int, payout: int) -> int:
    return shares * payout // ONE
