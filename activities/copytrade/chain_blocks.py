"""Rows whose block may have left the chain: found by heads that do not continue, settled by asking for the blocks.

Nodes differ in whether they say `removed` (anvil never does), so a fork is never left to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from temporalio import activity

from domain.copytrade.chain_heads import Heads
from domain.shared.errors import Unavailable

if TYPE_CHECKING:
    from gateways.polymarket.chain_rpc import PolygonRpc
    from gateways.polymarket.chain_session import HeadSeen
    from storage.copytrade.chain_logs import ChainLogStore

DEEPEST: Final = 128
"""Blocks before a fork that are looked at; Polygon has never gone back further since its heimdall upgrade."""
AT_ONCE: Final = 20


class BlockWatch:
    """Times of blocks for rows without one, and blocks under suspicion."""

    def __init__(self, logs: ChainLogStore, rpc: PolygonRpc | None) -> None:
        self.logs, self.rpc = logs, rpc
        self.heads = Heads()
        self._suspects: dict[int, set[str]] = {}
        self._undated: set[str] = set()

    def time_of(self, block_hash: str) -> int | None:
        """When the block was made; if that is not known yet its rows are dated later."""
        found = self.heads.time_of(block_hash)
        if found is None:
            self._undated.add(block_hash)
        return found

    async def on_head(self, head: HeadSeen) -> None:
        if self.heads.see(head.number, head.hash, head.parent_hash, head.timestamp):
            activity.logger.warning("polygon changed its mind at block %s", head.number)
            await self.suspect(head.number - DEEPEST)
        if head.hash in self._undated:
            self._undated.discard(head.hash)
            await self.logs.date_blocks({head.hash: head.timestamp})

    async def suspect(self, first: int) -> None:
        """Rows from this block on are to be compared with the chain as it is."""
        self._suspects |= await self.logs.blocks_since(max(0, first))

    async def look_after(self) -> None:
        """Take back rows of blocks that are not in the chain; what cannot be told yet is asked again."""
        due = [number for number in sorted(self._suspects) if number <= self.heads.newest][:AT_ONCE]
        if not due:
            return
        now = await self._now(due)
        gone: list[str] = []
        for number in due:
            if number in now:
                gone += [each for each in self._suspects.pop(number) if each != now[number]]
            elif self.rpc is None:  # nobody will ever say
                del self._suspects[number]
        if gone:
            taken = await self.logs.take_back_blocks(gone)
            activity.logger.warning("a reorganisation took back %s logs", taken)

    async def _now(self, numbers: list[int]) -> dict[int, str]:
        """Hashes of these blocks now, as far as anybody says."""
        told = {number: self.heads.hash_of(number) for number in numbers}
        found = {number: each for number, each in told.items() if each is not None}
        unknown = [number for number in numbers if number not in found]
        if self.rpc is None or not unknown:
            return found
        try:
            blocks = await self.rpc.blocks(unknown)
        except Unavailable as away:
            activity.logger.warning("blocks under suspicion could not be read: %s", away.detail)
            return found
        return found | {number: block.hash for number, block in blocks.items()}
