"""One Solana node: JSON-RPC with our own envelopes, a limit of calls a second, a circuit, and a mark for its health.

Answers are read before any Solana library sees them: solders ends the process on an error without `data`
(chains.md 0.5). Retrying elsewhere is `nodes.py`, retrying later is Temporal's.
"""

from __future__ import annotations

import math
import time
from typing import Any, Final

import httpx

from domain.shared.errors import Unavailable
from gateways.circuit import Circuit
from gateways.evm.envelopes import Call, NodeError
from gateways.evm.rpc import JsonRpc
from gateways.limits import Clock
from gateways.protocols import Quarantined

CODE: Final = "solana_unavailable"
_NOT_ABLE: Final = frozenset({-32004, -32005, -32007, -32009, -32011, -32014, -32016, -32603})
"""The node is behind, broken, or does not have what it was asked for (yet): another may."""
_HALF_LIFE_S: Final = 30.0


def host_of(url: str) -> str:
    """Host and port."""
    at = httpx.URL(url)
    return f"{at.host}:{at.port}" if at.port else at.host


class Node:
    """`host`: with its port, never the path, where providers put keys. `name`: its own, `host#2` for the second of a
    host (`number`). `attempts`: at one call, before it fails."""

    def __init__(
        self, url: str, *, calls_per_s: float, attempts: int, number: int = 1, clock: Clock = time.monotonic
    ) -> None:
        self.host = host_of(url)
        self.name = self.host if number == 1 else f"{self.host}#{number}"
        self._rpc = JsonRpc(url, attempts=attempts, calls_per_s=calls_per_s)
        self._circuit = Circuit(CODE, self.name, failures=8, pause_s=5.0, clock=clock)
        self._clock = clock
        self._marks, self._marked_at = 0.0, clock()

    def __repr__(self) -> str:
        return f"Node({self.name})"

    async def aclose(self) -> None:
        await self._rpc.aclose()

    @property
    def trouble(self) -> float:
        """How often it failed lately: every failure counts one, and half as much each half minute later."""
        return self._marks * math.exp2((self._marked_at - self._clock()) / _HALF_LIFE_S)

    @property
    def open(self) -> bool:
        """Would it refuse to be asked?"""
        return self._circuit.open

    async def ask(self, *calls: Call) -> list[Any]:
        """The results of one request, one or several calls, in order.

        Raises: Unavailable solana_unavailable, also for a node that says it is behind; Quarantined; NodeError when it
                refuses the call as such.
        """
        try:
            async with self._circuit.guard():
                answers = await self._answers(calls)
        except Unavailable:
            self._marks, self._marked_at = self.trouble + 1, self._clock()
            raise
        for answer in answers:
            if isinstance(answer, NodeError):
                raise answer
        return answers

    async def _answers(self, calls: tuple[Call, ...]) -> list[Any]:
        try:
            answers = await self._rpc.answers(calls)
        except Quarantined:
            raise
        except Unavailable as away:
            detail = f"{self.name}: {away.detail}"
            raise Unavailable(CODE, detail, retry_after_s=away.retry_after_s) from away
        for answer in answers:
            if isinstance(answer, NodeError) and answer.rpc_code in _NOT_ABLE:
                raise Unavailable(CODE, f"{self.name}: {answer.detail}", rpc_code=answer.rpc_code)
        return answers
