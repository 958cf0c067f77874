"""The newest blocks as their heads were told, and whether a head says that the chain has changed its mind."""

from __future__ import annotations

from typing import Final

KEPT: Final = 1_024


class Heads:
    """Blocks told since the subscription began. After a fork only what was told since."""

    def __init__(self) -> None:
        self.newest = -1
        self._hashes: dict[int, str] = {}
        self._times: dict[str, int] = {}

    def see(self, number: int, block_hash: str, parent_hash: str, timestamp: int) -> bool:
        """Take a head. True when it does not continue what was told before: a reorganisation."""
        known = self._hashes.get(number)
        parent = self._hashes.get(number - 1)
        forked = (known is not None and known != block_hash) or (parent is not None and parent != parent_hash)
        backwards = number <= self.newest and known != block_hash
        if forked or backwards:
            self._hashes.clear()
        self._hashes[number] = block_hash
        self._times[block_hash] = timestamp
        self.newest = number
        for old in (self._hashes, self._times):
            while len(old) > KEPT:
                old.pop(next(iter(old)))  # type: ignore[call-overload]
        return forked or backwards

    def hash_of(self, number: int) -> str | None:
        return self._hashes.get(number)

    def time_of(self, block_hash: str) -> int | None:
        """Seconds; None for a block whose head was not told."""
        return self._times.get(block_hash)
