"""Ways in which the node goes wrong with a call, by name, as the control route takes them.

What a port is in general (behind, lying) is in ``port.py``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localnet.evm_faults import (
    ODD_ENVELOPES,
    Drop,
    Envelope,
    Fault,
    ForwardThen,
    HttpAnswer,
    Result,
    RpcFault,
    Stall,
    Swallow,
    half_json,
    html,
    server_error,
    too_many_requests,
)


@dataclass(frozen=True)
class Slow(Fault):
    """The right answer, later."""

    seconds: float


@dataclass(frozen=True)
class Late(Fault):
    """The transaction lands so many slots later, as far as its blockhash is still good then."""

    slots: int


@dataclass(frozen=True)
class Expire(Fault):
    """The transaction is thrown away and the chain goes on until its blockhash is too old."""


@dataclass(frozen=True)
class Unconfirm(Fault):
    """It lands; `after` slots later its fork is abandoned, and `again` slots later it lands anew, or never."""

    after: int
    again: int | None


@dataclass(frozen=True)
class Fails(Fault):
    """It lands with this error, and its fee is taken."""

    err: Any


@dataclass(frozen=True)
class Twice(Fault):
    """It reaches the cluster two times."""


def _limited(asked: dict[str, Any]) -> HttpAnswer:
    body = {"jsonrpc": "2.0", "error": {"code": 429, "message": "Too many requests for a specific RPC call"}, "id": 1}
    return too_many_requests(float(asked.get("seconds", 1)), json.dumps(body))


def _odd(asked: dict[str, Any]) -> Envelope:
    return Envelope(asked["value"] if "value" in asked else ODD_ENVELOPES[int(asked.get("number", 0))])


def _error(asked: dict[str, Any]) -> RpcFault:
    return RpcFault(int(asked.get("code", -32603)), str(asked.get("message", "Internal error")), asked.get("data"))


def _behind(asked: dict[str, Any]) -> RpcFault:
    slots = int(asked.get("slots", 200))
    data = None if asked.get("bare") else {"numSlotsBehind": slots}
    return RpcFault(-32005, f"Node is behind by {slots} slots", data)


def _fails(asked: dict[str, Any]) -> Fails:
    return Fails(asked.get("err", {"InstructionError": [0, {"Custom": int(asked.get("custom", 1))}]}))


def _lost(asked: dict[str, Any]) -> ForwardThen:
    """The node does what it is told and the caller does not hear of it; `status` for a 5xx instead of silence."""
    return ForwardThen(server_error(int(asked["status"])) if "status" in asked else Drop())


FAULTS: dict[str, Callable[[dict[str, Any]], Fault]] = {
    # any call
    "http_429": _limited,
    "http_429_bare": lambda asked: HttpAnswer(429, "Too Many Requests"),
    "http_403": lambda asked: HttpAnswer(403, '{"error":"access forbidden"}', "application/json"),
    "plain_5xx": lambda asked: server_error(int(asked.get("status", 503))),
    "html": lambda asked: html(int(asked.get("status", 200))),
    "half_json": lambda asked: half_json(),
    "empty": lambda asked: HttpAnswer(200, "", "application/json"),
    "cut": lambda asked: Drop(),
    "stall": lambda asked: Stall(float(asked.get("seconds", 600))),
    "slow": lambda asked: Slow(float(asked.get("seconds", 1))),
    "lost": _lost,
    "error": _error,
    "behind": _behind,
    "odd_envelope": _odd,
    "result": lambda asked: Result(asked.get("value")),
    # sendTransaction
    "drop": lambda asked: Swallow(),
    "delay": lambda asked: Late(int(asked.get("slots", 10))),
    "expire": lambda asked: Expire(),
    "unconfirm": lambda asked: Unconfirm(
        int(asked.get("after", 3)), None if asked.get("again") is None else int(asked["again"])
    ),
    "fails": _fails,
    "duplicate": lambda asked: Twice(),
}
SENDING = (Swallow, Late, Expire, Unconfirm, Fails, Twice)
"""These meet sendTransaction only: the call goes through, the transaction fares otherwise."""
