"""The local Polygon for tests: started and stopped with a block, killed and started again at will."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from localnet.polymarket.chain import PolygonExchange
from localnet.polymarket.polygon import BLOCK_SECONDS, CHAIN_ID, FIRST_BLOCK, PolygonNode
from localnet.ports import free_port
from localnet.process import ChildSpec
from localnet.running import Solo, locked

__all__ = ["BLOCK_SECONDS", "CHAIN_ID", "FIRST_BLOCK", "PolygonNode", "RunningPolygon", "running_polygon"]


class RunningPolygon(Solo):
    """A node without a supervisor, with its contracts."""

    def __init__(self, node: PolygonNode, spec: ChildSpec) -> None:
        super().__init__(spec)
        self.node = node
        self.rpc_url, self.ws_url = node.rpc_url, node.ws_url
        self.exchange = PolygonExchange(node.rpc_url, manual=node.block_time is None)


@contextlib.asynccontextmanager
async def running_polygon(
    directory: Path,
    *,
    port: int | None = None,
    block_time: float | None = None,
    first_block: int = FIRST_BLOCK,
    state: bool = False,
) -> AsyncIterator[RunningPolygon]:
    """A local Polygon in `directory`. Without `block_time` each `exchange.send` mines its own block."""
    node = PolygonNode(directory, port or free_port(), block_time, state=state, first_block=first_block)
    with locked(directory):
        running = RunningPolygon(node, node.child(directory / "polygon.log"))
        try:
            await running.start()
            await (node.set_up() if state else running.exchange.prepare())
            yield running
        finally:
            await running.stop()
            if node.keeper is not None:
                await node.keeper.close()
            await running.exchange.close()
