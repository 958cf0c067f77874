"""The name that IPFS gives to a file, computed here: nothing a pinning node answers is believed unless it is the same.

What `ipfs add --cid-version=1 --raw-leaves --chunker=size-262144` makes: chunks of 256 KiB as raw blocks; one chunk is
the file itself, several are joined by a dag-pb node with UnixFS data, up to 174 of them. Source: LP-080, UN-022.
"""

from __future__ import annotations

from base64 import b32encode
from hashlib import sha256
from typing import Final

CHUNK: Final = 262_144
LINKS_MOST: Final = 174
LARGEST: Final = CHUNK * LINKS_MOST
"""One level of links suffices up to here; a picture is a ninth of it."""

_VERSION: Final = b"\x01"
_RAW: Final = b"\x55"
_DAG_PB: Final = b"\x70"
_SHA256: Final = b"\x12\x20"
_UNIXFS_FILE: Final = b"\x08\x02"


def cid_of(content: bytes) -> str:
    """The CID, version 1, in base32.

    Raises: ValueError beyond LARGEST.
    """
    if len(content) > LARGEST:
        raise ValueError(f"more than {LARGEST} bytes")
    chunks = [content[at : at + CHUNK] for at in range(0, len(content), CHUNK)] or [b""]
    leaves = [_cid(_RAW, chunk) for chunk in chunks]
    root = leaves[0] if len(leaves) == 1 else _cid(_DAG_PB, _node(leaves, [len(chunk) for chunk in chunks]))
    return "b" + b32encode(root).decode().lower().rstrip("=")


def _cid(codec: bytes, block: bytes) -> bytes:
    return _VERSION + codec + _SHA256 + sha256(block).digest()


def _node(leaves: list[bytes], sizes: list[int]) -> bytes:
    """dag-pb in canonical form: every link (hash, empty name, size), then the UnixFS data."""
    links = b"".join(
        _field(2, _field(1, leaf) + _field(2, b"") + b"\x18" + _varint(size))
        for leaf, size in zip(leaves, sizes, strict=True)
    )
    data = _UNIXFS_FILE + b"\x18" + _varint(sum(sizes)) + b"".join(b"\x20" + _varint(size) for size in sizes)
    return links + _field(1, data)


def _field(number: int, value: bytes) -> bytes:
    """A length-delimited field of a protobuf message."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
