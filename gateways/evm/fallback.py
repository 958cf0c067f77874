"""Several nodes of one chain: the next one answers when the first fails, and they must agree on blocks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from domain.shared.errors import Unavailable
from gateways.evm.envelopes import Answer, Call
from gateways.evm.rpc import RpcClient
from gateways.evm.shapes import Block, parse
from gateways.limits import Clock
from gateways.protocols import Quarantined

Quarantine = Callable[[str, str, str, Any], Awaitable[None]]
"""(source, kind, reason, payload): keeps an odd answer for an operator while the work goes on without it."""

AVOID_S: Final = 5.0
"""How long a node that failed is asked last, so that not every call pays for its time-out."""


class FallbackRpc(RpcClient):
    """Asks the nodes in order of preference. A node's error answer is an answer; failing to answer is not."""

    def __init__(
        self, nodes: Sequence[RpcClient], *, quarantine: Quarantine | None = None, clock: Clock = time.monotonic
    ) -> None:
        if not nodes:
            raise ValueError("at least one node")
        self.nodes = tuple(nodes)
        self.source = "+".join(node.source for node in nodes)
        self._quarantine, self._clock = quarantine, clock
        self._avoid_until = [0.0] * len(nodes)

    async def aclose(self) -> None:
        for node in self.nodes:
            await node.aclose()

    async def answers(self, calls: Sequence[Call]) -> list[Answer]:
        failures: list[Unavailable] = []
        for index in self._order():
            try:
                results = await self.nodes[index].answers(calls)
            except Unavailable as failure:
                self._avoid_until[index] = self._clock() + AVOID_S
                failures.append(failure)
                continue
            await self._keep_odd(failures)
            return results
        raise failures[-1]

    def _order(self) -> list[int]:
        now = self._clock()
        return sorted(range(len(self.nodes)), key=lambda i: (self._avoid_until[i] > now, i))

    async def _keep_odd(self, failures: Sequence[Unavailable]) -> None:
        """Another node answered, so nobody else will see these shapes."""
        for odd in failures:
            if isinstance(odd, Quarantined) and self._quarantine:
                await self._quarantine(odd.source, odd.kind, odd.reason, odd.payload)

    async def agree_on_block(self, number: int, expected_hash: str | None = None) -> None:
        """Compare the block's hash on every node that has it; for a node behind, compare at its newest block.

        A node that is down does not count: one node alone is believed. Two that differ are on two forks, and the
        chain must not advance until they agree again.
        Raises: Unavailable chain_lagging.
        """
        if len(self.nodes) < 2:
            return
        views = [v for v in await asyncio.gather(*(self._view(node, number) for node in self.nodes)) if v]
        hashes = {block.hash for _, block, _ in views if block}
        if expected_hash:
            hashes.add(expected_hash)
        if len(hashes) > 1:
            raise _disagreement(number, hashes)
        behind = [newest for _, block, newest in views if block is None and newest and newest.number < number]
        for newest in behind:
            others = [node for node, block, _ in views if block]
            await self._agree_below(others, newest)

    async def _agree_below(self, nodes: Sequence[RpcClient], newest: Block) -> None:
        found = await asyncio.gather(*(self._view(node, newest.number) for node in nodes))
        hashes = {newest.hash} | {view[1].hash for view in found if view and view[1]}
        if len(hashes) > 1:
            raise _disagreement(newest.number, hashes)

    async def _view(self, node: RpcClient, number: int) -> tuple[RpcClient, Block | None, Block | None] | None:
        """This node's block of that number and its newest one; None when it does not answer."""
        calls = [Call("eth_getBlockByNumber", (hex(number), False)), Call("eth_getBlockByNumber", ("latest", False))]
        try:
            raw, latest = await node.batch(calls)
            return (
                node,
                None if raw is None else parse(Block, raw, node.source, "block"),
                None if latest is None else parse(Block, latest, node.source, "block"),
            )
        except Quarantined as odd:
            await self._keep_odd([odd])
            return None
        except Unavailable:  # a node that is away has no opinion; `answers` reports it when all are
            return None


def _disagreement(number: int, hashes: set[str]) -> Unavailable:
    return Unavailable("chain_lagging", f"nodes disagree on block {number}", block_number=number, hashes=sorted(hashes))
