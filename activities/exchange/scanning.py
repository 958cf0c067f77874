"""The scanner: reads the chain block by block and records every transfer into our addresses, through any reorg."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

from temporalio import activity

from activities.beating import beating, leave_if_stopping
from activities.exchange.rereading import Rereading
from domain.exchange import deposits as rules
from domain.exchange.messages import BlockRef, ChainWatched, Head, TransferLog, WatchChain
from domain.shared.errors import Broken, Unavailable

if TYPE_CHECKING:
    from gateways.evm.protocols import EvmChain
    from storage.exchange.chain import ChainStore, Cursor

TURN_S = 300
FULL_HEADERS_BLOCKS = 200
"""Headers read per range: hashes are kept for what can still be reorganised, the last one for the rest."""


class ScanningActivities:
    """One scanner per chain; a second one steps aside at the cursor's row lock."""

    def __init__(self, chain: EvmChain, store: ChainStore, *, span_blocks: int, start_block: int | None) -> None:
        self.chain = chain
        self.store = store
        self.span_blocks = span_blocks
        self.start_block = start_block
        self.rereading = Rereading(chain, store, span_blocks=span_blocks)

    @activity.defn
    async def scan_chain(self, command: WatchChain) -> ChainWatched:
        """Follow the chain for one turn.

        Effect: rows of observed transfers and block hashes; the cursor moves. Nothing outside Postgres.
        Again:  every range is one transaction guarded by the cursor it started from; a repeat reads on from there.
        """
        await self.chain.check_chain()
        until = time.monotonic() + TURN_S
        span, blocks = self.span_blocks, 0
        async with beating():
            async for _ in self.chain.wake_ups():
                more = True
                while more:
                    leave_if_stopping()
                    read, span, more = await self._step(span)
                    blocks += read
                if time.monotonic() > until:
                    break
        return ChainWatched(blocks=blocks)

    async def _step(self, span: int) -> tuple[int, int, bool]:
        """Read one range. Returns blocks read, the span to use next, and whether there is more to read now."""
        head = await self.chain.head()
        cursor = await self.store.cursor(self.start_block if self.start_block is not None else head.latest.number)
        if cursor.halted_reason:
            raise Broken("deep_reorg", cursor.halted_reason)
        await self.rereading.take_up(cursor)
        newest = next(iter(await self.store.recent_blocks(1)), None)
        wanted = rules.next_range(cursor.next_block, head.latest.number, span)
        if wanted is None:
            gone = newest is not None and newest != head.latest and await self._rewound(cursor, head, newest)
            return 0, span, gone
        first, last = wanted
        blocks = await self._headers(first, last, head)
        if newest is not None and blocks[0].parent_hash != newest.hash:
            if await self._rewound(cursor, head, newest):
                return 0, span, True
            if blocks[0].number == newest.number + 1:
                raise Unavailable("chain_lagging", f"block {blocks[0].number} does not follow the one seen before")
        try:
            logs = await self._logs(first, last, blocks)
        except Unavailable as refusal:
            if refusal.data.get("range_too_large") is not True or span == 1:
                raise
            return 0, rules.adapt_span(span, too_large=True), True
        await self.store.record(cursor.next_block, last, head, blocks, logs)
        return last - first + 1, rules.adapt_span(span, too_large=False), last < head.latest.number

    async def _headers(self, first: int, last: int, head: Head) -> list[BlockRef]:
        keep_from = max(first, min(head.finalized, last - FULL_HEADERS_BLOCKS))
        numbers = list(range(keep_from, last + 1))
        blocks = await self.chain.blocks(numbers)
        if [b.number for b in blocks] != numbers:
            raise Unavailable("chain_lagging", f"the node does not have all blocks up to {last}")
        for parent, child in itertools.pairwise(blocks):
            if child.parent_hash != parent.hash:
                raise Unavailable("chain_lagging", f"block {child.number} does not follow block {parent.number}")
        return blocks

    async def _logs(self, first: int, last: int, blocks: list[BlockRef]) -> list[TransferLog]:
        # addresses are read after the head: whoever was given one before its transfer was mined is in the list
        logs = await self.chain.transfers_to(await self.store.watched_addresses(), first, last)
        hashes = {b.number: b.hash for b in blocks}
        if any(hashes.get(log.block_number, log.block_hash) != log.block_hash for log in logs):
            raise Unavailable("chain_lagging", "logs and headers are of different branches")
        return logs

    async def _rewound(self, cursor: Cursor, head: Head, newest: BlockRef) -> bool:
        """Is the newest block we saw gone? Then go back to the common ancestor. Asked when no parent hash vouches."""
        now = await self.chain.blocks([newest.number])
        if now and now[0].hash == newest.hash:
            return False
        seen = await self.store.recent_blocks()
        on_chain = await self.chain.blocks([b.number for b in seen if b.number <= head.latest.number])
        ancestor = rules.common_ancestor(seen, on_chain)
        if ancestor is None or ancestor < cursor.finalized_block:
            reason = (
                f"the chain changed below its finalized block {cursor.finalized_block} (common ancestor: {ancestor})"
            )
            await self.store.halt(reason)
            raise Broken("deep_reorg", reason)
        orphans = await self.store.rewind(cursor.next_block, ancestor)
        activity.logger.warning("reorganisation: rewound to %s, %s deposits orphaned", ancestor, orphans)
        return True
