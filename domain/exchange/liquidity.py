"""A pool of LP principal: what each provider owns and has earned, and how much may leave when.

1 share micro is 1 micro of principal (CG-005). Amounts in USDC micros, moments in UTC.
Source: exchange.md 15, EX-116…121, CG-003, CG-005, CG-018.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from domain.exchange.trading import fees_earned
from domain.exchange.vesting import BPS
from domain.shared.ledger import Transfer, available, lp_fees, lp_principal, move
from domain.shared.money import USDC, mul_div_floor

WITHDRAWAL_STEPS: Final = ("check", "instant", "queue")
"""Of the operation `lp_withdrawal`."""
CLAIM_STEPS: Final = ("claim",)
"""Of the operation `lp_fee_claim`."""
CANCELLABLE: Final = ("requested", "queued")
ENDED: Final = ("paid", "cancelled", "refused")
OPEN_POOLS: Final = ("active", "halted")
"""Asset statuses in which principal may be withdrawn: a funding round ends first, a cancelled one refunds by itself."""
WINDOW: Final = timedelta(hours=24)
FLOOR_MICROS: Final = 10_000
"""A window allows at least one cent, so that the last of a pool can leave it."""


class Position(NamedTuple):
    """One provider in one pool. `index_paid`: the asset's fee index when `owed` was last settled."""

    shares: int = 0
    contributed: int = 0
    withdrawn: int = 0
    instant: int = 0
    index_paid: int = 0
    owed: int = 0
    claimed: int = 0


def settled(position: Position, index: int) -> Position:
    """Count what the shares have earned up to `index`: done whenever shares change and before a claim."""
    earned = fees_earned(position.shares, position.index_paid, index)
    return position._replace(owed=position.owed + earned, index_paid=index)


def contributed(position: Position, index: int, amount: int) -> Position:
    """After an accepted contribution; negative after its refund."""
    found = settled(position, index)
    return found._replace(shares=found.shares + amount, contributed=found.contributed + amount)


def paid_out(position: Position, index: int, amount: int, *, instant: bool) -> Position:
    """After a payment of principal."""
    found = settled(position, index)
    return found._replace(
        shares=found.shares - amount,
        withdrawn=found.withdrawn + amount,
        instant=found.instant + (amount if instant else 0),
    )


def claimed(position: Position, index: int) -> tuple[Position, int]:
    """After a claim: all that is owed, at once."""
    found = settled(position, index)
    return found._replace(owed=0, claimed=found.claimed + found.owed), found.owed


# --- how much may leave ----------------------------------------------------------------------------------------------


class Payout(NamedTuple):
    """Principal that left, instant or from the queue."""

    at: datetime
    amount: int


class Pool(NamedTuple):
    """`principal` now; `payouts` of the last 24 hours; `bps` of the pool that may leave in 24 hours."""

    principal: int
    payouts: tuple[Payout, ...]
    bps: int


class Waiting(NamedTuple):
    """A queued request: not paid before `due_at`, and not before those ahead of it."""

    id: str
    unpaid: int
    due_at: datetime


class Payment(NamedTuple):
    id: str
    amount: int


class Plan(NamedTuple):
    """What is paid now, in order, and when to look again; None when nobody waits any more."""

    payments: tuple[Payment, ...]
    look_at: datetime | None


def headroom(pool: Pool, at: datetime) -> int:
    """Micros that may leave at `at`: 10 % of the principal as it was 24 hours ago, less what has left since.

    Principal then = principal now + what left since, because contributions end with activation. The reserve and the
    fees are not counted: they belong to holders and earners, and must not let providers leave faster.
    """
    left = sum(payout.amount for payout in pool.payouts if payout.at > at - WINDOW)
    limit = max(mul_div_floor(pool.principal + left, pool.bps, BPS), FLOOR_MICROS)
    return max(0, min(limit - left, pool.principal))


def returns_at(pool: Pool, at: datetime) -> datetime:
    """The next moment from which headroom is positive: some payout of the window must be 24 hours old."""
    for payout in sorted(pool.payouts):
        moment = payout.at + WINDOW
        if moment > at and headroom(pool, moment) > 0:
            return moment
    return at + WINDOW


def plan(pool: Pool, queue: Sequence[Waiting], at: datetime) -> Plan:
    """Pay the queue in order, in parts as headroom allows; nobody overtakes.

    Args:  queue  in the order of its pool; all of it, or its beginning.
    """
    payments: list[Payment] = []
    for waiting in queue:
        if waiting.due_at > at:
            return Plan(tuple(payments), waiting.due_at)
        amount = min(waiting.unpaid, headroom(pool, at))
        if amount > 0:
            payments.append(Payment(waiting.id, amount))
            pool = pool._replace(principal=pool.principal - amount, payouts=(*pool.payouts, Payout(at, amount)))
        if amount < waiting.unpaid:
            return Plan(tuple(payments), returns_at(pool, at))
    return Plan(tuple(payments), None)


def instant_part(pool: Pool, asked: int, allowed: int, at: datetime, due: int = 0) -> int:
    """What of a new request is paid at once: within the provider's instant limit and the pool's headroom.

    Args:  due  what queued requests wait for whose time has come: the headroom is theirs first. Those that are not due
           yet reserve nothing, or a single request could keep everybody else waiting for a day.
    """
    return max(0, min(asked, allowed, headroom(pool, at) - due))


# --- the money -------------------------------------------------------------------------------------------------------


def payout(asset_id: str, account_id: str, withdrawal_id: str, part: int, amount: int) -> Transfer:
    lines = move(USDC, amount, lp_principal(asset_id), available(account_id))
    return Transfer(key=f"lp_payout:{withdrawal_id}:{part}", kind="lp_payout", ref=withdrawal_id, postings=lines)


def fee_payment(asset_id: str, account_id: str, claim_id: str, amount: int) -> Transfer:
    lines = move(USDC, amount, lp_fees(asset_id), available(account_id))
    return Transfer(key=f"lp_fee_claim:{claim_id}", kind="lp_fee_claim", ref=claim_id, postings=lines)
