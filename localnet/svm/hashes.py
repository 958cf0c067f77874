"""Blockhashes: one a slot, derived from the ledger's seed, so that none has to be stored.

A fork gives the slots from its point on other hashes: a transaction signed on the abandoned side is void on this one.
"""

from __future__ import annotations

import hashlib

from solders.hash import Hash

WINDOW = 150
"""A hash serves until its block is more than so many blocks old."""
KEPT = 1_200


class BlockHashes:
    """`forks` are (first slot, salt), oldest first."""

    def __init__(self, seed: bytes, forks: list[tuple[int, int]]) -> None:
        self._seed = seed
        self.forks = forks
        self._slots: dict[str, int] = {}
        self._newest = -1

    @property
    def genesis(self) -> str:
        return str(Hash.from_bytes(hashlib.sha256(self._seed).digest()))

    def of(self, slot: int) -> str:
        salt = next((salt for first, salt in reversed(self.forks) if slot >= first), 0)
        told = self._seed + salt.to_bytes(8, "little") + slot.to_bytes(8, "little")
        return str(Hash.from_bytes(hashlib.sha256(told).digest()))

    def slot_of(self, blockhash: str, newest: int) -> int | None:
        """The slot of a hash that is at most `KEPT` slots older than `newest`, else None."""
        for slot in range(max(self._newest + 1, newest - KEPT), newest + 1):
            self._slots[self.of(slot)] = slot
        self._newest = max(self._newest, newest)
        if len(self._slots) > 2 * KEPT:
            self._slots = {known: slot for known, slot in self._slots.items() if slot >= newest - KEPT}
        found = self._slots.get(blockhash)
        return None if found is None or found > newest else found

    def fork(self, slot: int) -> None:
        self.forks.append((slot, len(self.forks) + 1))
        self._slots.clear()
        self._newest = -1
