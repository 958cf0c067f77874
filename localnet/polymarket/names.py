"""Ids, hashes and addresses drawn from the seed: the same world for the same seed."""

from __future__ import annotations

import hashlib


def digest(seed: int, *words: object) -> bytes:
    """32 bytes that are the same for the same words."""
    return hashlib.sha256("\0".join((str(seed), *map(str, words))).encode()).digest()


def draw(seed: int, *words: object) -> int:
    """A 64-bit number that is the same for the same words."""
    return int.from_bytes(digest(seed, *words)[:8], "big")


def address(seed: int, name: str) -> str:
    return "0x" + digest(seed, "wallet", name)[:20].hex()


def tx_hash(seed: int, count: int) -> str:
    return "0x" + digest(seed, "tx", count).hex()


def condition_id(seed: int, slug: str, version: str, neg_risk: bool) -> str:
    """32 bytes of a v1 condition; of protocol v2 31 bytes that start with the module, and a zero byte."""
    if version == "v1":
        return "0x" + digest(seed, "condition", slug).hex()
    return "0x" + ("02" if neg_risk else "01") + digest(seed, "condition", slug)[:30].hex() + "00"


def token_id(condition: str, place: int, version: str) -> str:
    """Up to 78 decimal digits. A v2 position id is the condition with the outcome in its last byte."""
    if version == "v2":
        return str(int(condition, 16) + place)
    return str(int.from_bytes(hashlib.sha256(f"{condition}:{place}".encode()).digest(), "big"))


def trace_id(seed: int, count: int) -> str:
    return digest(seed, "trace", count)[:16].hex()
