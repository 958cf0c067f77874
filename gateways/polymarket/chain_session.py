"""One open WebSocket of a Polygon node: what was subscribed, and what its frames say."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator
from typing import Any, Final, Literal, NamedTuple

from pydantic_core import from_json
from websockets.asyncio.client import ClientConnection

from domain.copytrade.contracts import Contracts
from gateways.evm.envelopes import printable
from gateways.evm.shapes import parse
from gateways.limits import Clock
from gateways.polymarket.chain_shapes import SOURCE, Head, SeenLog, filters, seen_log
from gateways.protocols import Quarantined

ANSWER_S: Final = 10.0
"""How long a node may take to confirm a subscription."""


class Up(NamedTuple):
    """Subscribed. `fresh`: on a new connection, so what happened before was not announced."""

    wallets: int
    fresh: bool


class Down(NamedTuple):
    """The connection is gone; the next try comes in `pause_s`."""

    reason: str
    pause_s: float
    throttled: bool
    failures: int


class HeadSeen(NamedTuple):
    number: int
    hash: str
    parent_hash: str
    timestamp: int


class Odd(NamedTuple):
    """A frame that could not be understood, for the quarantine."""

    what: Quarantined


News = Up | Down | HeadSeen | SeenLog | Odd


class Lost(Exception):
    """This connection is of no use any more."""

    def __init__(self, reason: str, *, pause_s: float = 0.0, throttled: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.pause_s, self.throttled = reason, pause_s, throttled


_Ask = Literal["chain", "heads", "logs", "stale", "ended"]


class Session:
    """One open socket: which subscriptions were asked for and which are confirmed.

    A change of wallets asks for new subscriptions first and ends the old ones once the new ones stand, so that nothing
    falls between; what comes twice is one log.
    """

    def __init__(self, socket: ClientConnection, contracts: Contracts, chain_id: int, clock: Clock) -> None:
        self._socket, self._contracts, self._chain_id, self._clock = socket, contracts, chain_id, clock
        self._ids = itertools.count(1)
        self._asked: dict[int, _Ask] = {}
        self._logs: set[str] = set()
        self._old: set[str] = set()
        self._wallets, self._fresh = 0, True
        self._asked_at = self._head_at = clock()

    async def subscribe(self, wallets: frozenset[str]) -> None:
        """Ask for everything these wallets do, and for new heads the first time."""
        self._old |= self._logs
        self._logs = set()
        self._asked = {number: "stale" if kind == "logs" else kind for number, kind in self._asked.items()}
        self._asked_at, self._wallets = self._clock(), len(wallets)
        if self._fresh and not self._asked:
            await self._ask("chain", [], "eth_chainId")
            await self._ask("heads", ["newHeads"])
        for one in filters(self._contracts, sorted(wallets)):
            await self._ask("logs", ["logs", one.params()])

    async def _ask(self, kind: _Ask, params: list[Any], method: str = "eth_subscribe") -> None:
        number = next(self._ids)
        self._asked[number] = kind
        await self._socket.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))

    async def frames(self, changed: asyncio.Event, silence_s: float) -> AsyncGenerator[News | None, None]:
        """What the node sends, read; None whenever `changed` is set.

        Raises: Lost when it refuses a subscription, or no head comes for `silence_s`.
        """
        incoming = asyncio.ensure_future(self._socket.recv())
        change = asyncio.ensure_future(changed.wait())
        try:
            while True:
                waiting: set[asyncio.Future[Any]] = {incoming, change}
                await asyncio.wait(  # noqa: TID251  (not a workflow)
                    waiting, timeout=0.5, return_when=asyncio.FIRST_COMPLETED
                )
                if change.done():
                    yield None
                    change = asyncio.ensure_future(changed.wait())
                if incoming.done():
                    frame = incoming.result()
                    incoming = asyncio.ensure_future(self._socket.recv())
                    item = await self._read(frame)
                    if item is not None:
                        yield item
                self._check_flow(silence_s)
        finally:
            for task in (incoming, change):
                task.cancel()
            await asyncio.gather(incoming, change, return_exceptions=True)

    def _check_flow(self, silence_s: float) -> None:
        now = self._clock()
        if self._outstanding() and now > self._asked_at + ANSWER_S:
            raise Lost("the node does not confirm a subscription")
        if now > self._head_at + silence_s:
            raise Lost(f"no new head for {silence_s:g} s")

    async def _read(self, frame: str | bytes) -> News | None:
        try:
            message = from_json(frame, allow_inf_nan=False)
        except ValueError as failure:
            raise Lost("the WebSocket does not speak JSON") from failure
        if not isinstance(message, dict):
            raise Lost("a frame is no JSON object")
        params = message.get("params")
        if message.get("method") == "eth_subscription" and isinstance(params, dict):
            return self._told(params.get("result"))
        if not await self._confirmed(message):
            return None
        fresh, self._fresh = self._fresh, False
        return Up(self._wallets, fresh)

    def _outstanding(self) -> bool:
        return any(kind not in ("ended", "stale") for kind in self._asked.values())

    async def _confirmed(self, message: dict[str, Any]) -> bool:
        """Take an answer. True when with it everything asked for stands."""
        number, result = message.get("id"), message.get("result")
        kind = self._asked.pop(number, None) if isinstance(number, int) else None
        if kind is None or kind == "ended":
            return False
        if not isinstance(result, str):
            said = message.get("error")
            text = said.get("message") if isinstance(said, dict) else said
            raise Lost(f"the node refuses a subscription: {printable(str(text), 200)}")
        if kind == "chain" and result.lower() != hex(self._chain_id):
            raise Lost(f"the node serves chain {printable(result, 20)} instead of {self._chain_id}")
        if kind == "logs":
            self._logs.add(result)
        elif kind == "stale":
            self._old.add(result)
        if self._outstanding():
            return False
        for subscription in self._old:
            await self._ask("ended", [subscription], "eth_unsubscribe")
        self._old = set()
        return kind != "stale"

    def _told(self, result: Any) -> News | None:
        try:
            if isinstance(result, dict) and "parentHash" in result:
                head = parse(Head, result, SOURCE, "head")
                self._head_at = self._clock()
                return HeadSeen(head.number, head.hash, head.parentHash, head.timestamp)
            return seen_log(self._contracts, result)
        except Quarantined as odd:
            return Odd(odd)
