"""What the ledger can be told beside transactions, by verb. A verb takes a JSON object and answers with one.

Bad input raises ValueError and changes nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey

from localnet.svm.clock import SLOT_MS, height
from localnet.svm.genesis import RENT_EPOCH
from localnet.svm.ledger import FINAL_AGE, Ledger
from localnet.svm.port import CONFIRMED_AGE

Json = dict[str, Any]


class Control:
    """``perform(verb, asked)``; ``verbs()`` names them all."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def verbs(self) -> dict[str, Callable[[Json], Json]]:
        return {
            "warp": self.warp, "confirm": self.confirm, "finalize": self.finalize, "clock": self.clock,
            "unconfirm": self.unconfirm, "account": self.account,
        }  # fmt: skip

    def perform(self, verb: str, asked: Json) -> Json:
        found = self.verbs().get(verb)
        if found is None:
            raise ValueError(f"verbs are {', '.join(self.verbs())}")
        try:
            return found(asked)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{verb}: {error}") from error

    def show(self) -> Json:
        now = self.ledger.now()
        return {
            "slot": now.slot,
            "block_height": height(now.slot),
            "epoch": now.epoch,
            "unix_timestamp": now.unix_timestamp,
            "running": self.ledger.clock.anchors[-1].running,
            "faucet": str(self.ledger.faucet.pubkey()),
            **self.ledger.store.counts(),
            "verbs": list(self.verbs()),
        }

    def warp(self, asked: Json) -> Json:
        """{"slots": n} goes on n slots; {"seconds": s} sets the chain's clock s seconds further within one slot;
        {"to": unix time} up to that time. Blockhashes age by slots only."""
        slots, extra = int(asked.get("slots", 0)), 0
        if "seconds" in asked or "to" in asked:
            slots = max(slots, 1)
            now = self.ledger.now().unix_ms
            later = int(float(asked["seconds"]) * 1000) if "seconds" in asked else int(asked["to"]) * 1000 - now
            if later < 0:
                raise ValueError("the clock goes forward")
            extra = max(0, later - slots * SLOT_MS)
        self.ledger.move(slots, extra)
        self.ledger.tick()
        return self.show()

    def confirm(self, asked: Json) -> Json:
        """What landed so far is confirmed."""
        return self.warp({"slots": CONFIRMED_AGE})

    def finalize(self, asked: Json) -> Json:
        """What landed so far is final."""
        return self.warp({"slots": FINAL_AGE})

    def clock(self, asked: Json) -> Json:
        """{"running": false} stops the slots, true lets them go on."""
        self.ledger.move(0, running=bool(asked["running"]))
        return self.show()

    def unconfirm(self, asked: Json) -> Json:
        """{"slots": n} abandons the last n slots, {"signature"} all from the one it is in; {"again": n} lands what was
        undone n slots later."""
        slots = int(asked.get("slots", 1))
        if "signature" in asked:
            row = self.ledger.store.transaction(str(asked["signature"]))
            if row is None:
                raise ValueError("no such transaction")
            slots = self.ledger.now().slot - row.slot + 1
        again = None if asked.get("again") is None else int(asked["again"])
        return {"undone": self.ledger.roll_back(slots, again)}

    def account(self, asked: Json) -> Json:
        """{"key", "lamports"[, "owner", "data" in base64, "executable"]} sets an account, lamports 0 removes it."""
        key, lamports = Pubkey.from_string(asked["key"]), int(asked["lamports"])
        data = base64.b64decode(asked.get("data", ""), validate=True)
        owner = Pubkey.from_string(asked["owner"]) if "owner" in asked else Pubkey.default()
        account = Account(lamports, data, owner, bool(asked.get("executable")), RENT_EPOCH) if lamports else None
        self.ledger.put(key, account)
        return {"key": str(key)}
