"""How much of a provider's principal may leave: vesting per contribution, the instant part, the rest by queue.

Amounts in USDC micros, parts in basis points, moments in UTC. Everything rounds down, against the requester.
Source: exchange.md 15, EX-114, EX-121, CG-004; seed-exchange D4, D5, D6 (what counting otherwise costs).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

from domain.shared.errors import Rejected
from domain.shared.money import format_usdc, mul_div_floor

BPS: Final = 10_000


class Step(NamedTuple):
    """From `days` after a contribution was accepted, `bps` of it have vested."""

    days: int
    bps: int


class LpPolicy(NamedTuple):
    """`steps` ascending in days and bps; `instant_bps` of what has vested is paid at once; `pool_daily_bps` of a
    pool may leave in 24 hours; what is queued waits `queue_s` at least."""

    steps: tuple[Step, ...] = (Step(7, 2_500), Step(30, 5_000), Step(90, 7_500), Step(180, 10_000))
    instant_bps: int = 2_500
    pool_daily_bps: int = 1_000
    queue_s: int = 86_400


class Grant(NamedTuple):
    """One accepted contribution."""

    amount: int
    accepted_at: datetime


class NextVesting(NamedTuple):
    """At `at`, `amount` more will have vested."""

    at: datetime
    amount: int


class Standing(NamedTuple):
    """One provider in one pool at one moment.

    `withdrawn` all that was paid out, `instant` the part of it paid at once, `pending` what open requests still ask.
    """

    vested: int
    withdrawn: int = 0
    instant: int = 0
    pending: int = 0
    next: NextVesting | None = None

    @property
    def queueable(self) -> int:
        """What a new request may ask for. Open requests reserve what they ask (D4)."""
        return max(0, self.vested - self.withdrawn - self.pending)

    def instant_available(self, instant_bps: int) -> int:
        """What would be paid at once; every instant payment of the past counts (D5)."""
        free = mul_div_floor(self.vested, instant_bps, BPS) - self.instant
        return max(0, min(free, self.queueable))


def parse_steps(text: str) -> tuple[Step, ...]:
    """Read "7:2500,30:5000": days and basis points, both rising, at most 10,000.

    Raises: ValueError.
    """
    pairs = [item.partition(":") for item in text.split(",") if item.strip()]
    steps = tuple(Step(int(days), int(bps)) for days, _, bps in pairs)
    rising = all(a.days < b.days and a.bps < b.bps for a, b in pairwise(steps))
    if not steps or not rising or steps[0].days < 0 or steps[0].bps < 1 or steps[-1].bps > BPS:
        raise ValueError(f"not a vesting table: {text!r}")
    return steps


def vested(steps: Sequence[Step], grants: Sequence[Grant], at: datetime) -> int:
    """Micros that have vested: each contribution by its own age (D6), a step counts from its first moment on."""
    return sum(mul_div_floor(grant.amount, _reached(steps, grant, at), BPS) for grant in grants)


def _reached(steps: Sequence[Step], grant: Grant, at: datetime) -> int:
    return max((step.bps for step in steps if grant.accepted_at + timedelta(days=step.days) <= at), default=0)


def next_vesting(steps: Sequence[Step], grants: Sequence[Grant], at: datetime) -> NextVesting | None:
    """The next moment at which more vests, and how much more; None when everything has vested."""
    coming = [m for g in grants for s in steps if (m := g.accepted_at + timedelta(days=s.days)) > at]
    if not coming:
        return None
    first = min(coming)
    return NextVesting(first, vested(steps, grants, first) - vested(steps, grants, at))


def standing(
    policy: LpPolicy, grants: Sequence[Grant], at: datetime, *, withdrawn: int, instant: int, pending: int
) -> Standing:
    """Put together what decides about a withdrawal."""
    return Standing(
        vested(policy.steps, grants, at), withdrawn, instant, pending, next_vesting(policy.steps, grants, at)
    )


def check_vested(found: Standing, amount: int) -> None:
    """Refuse what is beyond the vested amount.

    Raises: Rejected not_vested, with `available_usdc`, `next_vesting_at` and `next_vesting_usdc`.
    """
    if amount <= found.queueable:
        return
    detail = f"{format_usdc(found.queueable)} USDC can be asked for now"
    data: dict[str, object] = {"available_usdc": format_usdc(found.queueable)}
    if found.next is not None:
        moment = found.next.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        more = format_usdc(found.next.amount)
        detail += f"; {more} USDC more vest at {moment}"
        data |= {"next_vesting_at": moment, "next_vesting_usdc": more}
    raise Rejected("not_vested", detail, **data)
