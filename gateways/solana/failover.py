"""Several Solana nodes as one: a question goes to the healthiest, and on to the next when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from domain.shared.errors import Unavailable
from gateways.evm.envelopes import Call
from gateways.protocols import Quarantined
from gateways.solana.rpc import CODE, Node
from gateways.solana.statuses import StatusDesk

Quarantine = Callable[[str, str, str, Any], Awaitable[None]]
"""(source, kind, reason, payload): keeps an odd answer for an operator while the work goes on without it."""

T = TypeVar("T")

Read = Callable[[str, list[Any]], T]
"""(node, results of the calls). Raises: Quarantined."""


class Failover:
    """At least one node, best first. A node that failed lately is asked after the others."""

    def __init__(self, nodes: Sequence[Node], *, quarantine: Quarantine) -> None:
        if not nodes:
            raise ValueError("at least one node")
        self.nodes = tuple(nodes)
        self._quarantine = quarantine
        self._recent = {node.name: StatusDesk(node, search=False) for node in nodes}
        self._history = {node.name: StatusDesk(node, search=True) for node in nodes}

    @property
    def size(self) -> int:
        """How many hosts: two ways to one of them are one witness."""
        return len({node.host for node in self.nodes})

    async def admit(self, node: Node) -> None:
        """Asked before the node is believed. Raises: Unavailable, Broken: it is not to be."""

    async def aclose(self) -> None:
        for node in self.nodes:
            await node.aclose()

    async def first(self, *calls: Call, read: Read[T]) -> T:
        """What the first node says that answers with something readable.

        Raises: Unavailable solana_unavailable; Quarantined, when the last one answers with an unknown shape.
        """
        failures: list[Unavailable] = []
        for node in self.ranked():
            try:
                found = await self._asked(node, calls, read)
            except Unavailable as failure:
                failures.append(failure)
                continue
            await self._keep_odd(failures)
            return found
        raise ours(failures[-1])

    async def every(self, *calls: Call, read: Read[T]) -> list[T]:
        """What each node says that answers with something readable; the others have no opinion.

        Raises: Unavailable solana_unavailable, Quarantined: when none does.
        """
        return await self.each(lambda node: self._asked(node, calls, read))

    async def each(self, ask: Callable[[Node], Awaitable[T]]) -> list[T]:
        """The same of anything that can be asked of a node."""
        told = await asyncio.gather(*(ask(node) for node in self.nodes), return_exceptions=True)
        failures: list[Unavailable] = []
        found: list[T] = []
        for one in told:
            if isinstance(one, Unavailable):
                failures.append(one)
            elif isinstance(one, BaseException):
                raise one
            else:
                found.append(one)
        if not found:
            raise ours(failures[-1])
        await self._keep_odd(failures)
        return found

    def ranked(self) -> list[Node]:
        """The healthiest first."""
        return sorted(self.nodes, key=lambda node: (node.open, round(node.trouble)))

    async def _asked(self, node: Node, calls: Sequence[Call], read: Read[T]) -> T:
        await self.admit(node)
        return read(node.name, await node.ask(*calls))

    async def _keep_odd(self, failures: Sequence[Unavailable]) -> None:
        """Another node answered, so nobody else will see these shapes."""
        for odd in failures:
            if isinstance(odd, Quarantined):
                await self._quarantine(odd.source, odd.kind, odd.reason, odd.payload)


def ours(failure: Unavailable) -> Unavailable:
    """A failure under Solana's code: a node's own refusal comes without it."""
    if failure.code == CODE or isinstance(failure, Quarantined):
        return failure
    return Unavailable(CODE, failure.detail, retry_after_s=failure.retry_after_s)
