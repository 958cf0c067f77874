"""All configured Solana nodes: all that the house knows of Solana. Contract: gateways/protocols.py SolanaNodes."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence

from pydantic import TypeAdapter

from domain.launchpad.solana import GENESIS
from domain.shared.errors import Broken, Unavailable
from gateways.evm.envelopes import Call
from gateways.solana.failover import Quarantine
from gateways.solana.reading import Reading
from gateways.solana.rpc import Node, host_of
from gateways.solana.sending import Sending
from gateways.solana.shapes import parse


class RpcNodes(Reading, Sending):
    """Reads and sends over JSON-RPC."""

    def __init__(self, nodes: Sequence[Node], *, quarantine: Quarantine) -> None:
        super().__init__(nodes, quarantine=quarantine)
        self._checked, self._cluster = set[str](), ""

    @classmethod
    def connect(cls, urls: Sequence[str], *, calls_per_s: float, quarantine: Quarantine) -> RpcNodes:
        """Opens nothing yet. One node alone is asked again; of several the next one is asked."""
        attempts, hosts, nodes = 3 if len(urls) == 1 else 1, Counter[str](), list[Node]()
        for url in urls:
            hosts[host_of(url)] += 1
            nodes.append(Node(url, calls_per_s=calls_per_s, attempts=attempts, number=hosts[host_of(url)]))
        return cls(nodes, quarantine=quarantine)

    async def check_cluster(self, cluster: str) -> None:
        self._cluster = cluster
        for node in self.nodes:
            with contextlib.suppress(Unavailable):  # who is away is looked at when it answers again
                await self.admit(node)

    async def admit(self, node: Node) -> None:
        cluster = self._cluster
        if not cluster or node.name in self._checked:
            return
        [raw] = await node.ask(Call("getGenesisHash"))
        genesis = parse(TypeAdapter(str), raw, node.name, "genesis hash")
        known = next((name for name, first in GENESIS.items() if first == genesis), None)
        if known != cluster and (known is not None or cluster in GENESIS):
            detail = f"{node.name} serves {known or 'an unknown cluster'} ({genesis}), configured is {cluster}"
            raise Broken("wrong_chain", detail)
        self._checked.add(node.name)
