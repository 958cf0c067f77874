"""All configured Solana nodes: all that the house knows of Solana. Contract: gateways/protocols.py SolanaNodes."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import TypeAdapter

from domain.launchpad.solana import GENESIS
from domain.shared.errors import Broken, Unavailable
from gateways.evm.envelopes import Call
from gateways.solana.failover import Quarantine
from gateways.solana.reading import Reading
from gateways.solana.rpc import Node
from gateways.solana.sending import Sending
from gateways.solana.shapes import parse


class RpcNodes(Reading, Sending):
    """Reads and sends over JSON-RPC."""

    def __init__(self, nodes: Sequence[Node], *, quarantine: Quarantine) -> None:
        super().__init__(nodes, quarantine=quarantine)
        self._checked = set[str]()

    @classmethod
    def connect(cls, urls: Sequence[str], *, calls_per_s: float, quarantine: Quarantine) -> RpcNodes:
        """Opens nothing yet. One node alone is asked again; of several the next one is asked."""
        attempts = 3 if len(urls) == 1 else 1
        return cls([Node(url, calls_per_s=calls_per_s, attempts=attempts) for url in urls], quarantine=quarantine)

    async def check_cluster(self, cluster: str) -> None:
        for node in self.nodes:
            if node.name in self._checked:
                continue
            try:
                [raw] = await node.ask(Call("getGenesisHash"))
            except Unavailable:  # a node that is away serves nothing; it is looked at again
                continue
            genesis = parse(TypeAdapter(str), raw, node.name, "genesis hash")
            known = next((name for name, first in GENESIS.items() if first == genesis), None)
            if known != cluster and (known is not None or cluster in GENESIS):
                detail = f"{node.name} serves {known or 'an unknown cluster'} ({genesis}), configured is {cluster}"
                raise Broken("wrong_chain", detail)
            self._checked.add(node.name)
