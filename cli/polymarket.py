"""Polymarket of the embedded stack: the local venue and its Polygon, or whatever the environment of `up` names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cli.outside import from_environment
from localnet.polymarket.polygon import CHAIN_ID, PolygonNode
from localnet.polymarket.process import VenueProcess
from localnet.ports import PortBook
from localnet.supervisor import Step, Supervisor

PART: Final = "polymarket"
POLYGON: Final = "polygon"
NAMES: Final = {
    PART: ("POLYMARKET_DATA_API_BASE_URL", "POLYMARKET_CLOB_BASE_URL", "POLYMARKET_GAMMA_BASE_URL",
           "POLYMARKET_MARKET_WS_URL"),
    POLYGON: ("ALCHEMY_WS_URL", "POLYGON_RPC_URL", "POLYGON_CHAIN_ID", "POLYMARKET_CONTRACTS_FILE"),
}  # fmt: skip
"""Of a part that is left out these come from the environment of `up`; without them the settings' defaults hold. Without
the venue there is no local Polygon either: nothing would happen there."""


class LocalPolymarket:
    """`env` is what workers and the API are given, `endpoints` what stands in endpoints.json (empty when left out)."""

    def __init__(self, directory: Path, without: frozenset[str], ports: PortBook) -> None:
        self.env: dict[str, str] = {}
        self.endpoints: dict[str, dict[str, str | int]] = {}
        self.node: PolygonNode | None = None
        self.venue: VenueProcess | None = None
        for part, names in NAMES.items():
            if part in without or PART in without:
                self.env |= {name: value for name in names if (value := from_environment(name))}
        if PART in without:
            return
        mined = ""
        if POLYGON not in without:
            self.node = node = PolygonNode(directory / "polygon", ports.take("polygon"))
            mined, chain = node.rpc_url, str(CHAIN_ID)
            self.env |= {"ALCHEMY_WS_URL": node.ws_url, "POLYGON_RPC_URL": node.rpc_url, "POLYGON_CHAIN_ID": chain}
            self.endpoints["polygon"] = {"rpc_url": node.rpc_url, "ws_url": node.ws_url, "chain_id": CHAIN_ID}
        self.venue = VenueProcess(directory / "venue", ports.take("venue"), polygon_url=mined)
        self.env |= self.venue.env()
        self.endpoints["polymarket"] = dict(self.venue.urls())

    def add(self, supervisor: Supervisor, log: Callable[[str], Path]) -> tuple[str, ...]:
        """Adds the node and the venue, which lays the contracts; returns what the product has to wait for."""
        node, venue = self.node, self.venue
        if venue is None:
            return ()
        if node is None:
            supervisor.add(venue.child(log("venue")))
            return ("venue",)

        def compact() -> None:
            self._compaction = asyncio.get_running_loop().create_task(supervisor.restart("polygon"))

        node.on_full = compact
        supervisor.add(node.child(log("polygon")))
        supervisor.add(venue.child(log("venue"), needs=("polygon",)))
        supervisor.add(Step(name="contracts", run=node.keep_from_now, needs=("venue",)))
        return ("contracts",)

    async def close(self) -> None:
        """Ends what runs inside this process; the children are the supervisor's."""
        if self.node is not None and self.node.keeper is not None:
            await self.node.keeper.close()
