"""What listeners of the topic `launchpad` are told of a sale's event.

Amounts are decimal strings. `wallet` is an address of the chain, where everybody can read it. `uplines`: whose referral
earnings change, level 1 first.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from domain.launchpad.sale import Emitted
from domain.shared.events import Event
from domain.shared.money import format_amount

SOL_DECIMALS: Final = 9

Payload = dict[str, str | int | bool | list[str] | None]


class Of(NamedTuple):
    """The sale an event is about, and where on the chain it was told."""

    project_id: str
    sale_id: str
    decimals: int
    signature: str


def news(event: Emitted, of: Of, uplines: tuple[str, ...], latches: bool) -> tuple[Event, ...]:
    """The outbox events of one event of the chain. `latches`: with it the soft cap is reached."""
    made = _MAKERS.get(event.kind)
    if made is None:
        return ()
    kind, payload = made(event, of)
    if uplines:
        payload["uplines"] = list(uplines)
    found = [_event(kind, of, payload)]
    if event.kind == "Traded" and latches:
        found.append(_event("sale_changed", of, {"change": "latched"}))
    if event.data.get("closed"):
        found.append(_event("sale_changed", of, {"change": "closed"}))
    return tuple(found)


def _event(kind: str, of: Of, payload: Payload) -> Event:
    about: Payload = {"project_id": of.project_id, "sale_id": of.sale_id, "signature": of.signature}
    return Event(topic="launchpad", type=kind, payload={**about, **payload})


def _sol(lamports: int) -> str:
    return format_amount(lamports, SOL_DECIMALS)


def _traded(event: Emitted, of: Of) -> tuple[str, Payload]:
    data = event.data
    return "sale_traded", {
        "wallet": data["trader"],
        "side": "buy" if data["is_buy"] else "sell",
        "tokens": format_amount(data["tokens"], of.decimals),
        "value_sol": _sol(data["value"]),
        "tax_sol": _sol(data["tax"]),
        "sold": format_amount(data["sold"], of.decimals),
        "raised_sol": _sol(data["raised"]),
    }


def _claimed(event: Emitted, of: Of) -> tuple[str, Payload]:
    return "tokens_claimed", {"wallet": event.data["buyer"], "tokens": format_amount(event.data["tokens"], of.decimals)}


def _refunded(event: Emitted, of: Of) -> tuple[str, Payload]:
    return "sale_refunded", {"wallet": event.data["buyer"], "sol": _sol(event.data["lamports"])}


def _settled(event: Emitted, of: Of) -> tuple[str, Payload]:
    return "referral_settled", {"wallet": event.data["trader"], "sol": _sol(sum(event.data["shares"]))}


def _distributed(event: Emitted, of: Of) -> tuple[str, Payload]:
    return "tax_distributed", {f"{part}_sol": _sol(event.data[part]) for part in ("marketing", "treasury", "rewards")}


def _burned(event: Emitted, of: Of) -> tuple[str, Payload]:
    burned = format_amount(event.data["tokens"], of.decimals)
    return "tax_distributed", {"burn_sol": _sol(event.data["lamports"]), "burned": burned}


def _graduated(event: Emitted, of: Of) -> tuple[str, Payload]:
    return "sale_changed", {"change": "graduated", "raised_sol": _sol(event.data["raised"])}


def _cancelled(event: Emitted, of: Of) -> tuple[str, Payload]:
    return "sale_changed", {"change": "cancelled"}


_MAKERS: Final = {
    "Traded": _traded,
    "Claimed": _claimed,
    "Refunded": _refunded,
    "ReferralSettled": _settled,
    "Distributed": _distributed,
    "Burned": _burned,
    "Graduated": _graduated,
    "SaleCancelled": _cancelled,
}
