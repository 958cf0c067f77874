"""Funding rounds: who may still contribute, when an asset becomes active, when the round ends without it.

Amounts in USDC micros, moments in UTC. Only principal counts toward the caps (D10).
Source: exchange.md 14, EX-110…115, CG-019, CG-020.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from domain.shared.errors import Rejected
from domain.shared.ledger import Transfer, available, lp_principal, move
from domain.shared.money import USDC, format_usdc

STEPS: Final = ("funding", "decision", "refunds")
"""Of the operation `funding_round`."""
MINIMUM_MICROS: Final = 10_000
"""One cent: contributions of dust would cost more to refund than they bring."""


class Round(NamedTuple):
    """An asset as its funding round sees it. `raised`: accepted and not refunded, which is the LP principal."""

    status: str
    raised: int
    soft_cap: int
    hard_cap: int
    deadline: datetime


class Ask(NamedTuple):
    """One requested contribution."""

    id: str
    account_id: str
    amount: int


class Verdict(NamedTuple):
    """`code` None: accepted."""

    ask: Ask
    code: str | None


class Admission(NamedTuple):
    """The round afterwards, and a verdict for every ask, in order."""

    round: Round
    verdicts: tuple[Verdict, ...]


def is_open(found: Round, at: datetime) -> bool:
    """May contributions be accepted? The deadline itself is too late."""
    return found.status == "funding" and at < found.deadline


def has_failed(found: Round, at: datetime) -> bool:
    """Is it over without the soft cap? Reaching the soft cap makes the asset active at once."""
    return found.status == "funding" and at >= found.deadline


def refusal(found: Round, amount: int, balance: int, at: datetime) -> str | None:
    """Why this contribution is refused, whole; None when it is accepted."""
    if not is_open(found, at):
        return "funding_closed"
    if found.raised + amount > found.hard_cap:
        return "hard_cap_exceeded"
    return "insufficient_funds" if amount > balance else None


def check(found: Round, amount: int, balance: int, at: datetime) -> None:
    """`refusal` as it is told to the requester.

    Raises: Rejected amount_below_minimum, funding_closed, hard_cap_exceeded, insufficient_funds.
    """
    if amount < MINIMUM_MICROS:
        raise Rejected("amount_below_minimum", f"the minimum is {format_usdc(MINIMUM_MICROS)} USDC")
    code = refusal(found, amount, balance, at)
    left = format_usdc(max(0, found.hard_cap - found.raised))
    details = {
        "funding_closed": f"the asset is {found.status}" if found.status != "funding" else "the deadline has passed",
        "hard_cap_exceeded": f"{left} USDC are left up to the hard cap",
        "insufficient_funds": "the available balance is smaller than the amount",
    }
    if code is not None:
        raise Rejected(code, details[code])


def admit(found: Round, asks: Sequence[Ask], balances: Mapping[str, int], at: datetime) -> Admission:
    """Decide requests in order; the one that reaches the soft cap activates, those after it come too late.

    Args:  balances  available micros per account.
    """
    left = dict(balances)
    verdicts = []
    for ask in asks:
        code = refusal(found, ask.amount, left.get(ask.account_id, 0), at)
        verdicts.append(Verdict(ask, code))
        if code is None:
            left[ask.account_id] -= ask.amount
            raised = found.raised + ask.amount
            found = found._replace(raised=raised, status="active" if raised >= found.soft_cap else "funding")
    return Admission(found, tuple(verdicts))


def contribution(asset_id: str, ask: Ask) -> Transfer:
    """The money of one accepted contribution."""
    lines = move(USDC, ask.amount, available(ask.account_id), lp_principal(asset_id))
    return Transfer(key=f"contribution:{ask.id}", kind="contribution", ref=ask.id, postings=lines)


def refund(asset_id: str, ask: Ask) -> Transfer:
    """The same money back: all of it, once."""
    lines = move(USDC, ask.amount, lp_principal(asset_id), available(ask.account_id))
    return Transfer(key=f"contribution:{ask.id}:refund", kind="contribution_refund", ref=ask.id, postings=lines)
