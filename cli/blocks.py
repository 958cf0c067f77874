"""Block numbers by time, found by bisection over headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.shared.errors import Unavailable
from gateways.evm.shapes import to_quantity

if TYPE_CHECKING:
    from gateways.evm.rpc import RpcClient
    from settings import Settings


def node_of(settings: Settings) -> RpcClient:
    """The configured node itself, for what the chain gateway does not tell: timestamps."""
    from gateways.evm.rpc import JsonRpc

    return JsonRpc(settings.arbitrum_rpc_url)


async def timestamp(node: RpcClient, block: int | str) -> int | None:
    """Seconds since 1970 of a block; None when the node does not have it (any more)."""
    raw = await node.call("eth_getBlockByNumber", hex(block) if isinstance(block, int) else block, False)
    return None if raw is None else to_quantity(raw["timestamp"])


async def first_block_at(node: RpcClient, moment: int, head: int) -> int:
    """The lowest block with a timestamp of `moment` or later, `head` + 1 when there is none.

    Blocks the node no longer has count as older. Raises: Unavailable when it does not even have the head.
    """
    if await timestamp(node, head) is None:
        raise Unavailable("chain_lagging", f"the node does not have block {head}")
    low, high = 0, head + 1
    while low < high:
        middle = (low + high) // 2
        found = await timestamp(node, middle)
        if found is not None and found >= moment:
            high = middle
        else:
            low = middle + 1
    return low
