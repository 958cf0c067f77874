"""ANS-104 data items: how a file is handed to Arweave's bundlers, signed, and called there.

Layout: signature type (2 bytes, little endian), signature, owner's key, a byte each for an absent target and anchor,
number of tags and their size (8 bytes each), the tags (Avro), the file. What is signed is the deep hash of it all.
Source: ANS-104; the bytes are compared with those of its reference implementation (tests/unit/domain).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from hashlib import sha256, sha384
from typing import Final, NamedTuple

ED25519: Final = 2
"""Signature type: 64 bytes by a key of 32, as Solana's wallets have."""
SIGNATURE: Final = 64
OWNER: Final = 32
_ABSENT: Final = b"\x00"
TAGS_MOST: Final = 4_096
"""Bytes of tags that the standard allows."""

Tags = Sequence[tuple[str, str]]
_Deep = bytes | Sequence["_Deep"]


class DataItem(NamedTuple):
    """`owner`: the public key that pays and signs."""

    owner: bytes
    tags: Tags
    content: bytes

    def to_sign(self) -> bytes:
        """The 48 bytes that the owner signs."""
        kind = str(ED25519).encode()
        return deep_hash([b"dataitem", b"1", kind, self.owner, b"", b"", encoded_tags(self.tags), self.content])

    def signed(self, signature: bytes) -> bytes:
        """The item as it is sent."""
        tags = encoded_tags(self.tags)
        counts = len(self.tags).to_bytes(8, "little") + len(tags).to_bytes(8, "little")
        head = ED25519.to_bytes(2, "little") + signature + self.owner + _ABSENT + _ABSENT
        return head + counts + tags + self.content


def item_id(signature: bytes) -> str:
    """What Arweave calls the item: known before it is sent, the same for the same bytes and key."""
    return base64.urlsafe_b64encode(sha256(signature).digest()).decode().rstrip("=")


def deep_hash(value: _Deep) -> bytes:
    """SHA-384 over a tree, with each part's length and each list's in it."""
    if isinstance(value, bytes):
        return _hash(_hash(b"blob" + str(len(value)).encode()) + _hash(value))
    found = _hash(b"list" + str(len(value)).encode())
    for part in value:
        found = _hash(found + deep_hash(part))
    return found


def encoded_tags(tags: Tags) -> bytes:
    """Avro: a block of pairs of strings, then an empty block; nothing at all when there are no tags.

    Raises: ValueError when they are larger than the standard allows.
    """
    if not tags:
        return b""
    found = _long(len(tags)) + b"".join(_text(name) + _text(value) for name, value in tags) + _long(0)
    if len(found) > TAGS_MOST:
        raise ValueError(f"{len(found)} bytes of tags, at most {TAGS_MOST} are allowed")
    return found


def _text(text: str) -> bytes:
    raw = text.encode()
    return _long(len(raw)) + raw


def _long(number: int) -> bytes:
    """Avro's variable length, zigzag; counts and lengths alone, never negative."""
    rest, found = number << 1, bytearray()
    while rest > 0x7F:
        found.append(rest & 0x7F | 0x80)
        rest >>= 7
    found.append(rest)
    return bytes(found)


def _hash(raw: bytes) -> bytes:
    return sha384(raw).digest()
