"""How one RPC port sees the ledger: how far behind it is, about what it lies, and what it does to single calls."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from localnet.evm_faults import FaultPlan
from localnet.svm.errors import context_slot_not_reached, invalid
from localnet.svm.ledger import FINAL_AGE, Ledger

CONFIRMED_AGE = 2
AGES = {"processed": 0, "confirmed": CONFIRMED_AGE, "finalized": FINAL_AGE}
"""Slots a slot must be old to count as such."""
KEPT = 500
MOODS = ("speaks", "silent", "refuses")


@dataclass
class Lies:
    """Each is off by default.

    ``forgets``: True, or signatures: unknown to statuses and history. ``vouches``: True, or signatures: said to be
    confirmed without error whether they landed or not. ``hides_errors``: failed transactions look like successes.
    ``finalizes``: whatever landed is final at once. ``ahead``: slots added to heights and slots, so that things look
    expired. ``blind``: no account exists. ``healthy``: getHealth says ok however far behind it is.
    """

    forgets: bool | list[str] = False
    vouches: bool | list[str] = False
    hides_errors: bool = False
    finalizes: bool = False
    ahead: int = 0
    blind: bool = False
    healthy: bool = False


@dataclass
class Port:
    """``lag``: slots behind the tip. ``mood`` of its sockets: silent (no notification), refuses (no connection)."""

    ledger: Ledger
    name: str = ""
    lag: int = 0
    lies: Lies = field(default_factory=Lies)
    faults: FaultPlan = field(default_factory=FaultPlan)
    mood: str = "speaks"
    fee_floor: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    requests: deque[tuple[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def slot(self, commitment: str) -> int:
        """The newest slot of a commitment, as this port knows it."""
        return self.ledger.now().slot - self.lag - AGES[commitment]

    def context(self, commitment: str, config: dict[str, Any]) -> int:
        """The slot a read is answered from. Raises RpcRefusal when the caller wants a later one."""
        slot = self.slot(commitment)
        wanted = config.get("minContextSlot")
        if wanted is not None and int(wanted) > slot:
            raise context_slot_not_reached(slot)
        return slot

    def forgets(self, signature: str) -> bool:
        return _covers(self.lies.forgets, signature)

    def vouches(self, signature: str) -> bool:
        return _covers(self.lies.vouches, signature)

    def show(self) -> dict[str, Any]:
        told = {"port": self.name, "lag": self.lag, "mood": self.mood, "fee_floor": self.fee_floor}
        return {**told, **vars(self.lies), "calls": dict(self.calls)}

    def change(self, asked: dict[str, Any]) -> None:
        """Sets what is named: ``lag``, ``mood``, ``fee_floor`` and the lies. Raises ValueError."""
        if asked.get("mood", self.mood) not in MOODS:
            raise ValueError(f"moods are {', '.join(MOODS)}")
        own = ("lag", "fee_floor")
        unknown = set(asked) - set(own) - {"mood"} - set(vars(self.lies))
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        for name, value in asked.items():
            if name in vars(self.lies):
                setattr(self.lies, name, value)
            else:
                setattr(self, name, value if name == "mood" else int(value))

    def heal(self) -> None:
        """An honest node at the tip without faults."""
        self.lag, self.mood, self.lies, self.fee_floor = 0, "speaks", Lies(), 0
        self.faults.clear()


def _covers(lie: bool | list[str], signature: str) -> bool:
    return lie if isinstance(lie, bool) else signature in lie


_OLD_NAMES = {"recent": "processed", "single": "confirmed", "singleGossip": "confirmed", "root": "finalized",
              "max": "finalized"}  # fmt: skip


def commitment(config: dict[str, Any], least: str = "processed") -> str:
    """The commitment asked for, finalized by default. Raises RpcRefusal."""
    asked = config.get("commitment") or "finalized"
    name = _OLD_NAMES.get(asked, asked)
    if name not in AGES:
        raise invalid(f"Invalid params: unknown variant `{asked}`, expected one of {_EXPECTED}.")
    if AGES[name] < AGES[least]:
        raise invalid("Method does not support commitment below `confirmed`")
    return name


_EXPECTED = ", ".join(f"`{name}`" for name in (*AGES, *_OLD_NAMES))
