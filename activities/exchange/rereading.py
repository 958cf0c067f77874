"""Blocks that are read again because an operator had quarantined transfers replayed. Part of the scanner."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from temporalio import activity

from domain.exchange.messages import TransferLog
from domain.shared.errors import Unavailable

if TYPE_CHECKING:
    from gateways.evm.protocols import EvmChain
    from storage.exchange.chain import ChainStore, Cursor
    from storage.exchange.replays import Replay

PAUSE_S = 5.0
"""After a failure, so that an item that cannot be read does not slow the scanner down."""


class Rereading:
    def __init__(self, chain: EvmChain, store: ChainStore, *, span_blocks: int) -> None:
        self.chain = chain
        self.store = store
        self.span_blocks = span_blocks
        self._not_before = 0.0

    async def take_up(self, cursor: Cursor) -> None:
        """Read marked items again. What fails stays marked and is tried later; following the chain goes on."""
        if not cursor.marked or time.monotonic() < self._not_before:
            return
        try:
            for item in await self.store.replays(cursor.next_block):
                new = await self.store.record_replay(cursor.next_block, item, await self._read(item))
                activity.logger.warning("replay of %s: %s new transfers", item.item_id, new)
        except Unavailable as failure:
            self._not_before = time.monotonic() + PAUSE_S
            activity.logger.warning("a replay waits: %r", failure)

    async def _read(self, item: Replay) -> list[TransferLog]:
        addresses, logs = await self.store.watched_addresses(), list[TransferLog]()
        for first in range(item.first, item.last + 1, self.span_blocks):
            logs += await self.chain.transfers_to(addresses, first, min(item.last, first + self.span_blocks - 1))
        hashes = {b.number: b.hash for b in await self.chain.blocks(sorted({log.block_number for log in logs}))}
        if any(hashes.get(log.block_number) != log.block_hash for log in logs):
            raise Unavailable("chain_lagging", "logs and headers are of different branches")
        return logs
