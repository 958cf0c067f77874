"""What a sale's events add up to: its counters, and what each wallet has in it.

Every event is a difference, so their order does not matter; each counts once (storage/launchpad/sale_feed.py).
A fold is what was read, not an invariant: with an event that was never read it may be anything, even below 0.
Source: docs/concepts/sales.md.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from domain.launchpad.sale import Emitted, OnChain, SaleState


class Totals(NamedTuple):
    """Base units and lamports. `raised` stays what it was when a sale graduates; on the chain it becomes 0."""

    sold: int = 0
    raised: int = 0
    held: int = 0
    tax_total: int = 0

    def plus(self, other: Totals) -> Totals:
        return Totals(*(a + b for a, b in zip(self, other, strict=True)))


class Move(NamedTuple):
    """What an event changes in a wallet's position; 0 where nothing does."""

    wallet: str
    bought: int = 0
    sold: int = 0
    held: int = 0
    claimed: int = 0
    paid: int = 0
    received: int = 0
    tax: int = 0
    refunded: int = 0


class Paid(NamedTuple):
    """What a wallet paid into a sale, as far as it was read: a refund tells only the sum of both.

    `refunded`: its refund was read already.
    """

    value: int = 0
    tax: int = 0
    refunded: bool = False


NOTHING: Final = Paid()


def crosses(event: Emitted, soft_cap: int) -> bool:
    """A buy that brought what is raised to the soft cap. The first one latches; after sales another may cross again."""
    data = event.data
    is_buy = event.kind == "Traded" and data["is_buy"] and data["latched"]
    return bool(is_buy) and data["raised"] - data["value"] < soft_cap <= data["raised"]


def totals_of(event: Emitted, latched_before: bool, paid: Paid = NOTHING) -> Totals:
    """What an event adds.

    Args:  latched_before  the soft cap was reached before this event.   paid  by its wallet in what was read before.
    """
    data = event.data
    if event.kind == "Traded":
        sign = 1 if data["is_buy"] else -1
        kept = data["tokens"] if data["is_buy"] and not latched_before else 0
        late = data["tax"] if paid.refunded else 0  # its refund counted this tax as value
        return Totals(sign * data["tokens"], sign * data["value"] + late, kept, data["tax"])
    if event.kind == "Claimed":
        return Totals(held=-data["tokens"])
    if event.kind == "Refunded":
        return Totals(-data["tokens"], -(data["lamports"] - paid.tax), -data["tokens"])
    if event.kind == "Burned" and not data["from_pool"]:
        return Totals(data["tokens"], data["lamports"])
    return Totals()


def move_of(event: Emitted, latched_before: bool) -> Move | None:
    """What an event changes in somebody's position; None: nobody's."""
    data = event.data
    if event.kind == "Traded" and data["is_buy"]:
        held = 0 if latched_before else data["tokens"]
        return Move(data["trader"], bought=data["tokens"], held=held, paid=data["value"], tax=data["tax"])
    if event.kind == "Traded":
        received = data["value"] - data["tax"]
        return Move(data["trader"], sold=data["tokens"], received=received, tax=data["tax"])
    if event.kind == "Claimed":
        return Move(data["buyer"], held=-data["tokens"], claimed=data["tokens"])
    if event.kind == "Refunded":
        return Move(data["buyer"], held=-data["tokens"], refunded=data["lamports"])
    return None


def wallet_of(event: Emitted) -> str | None:
    """Whose doing an event is, or for whom."""
    for name in ("trader", "buyer", "beneficiary", "owner", "user"):
        if name in event.data:
            return str(event.data[name])
    return None


def amounts_of(event: Emitted) -> tuple[int | None, int | None, int | None]:
    """Tokens, lamports and tax of an event, where it has them."""
    data: dict[str, Any] = event.data
    value = data.get("value", data.get("lamports"))
    return data.get("tokens"), value, data.get("tax")


def differences(totals: Totals, latched: bool, state: SaleState) -> tuple[str, ...]:
    """Where the events and the Sale account disagree, in words; empty when they agree."""
    raised = 0 if state.status is OnChain.GRADUATED else totals.raised
    pairs = (
        ("sold", totals.sold, state.sold),
        ("raised", raised, state.raised),
        ("held", totals.held, state.held),
        ("tax_total", totals.tax_total, state.tax_total),
        ("latched", latched, state.latched),
    )
    return tuple(f"{name}: events {told}, account {found}" for name, told, found in pairs if told != found)


def counters(state: SaleState, chain_time: int) -> dict[str, Any]:
    """The Sale account's counters by the IDL's names, as they are kept beside the fold; `at`: the chain's clock."""
    fixed = {"address", "terms", "mint", "vault", "creator", "platform", "token_program"}
    return {**state.model_dump(mode="json", exclude=fixed), "at": chain_time}
