"""JSON-RPC of one port: envelopes, batches, and the faults a call meets."""

from __future__ import annotations

import asyncio
import json
import traceback
from typing import Any

from localnet.evm_faults import (
    Drop,
    Envelope,
    Fault,
    ForwardThen,
    HttpAnswer,
    Result,
    RpcFault,
    Stall,
)
from localnet.svm.chain import Chain
from localnet.svm.errors import RpcRefusal, method_not_found
from localnet.svm.faults import SENDING, Slow
from localnet.svm.history import History
from localnet.svm.port import Port
from localnet.svm.reading import Reading
from localnet.svm.sending import Sending

Json = dict[str, Any]
PARSE_ERROR = {"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": None}
INVALID_REQUEST = {"code": -32600, "message": "Invalid request"}
SEND = "sendTransaction"


class Cut(Exception):
    """The connection has to close without an answer, after so many seconds."""

    def __init__(self, seconds: float = 0) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Replaced(Exception):
    """The whole HTTP answer is another one."""

    def __init__(self, answer: HttpAnswer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Rpc:
    """``answer(body)`` gives what goes into the body of the answer."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self.sending = Sending(port)
        self.methods: dict[str, Any] = {}
        for part in (Reading(port), Chain(port), History(port), self.sending):
            self.methods |= part.table()

    async def answer(self, body: bytes) -> Any:
        """Raises Cut and Replaced."""
        try:
            calls = json.loads(body)
        except ValueError:
            return PARSE_ERROR
        self.port.ledger.tick()
        if isinstance(calls, list):
            return [await self._one(call) for call in calls] or {"jsonrpc": "2.0", "error": INVALID_REQUEST, "id": None}
        return await self._one(calls)

    async def _one(self, call: Any) -> Any:
        if not isinstance(call, dict) or not isinstance(call.get("method"), str):
            return {"jsonrpc": "2.0", "error": INVALID_REQUEST, "id": None}
        method, params, number = call["method"], call.get("params") or [], call.get("id")
        self.port.calls[method] += 1
        self.port.requests.append((method, params))
        fault = self.port.faults.take(method, params if isinstance(params, list) else [])
        if isinstance(fault, Slow):
            await asyncio.sleep(fault.seconds)
        told: Json = {"jsonrpc": "2.0"}
        try:
            _interrupt(fault)
            told["result"] = self._result(method, params, fault)
        except RpcRefusal as refusal:
            told["error"] = refusal.envelope()
        if isinstance(fault, ForwardThen):
            _interrupt(fault.fault)
        if isinstance(fault, Envelope):
            return fault.value
        return {**told, "id": number}

    def _result(self, method: str, params: Any, fault: Fault | None) -> Any:
        if method != SEND and method not in self.methods:
            raise method_not_found()
        if not isinstance(params, list):
            raise RpcRefusal(-32602, "Invalid params: invalid type: map, expected a sequence.")
        if isinstance(fault, Result):
            return fault.value
        try:
            if method == SEND:
                return self.sending.send(params, fault if isinstance(fault, SENDING) else None)
            return self.methods[method](params)
        except (KeyError, TypeError, ValueError) as error:  # a shape no reader of parameters looked for
            traceback.print_exc()
            raise RpcRefusal(-32602, f"Invalid params: {type(error).__name__}: {error}") from error


def _interrupt(fault: Fault | None) -> None:
    """Faults that come before the node has looked at the call."""
    if isinstance(fault, HttpAnswer):
        raise Replaced(fault)
    if isinstance(fault, Drop):
        raise Cut
    if isinstance(fault, Stall):
        raise Cut(fault.seconds)
    if isinstance(fault, RpcFault):
        raise RpcRefusal(fault.code, fault.message, fault.data)
