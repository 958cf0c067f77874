"""JSON-RPC 2.0 envelopes: calls to bytes, bytes to answers. Pure: no I/O.

An answer is what the node put under `result`, or the `NodeError` it put under `error`. Everything else is an
`OddEnvelope`: ids that are missing, doubled or foreign, neither or both of result and error, an error without a
code. The node's answer to call 7 is never taken for the answer to call 8.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from pydantic_core import from_json

from domain.shared.errors import Unavailable

MESSAGE_MAX: Final = 300
"""Characters kept of a node's error text."""

_THROTTLED: Final = re.compile(
    r"rate.?limit|too many requests|compute units|requests? per second|request limit|capacity exceeded", re.I
)


class Call(NamedTuple):
    """One method call. `params` is a tuple so that calls without objects in them can be compared."""

    method: str
    params: tuple[Any, ...] = ()


class NodeError(Unavailable):
    """A well-formed error answer. Uncaught it means chain_unavailable; the gateway's methods read `rpc_code`."""

    def __init__(self, method: str, rpc_code: int, message: str, rpc_data: Any = None) -> None:
        text = printable(message, MESSAGE_MAX)
        super().__init__("chain_unavailable", f"{method}: {text} ({rpc_code})", rpc_code=rpc_code)
        self.method, self.rpc_code, self.message, self.rpc_data = method, rpc_code, text, rpc_data

    @property
    def throttled(self) -> bool:
        """The node asks us to slow down. -32005 alone does not say so: some use it for ranges that are too large."""
        return self.rpc_code == 429 or bool(_THROTTLED.search(self.message))


Answer = Any
"""A result, or a NodeError as a value."""


class OddEnvelope(ValueError):
    """Valid JSON that is not an answer to what we asked. `raw` is the parsed body."""

    def __init__(self, reason: str, raw: Any) -> None:
        super().__init__(reason)
        self.reason, self.raw = reason, raw


class NotJson(ValueError):
    """The body is not JSON: a proxy's HTML page, a cut-off answer, nothing at all."""


class WholeBatchRefused(ValueError):
    """One error object in answer to a batch: the node refuses batches, or one of this size."""

    def __init__(self, error: NodeError) -> None:
        super().__init__(error.message)
        self.error = error


def printable(text: str, limit: int) -> str:
    """Untrusted text, cut and without control characters, fit for a log line."""
    return "".join(c if c.isprintable() else " " for c in text[:limit])


def encode(calls: Sequence[Call], first_id: int) -> bytes:
    """One call as an object, several as an array; ids count up from `first_id`."""
    envelopes = [
        {"jsonrpc": "2.0", "id": first_id + i, "method": call.method, "params": list(call.params)}
        for i, call in enumerate(calls)
    ]
    body = envelopes[0] if len(calls) == 1 else envelopes
    return json.dumps(body, separators=(",", ":")).encode()


def load(body: bytes) -> Any:
    """Parse a body.

    Not with json.loads: eth_account's imports raise Python's recursion limit to 100,000, and then a body of so many
    opening brackets ends the process with a segmentation fault. This parser stops at 200 levels, and is faster.
    Raises: NotJson.
    """
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as failure:
        raise NotJson("not JSON") from failure


def decode(raw: Any, calls: Sequence[Call], first_id: int) -> list[Answer]:
    """Answers in the order of the calls.

    Raises: OddEnvelope; WholeBatchRefused (only for two calls or more).
    """
    if len(calls) == 1:
        envelope = _object(raw, raw)
        if envelope.get("id") != first_id and not (envelope.get("id") is None and envelope.get("error")):
            raise OddEnvelope(f"answer carries id {envelope.get('id')!r}, asked with {first_id}", raw)
        return [_answer(envelope, calls[0], raw)]
    if isinstance(raw, dict) and raw.get("error") is not None:
        raise WholeBatchRefused(_error(raw["error"], calls[0].method, raw))
    if not isinstance(raw, list):
        raise OddEnvelope("a batch was answered with neither an array nor an error", raw)
    by_id = _by_id(raw, range(first_id, first_id + len(calls)))
    return [_answer(by_id[first_id + i], call, raw) for i, call in enumerate(calls)]


def _by_id(raw: list[Any], wanted: range) -> dict[int, dict[str, Any]]:
    """Match a batch by id; every id exactly once."""
    found: dict[int, dict[str, Any]] = {}
    for item in raw:
        envelope = _object(item, raw)
        number = envelope.get("id")
        if type(number) is not int or number not in wanted:
            raise OddEnvelope(f"the batch holds an answer with foreign id {number!r}", raw)
        if number in found:
            raise OddEnvelope(f"the batch answers id {number} twice", raw)
        found[number] = envelope
    if len(found) != len(wanted):
        raise OddEnvelope(f"{len(wanted) - len(found)} of {len(wanted)} answers are missing", raw)
    return found


def _object(item: Any, raw: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise OddEnvelope(f"an answer is a {type(item).__name__}, not an object", raw)
    return item


def _answer(envelope: dict[str, Any], call: Call, raw: Any) -> Answer:
    """`error: null` beside a result is tolerated; a result beside an error is not."""
    error = envelope.get("error")
    if error is not None:
        if envelope.get("result") is not None:
            raise OddEnvelope("an answer carries both result and error", raw)
        return _error(error, call.method, raw)
    if "result" not in envelope:
        raise OddEnvelope("an answer carries neither result nor error", raw)
    return envelope["result"]


def _error(error: Any, method: str, raw: Any) -> NodeError:
    if not isinstance(error, dict) or type(error.get("code")) is not int or not isinstance(error.get("message"), str):
        raise OddEnvelope("the error has no numeric code or no message", raw)
    return NodeError(method, error["code"], error["message"], error.get("data"))
