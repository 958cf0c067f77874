"""Where copying fell short of the leader: his profit at our rate, less ours, taken apart without a rest.

Profit is linear in what moved: every movement is worth its cash and, at the marks of today, its shares. So each group's
part of the gap is his movement at the rate less ours, and that is telescoped in a fixed order (copytrade.md 7):

    his trade at the rate → sized and clamped → capped → at the mid when we decided → at our average → what was filled
    → less fees → as booked

A BUY holds the money fixed while the price changes, a SELL the shares. All in fractions; nothing is rounded on the way,
so the parts add up to the gap exactly. What is left for `rounding` is what booking rounded: under a micro for each
level, each position valued and each settlement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import floor
from typing import Final, Literal, NamedTuple, get_args

from domain.copytrade.decisions import Decision, Fill
from domain.copytrade.groups import Group, GroupKind
from domain.copytrade.portfolio import Marks
from domain.copytrade.reasons import Reason
from domain.copytrade.venue import ONE
from domain.copytrade.walk import exact_vwap

Part = Literal["unsupported", "skipped", "size", "caps", "latency", "price", "partial", "fees", "manual", "rounding"]
ORDER: Final[tuple[Part, ...]] = get_args(Part)


class Flow(NamedTuple):
    """What one event moved: cash with fees, shares by token. `contributed`: what of it was a contribution (a DEPOSIT).

    The marks must tell every token that ever moved; of a resolved one its payout.
    """

    cash: int
    shares: Mapping[str, int]
    fees: int = 0
    contributed: int = 0

    def worth(self, marks: Marks) -> Fraction:
        held = sum((Fraction(count * marks[token], ONE) for token, count in self.shares.items()), Fraction(0))
        return self.cash - self.contributed + held


class Attempted(NamedTuple):
    """What became of a group in one portfolio. `token_id`: the one traded. Sizes as in `Sizes`."""

    kind: GroupKind
    their_notional: int
    their_shares: int
    reasons: tuple[Reason, ...]
    token_id: str
    sized: int
    target: int
    sized_shares: int
    target_shares: int
    mid: int | None
    fills: tuple[Fill, ...]
    fee: int


class Copied(NamedTuple):
    """A group: his movement, the rate it is measured at, and our attempt."""

    theirs: Flow
    rate: Fraction
    attempt: Attempted


class Uncopied(NamedTuple):
    """His movement that never became an attempt: the baseline, what was backfilled, rewards, groups still waiting."""

    theirs: Flow
    rate: Fraction
    settles: bool = False
    """A settlement: at payouts it is worth nothing but what was rounded."""


class Alone(NamedTuple):
    """Our movement without his: bankroll, an operator's close, a settlement."""

    ours: Flow
    settles: bool = False


Step = Copied | Uncopied | Alone


class Gap(NamedTuple):
    """All in micros of USDC, + is what copying cost. `parts` in ORDER add up to `total` exactly.

    `skipped`: that part by the first reason of each skip. `explained`: rounding stayed within what booking can round;
    otherwise ledger, attempts or marks do not belong together, and somebody must look.
    """

    total: Fraction
    parts: Mapping[Part, Fraction]
    skipped: Mapping[Reason, Fraction]
    roundings: int

    @property
    def explained(self) -> bool:
        return abs(self.parts["rounding"]) <= self.roundings


def tracking_gap(
    steps: Iterable[Step], marks: Marks, shadows: Iterable[tuple[Fraction, int]], executable: int, valued: int = 0
) -> Gap:
    """The gap of one portfolio.

    Args:   shadows  rate and profit of each leader's shadow, as reported at these marks.   executable  our profit as
            reported.   valued  how many positions those profits rounded to whole micros.
    Raises: KeyError for a token without a mark.
    """
    parts: dict[Part, Fraction] = dict.fromkeys(ORDER, Fraction(0))
    skipped: dict[Reason, Fraction] = {}
    roundings = valued
    for step in steps:
        roundings += _roundings(step)
        for part, amount in _parts(step, marks):
            parts[part] += amount
        if isinstance(step, Copied) and step.attempt.reasons:
            first = step.attempt.reasons[0]
            skipped[first] = skipped.get(first, Fraction(0)) + step.rate * step.theirs.worth(marks)
    total = sum((rate * profit for rate, profit in shadows), Fraction(0)) - executable
    parts["rounding"] = total - sum(amount for part, amount in parts.items() if part != "rounding")
    return Gap(total, parts, skipped, roundings)


def _roundings(step: Step) -> int:
    if isinstance(step, Copied):
        return len(step.attempt.fills)
    flow = step.ours if isinstance(step, Alone) else step.theirs
    return len(flow.shares) if step.settles else 0


def _parts(step: Step, marks: Marks) -> list[tuple[Part, Fraction]]:
    """Of one step; what is not attributed here is rounding."""
    if isinstance(step, Alone):
        return [] if step.settles else [("manual", -step.ours.worth(marks))]
    whole = step.rate * step.theirs.worth(marks)
    if isinstance(step, Uncopied):
        return [] if step.settles else [("unsupported", whole)]
    attempt = step.attempt
    if attempt.reasons:
        return [("skipped", whole)]
    chain = _telescope(attempt, step.theirs, marks)
    start = whole + step.rate * step.theirs.fees
    found: list[tuple[Part, Fraction]] = []
    for part, reached in chain:
        found.append((part, start - reached))
        start = reached
    return [*found, ("fees", attempt.fee - step.rate * step.theirs.fees)]


def _telescope(attempt: Attempted, theirs: Flow, marks: Marks) -> list[tuple[Part, Fraction]]:
    """What the trade would have been worth after each step, before fees."""
    if attempt.kind is GroupKind.BUY:
        return _bought(attempt, Fraction(marks[attempt.token_id]))
    if attempt.kind is GroupKind.SELL:
        return _sold(attempt, Fraction(marks[attempt.token_id]))
    if attempt.fills:
        return _held_leg_sold(attempt, Fraction(marks[attempt.token_id]))
    opens = attempt.kind.opening
    pairs = theirs.worth(marks) / attempt.their_shares
    sized, target = (attempt.sized, attempt.target) if opens else (attempt.sized_shares, attempt.target_shares)
    return [("size", sized * pairs), ("caps", target * pairs)]


def _bought(attempt: Attempted, mark: Fraction) -> list[tuple[Part, Fraction]]:
    theirs, mid, ours = _prices(attempt)

    def spent(money: int, price: Fraction) -> Fraction:
        return money * (mark / price - 1)

    return [
        ("size", spent(attempt.sized, theirs)),
        ("caps", spent(attempt.target, theirs)),
        ("latency", spent(attempt.target, mid)),
        ("price", spent(attempt.target, ours)),
        ("partial", sum(((mark - fill.price) * fill.shares / ONE for fill in attempt.fills), Fraction(0))),
    ]


def _sold(attempt: Attempted, mark: Fraction) -> list[tuple[Part, Fraction]]:
    theirs, mid, ours = _prices(attempt)

    def given(shares: int, price: Fraction) -> Fraction:
        return shares * (price - mark) / ONE

    return [
        ("size", given(attempt.sized_shares, theirs)),
        ("caps", given(attempt.target_shares, theirs)),
        ("latency", given(attempt.target_shares, mid)),
        ("price", given(attempt.target_shares, ours)),
        ("partial", given(sum(fill.shares for fill in attempt.fills), ours)),
    ]


def _held_leg_sold(attempt: Attempted, mark: Fraction) -> list[tuple[Part, Fraction]]:
    """He merged or redeemed, we sold the one leg we had: no trade of his to compare with, so it starts at the mid."""
    _, mid, ours = _prices(attempt)
    done = sum(fill.shares for fill in attempt.fills)
    return [
        ("unsupported", attempt.target_shares * (mid - mark) / ONE),
        ("price", attempt.target_shares * (ours - mark) / ONE),
        ("partial", done * (ours - mark) / ONE),
    ]


def _prices(attempt: Attempted) -> tuple[Fraction, Fraction, Fraction]:
    """Theirs, the mid, ours; exactly."""
    ours = exact_vwap(attempt.fills)
    if ours is None or attempt.mid is None:
        raise ValueError("an executed trade has fills and a mid")
    theirs = Fraction(attempt.their_notional * ONE, attempt.their_shares) if attempt.their_shares else Fraction(0)
    return theirs, Fraction(attempt.mid), ours


def attempted(group: Group, made: Decision) -> Attempted:
    """An attempt as the gap sees it."""
    sizes = made.sizing
    return Attempted(
        kind=group.kind,
        their_notional=sizes.their_notional,
        their_shares=sizes.their_shares,
        reasons=made.reasons,
        token_id=made.fills[0].token_id if made.fills else (group.token_ids or ("",))[0],
        sized=sizes.sized,
        target=sizes.target,
        sized_shares=sizes.sized_shares,
        target_shares=sizes.target_shares,
        mid=made.mid,
        fills=made.fills,
        fee=made.fee,
    )


def in_micros(gap: Gap) -> dict[str, int]:
    """Whole micros that still add up to `total`: all rounded down, `rounding` takes what that left."""
    whole: dict[str, int] = {part: floor(gap.parts[part]) for part in ORDER if part != "rounding"}
    total = floor(gap.total)
    return whole | {"rounding": total - sum(whole.values()), "total": total}
