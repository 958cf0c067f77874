"""What a subscription wants to hear of: from an event of the ledger to notifications, by commitment."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from solders.pubkey import Pubkey

from localnet.svm import accounts, asked
from localnet.svm.asked import Params
from localnet.svm.errors import invalid
from localnet.svm.ledger import FINAL_AGE, Landed
from localnet.svm.port import Port, commitment
from localnet.svm.reading import answered

Json = dict[str, Any]
Made = Iterator[tuple[Any, bool]]
"""Results to send, and whether the subscription ends with it."""
KINDS = ("signature", "account", "logs", "program", "slot", "root")


@dataclass
class Watch:
    """One subscription. `seen`: the slot up to which it was told everything."""

    kind: str
    commitment: str
    config: Json
    wanted: Any
    seen: int
    passes: Callable[[Any], bool] = field(default=lambda account: True)


def opened(port: Port, kind: str, params: Params) -> Watch:
    """Raises RpcRefusal. A signature that landed already is told at the first look."""
    if kind in ("slot", "root"):
        return Watch(kind, "processed", {}, None, port.slot("processed"))
    config = asked.config(params, 1)
    name = commitment(config)
    wanted: Any
    if kind == "signature":
        wanted = asked.signature(asked.at(params, 0))
    elif kind == "logs":
        wanted = _mentioned(asked.at(params, 0))
    else:
        wanted = asked.key(asked.at(params, 0))
    passes = accounts.matcher(config.get("filters") or []) if kind == "program" else lambda account: True
    return Watch(kind, name, config, wanted, port.slot(name), passes)


def _mentioned(asked_for: Any) -> Pubkey | None:
    """The address logs must name, None for all."""
    if asked_for in ("all", "allWithVotes"):
        return None
    if isinstance(asked_for, dict) and len(asked_for.get("mentions", [])) == 1:
        return asked.key(asked_for["mentions"][0])
    raise invalid("Invalid Request: Only 1 address supported")


class News:
    """The events of the last slots, for those who want to hear of them once they are final."""

    def __init__(self) -> None:
        self._kept: deque[Landed] = deque()

    def add(self, event: Landed, tip: int) -> None:
        self._kept.append(event)
        while self._kept[0].slot < tip - 10 * FINAL_AGE:
            self._kept.popleft()

    def undo(self, slot: int) -> None:
        self._kept = deque(event for event in self._kept if event.slot < slot)

    def after(self, slot: int, until: int) -> list[Landed]:
        return [event for event in self._kept if slot < event.slot <= until]


def made(port: Port, watch: Watch, news: News) -> Made:
    """Everything that became true for `watch` since the last look."""
    tip = port.slot(watch.commitment)
    if watch.kind == "signature":
        yield from _signature(port, watch, tip)
        return
    if tip <= watch.seen:
        return
    if watch.kind in ("slot", "root"):
        for slot in range(max(watch.seen, tip - FINAL_AGE) + 1, tip + 1):
            root = slot - FINAL_AGE
            yield ({"parent": slot - 1, "root": root, "slot": slot} if watch.kind == "slot" else root), False
    else:
        for event in news.after(watch.seen, tip):
            yield from _event(port, watch, event)
    watch.seen = tip


def at_once(port: Port, watch: Watch, event: Landed) -> Made:
    """Processed is now: the next look starts behind it."""
    if watch.commitment == "processed" and not port.lag and watch.kind in ("account", "logs", "program"):
        yield from _event(port, watch, event)
        watch.seen = event.slot


def _signature(port: Port, watch: Watch, tip: int) -> Made:
    row = None if port.forgets(watch.wanted) else port.ledger.store.transaction(watch.wanted)
    if row is not None and row.slot <= tip:
        err = None if row.err is None or port.lies.hides_errors else json.loads(row.err)
        yield answered(row.slot, {"err": err}), True
    elif port.vouches(watch.wanted):
        yield answered(tip, {"err": None}), True


def _event(port: Port, watch: Watch, event: Landed) -> Made:
    if watch.kind == "logs":
        if watch.wanted is None or watch.wanted in event.keys:
            value = {"signature": event.signature, "err": event.err, "logs": event.logs}
            yield answered(event.slot, value), False
        return
    for key in event.changed:
        if watch.kind == "account" and key != watch.wanted:
            continue
        account = port.ledger.account(key, event.slot)
        if watch.kind == "account":
            yield answered(event.slot, _shown(port, account, watch, event.slot)), False
        elif account is not None and account.owner == watch.wanted and watch.passes(account):
            shown = _shown(port, account, watch, event.slot)
            yield answered(event.slot, {"pubkey": str(key), "account": shown}), False


def _shown(port: Port, account: Any, watch: Watch, slot: int) -> Any:
    if account is None:  # a closed account is told as an empty one of the system program
        return {"lamports": 0, "owner": str(Pubkey.default()), "data": ["", "base64"], "executable": False,
                "rentEpoch": 0, "space": 0}  # fmt: skip
    return accounts.shown(account, watch.config, lambda other: port.ledger.account(other, slot))
