"""Small whole pictures of every kind, made here byte by byte."""

from __future__ import annotations

import struct
import zlib

SOI, EOI = b"\xff\xd8", b"\xff\xd9"


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int = 3, height: int = 2, *, pad: int = 0, header: bytes = b"\x08\x02\x00\x00\x00") -> bytes:
    """True colour, all black; `pad` adds so many bytes in a text chunk."""
    rows = zlib.compress(b"".join(b"\x00" + bytes(width * 3) for _ in range(min(height, 64))))
    text = chunk(b"tEXt", b"x" * (pad - 12)) if pad else b""
    ihdr = chunk(b"IHDR", struct.pack(">II", width, height) + header)
    return b"\x89PNG\r\n\x1a\n" + ihdr + text + chunk(b"IDAT", rows) + chunk(b"IEND")


def gif(width: int = 3, height: int = 2, *, frames: int = 1) -> bytes:
    """With a global table, a comment and so many frames."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    comment = b"\x21\xfe\x05hello\x00"
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x4c\x01\x00"
    return screen + comment + frame * frames + b"\x3b"


def segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def jpeg(width: int = 3, height: int = 2, *, frame: int = 0xC0, scans: int = 1) -> bytes:
    """With stuffed bytes, a restart and fill bytes in its coded data."""
    app = segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")
    sof = segment(frame, struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00")
    scan = segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + b"\x12\xff\x00\x34\xff\xd0\x56\xff\xff"
    return SOI + app + sof + scan * scans + EOI


KINDS = {"image/png": png, "image/gif": gif, "image/jpeg": jpeg}
