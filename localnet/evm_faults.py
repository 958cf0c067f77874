"""Ways in which a JSON-RPC provider goes wrong, and the plan of which call meets which of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

HTML = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True)
class Fault:
    """Base of all faults."""


@dataclass(frozen=True)
class HttpAnswer(Fault):
    """The HTTP layer answers instead of the node: any status and body."""

    status: int
    body: str = ""
    content_type: str = "text/plain"
    headers: dict[str, str] = field(default_factory=dict)


def too_many_requests(retry_after: float | None = 1, body: str = '{"error":"rate limited"}') -> HttpAnswer:
    """429, with Retry-After unless None."""
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    return HttpAnswer(429, body, "application/json", headers)


def server_error(status: int = 503) -> HttpAnswer:
    """A 5xx with a plain body."""
    return HttpAnswer(status, "upstream unavailable")


def html(status: int = 200) -> HttpAnswer:
    """A page of some gateway where JSON was expected."""
    return HttpAnswer(status, HTML, "text/html")


def half_json() -> HttpAnswer:
    """A body cut off in the middle, under status 200."""
    return HttpAnswer(200, '{"jsonrpc":"2.0","id":1,"resu', "application/json")


@dataclass(frozen=True)
class Stall(Fault):
    """No answer for so long, then a dropped connection."""

    seconds: float = 600.0


@dataclass(frozen=True)
class Drop(Fault):
    """The connection closes without an answer."""


@dataclass(frozen=True)
class RpcFault(Fault):
    """A regular JSON-RPC error object."""

    code: int = -32000
    message: str = "internal error"
    data: Any = None


@dataclass(frozen=True)
class Envelope(Fault):
    """Any JSON value in place of the response object; ``{id}`` is not filled in."""

    value: Any


# Shapes that were seen in the wild or are allowed by a loose reading: none of them is a result.
ODD_ENVELOPES: tuple[Any, ...] = (
    {"jsonrpc": "2.0", "id": 1, "error": "rate limit exceeded"},
    {"jsonrpc": "2.0", "id": 1, "error": {"message": "no code here"}},
    {"jsonrpc": "2.0", "id": 1, "error": {"code": "-32005", "message": "code is a string"}},
    {"jsonrpc": "2.0", "id": 1, "error": None},
    {"jsonrpc": "2.0", "id": 1},
    {"jsonrpc": "2.0", "id": None, "error": {"code": -32603, "message": "id is null"}},
    {"error": {"code": -32000, "message": "bare"}},
    {"message": "not JSON-RPC at all"},
    [],
    None,
    "ok",
)


@dataclass(frozen=True)
class Result(Fault):
    """This result instead of the node's, for example None for a receipt it has not indexed yet."""

    value: Any = None


@dataclass(frozen=True)
class Swallow(Fault):
    """eth_sendRawTransaction answers with the right hash and throws the transaction away."""


@dataclass(frozen=True)
class ForwardThen(Fault):
    """The node gets the call and acts on it; the caller meets the fault."""

    fault: Fault = field(default_factory=Drop)


Match = Callable[[Sequence[Any]], bool]


@dataclass
class _Rule:
    fault: Fault
    left: int | None
    skip: int
    match: Match | None


class FaultPlan:
    """Faults by method, each for a number of calls. ``*`` stands for every method."""

    def __init__(self) -> None:
        self._rules: dict[str, list[_Rule]] = {}

    def add(self, method: str, fault: Fault, times: int | None = 1, skip: int = 0, match: Match | None = None) -> None:
        """The next ``times`` calls (None: all) after ``skip`` ones meet the fault, if ``match`` likes their params."""
        self._rules.setdefault(method, []).append(_Rule(fault, times, skip, match))

    def clear(self, method: str | None = None) -> None:
        """Forgets the faults of one method, or all of them."""
        if method is None:
            self._rules.clear()
        else:
            self._rules.pop(method, None)

    def take(self, method: str, params: Sequence[Any]) -> Fault | None:
        """The fault this call meets, counting it."""
        for name in (method, "*"):
            rules = self._rules.get(name, [])
            for rule in rules:
                if rule.match is not None and not rule.match(params):
                    continue
                if rule.skip > 0:
                    rule.skip -= 1
                    continue
                if rule.left is not None:
                    rule.left -= 1
                    if rule.left <= 0:
                        rules.remove(rule)
                return rule.fault
        return None
