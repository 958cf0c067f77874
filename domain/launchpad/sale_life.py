"""Where a sale is in its life, from its account and the chain's own clock.

    upcoming → active → graduating → graduated
                     ↘ refunding → refunded          cancelled: before anything was bought

Source: launchpad.md 6, 15; docs/concepts/sales.md.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from domain.launchpad.sale import OnChain, SaleState


class Phase(StrEnum):
    """GRADUATING and REFUNDING: the chain allows it, and somebody must do it."""

    UPCOMING = "upcoming"
    ACTIVE = "active"
    GRADUATING = "graduating"
    GRADUATED = "graduated"
    REFUNDING = "refunding"
    CANCELLED = "cancelled"


STEPS: Final = ("selling", "settling")
CANCELLED: Final = "cancelled"
ENDED: Final = frozenset({"graduated", "refunded", "cancelled"})
"""Statuses of a sale that nothing follows."""
_RANK: Final = {"upcoming": 0, "active": 1, "refunding": 2, "graduated": 3, "refunded": 3, "cancelled": 3}
PROJECT: Final = {
    "upcoming": "upcoming",
    "active": "active",
    "graduated": "ended",
    "refunding": "ended",
    "refunded": "ended",
    "cancelled": "ended",
}
"""The project's status, by its sale's."""


def phase(sale: SaleState, now: int) -> Phase:
    """`now`: seconds of the chain's clock."""
    if sale.status is OnChain.CANCELLED:
        return Phase.CANCELLED
    if sale.status is OnChain.GRADUATED:
        return Phase.GRADUATED
    if sale.status is OnChain.CLOSED or now >= sale.terms.ends_at:
        return Phase.GRADUATING if sale.latched else Phase.REFUNDING
    return Phase.ACTIVE if now >= sale.terms.starts_at else Phase.UPCOMING


def status(found: Phase, held: int) -> str:
    """The status of the sale's row. `held`: base units that wait for their refund; the account says it, so that a node
    that hides positions cannot end a sale."""
    if found is Phase.GRADUATING:
        return "active"
    if found is Phase.REFUNDING and not held:
        return "refunded"
    return found.value


def shown(status: str) -> str:
    """The status as clients are told it: a sale that was cancelled owes nobody anything, as one that was refunded; a
    flag of its own says which it was."""
    return "refunded" if status == CANCELLED else status


def goes_on(before: str, now: str) -> bool:
    """Whether a sale can have come from one status to the other; a node that is behind says it went back."""
    return _RANK[now] > _RANK[before]


def due_in(sale: SaleState, found: Phase, now: int) -> int:
    """Seconds of the chain's clock until the phase changes by itself; 0 when it does not."""
    if found is Phase.UPCOMING:
        return sale.terms.starts_at - now
    return sale.terms.ends_at - now if found is Phase.ACTIVE else 0
