"""What an uploaded file is, from its bytes alone: a whole PNG, GIF or JPEG, and how large its picture is.

The structure is walked from the first byte to the last, and pixels are never decompressed: a file that promises a
gigantic picture costs nothing to refuse. Cut off files, bytes after the end and picture files that are also something
else are refused. What a picture shows is not looked at: moderation is the operator's.
Source: CG-095, UN-022.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from zlib import crc32

from domain.shared.errors import Rejected

BYTES_MOST: Final = 5 * 2**20
SIDE_MOST: Final = 8_192
PIXELS_MOST: Final = 2**25
"""33.5 million: 134 MB for whoever decodes it."""
PIECES_MOST: Final = 65_536
"""Chunks, segments or blocks of one file; twice what 5 MB in a GIF's largest blocks have."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_DEPTHS: Final = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_AFTER_SCAN: Final = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""In a JPEG's entropy-coded data FF00 is a byte and FFD0 to FFD7 are restarts; all else begins the next segment."""
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class Picture(NamedTuple):
    """A picture's kind and its size in pixels."""

    content_type: str
    width: int
    height: int


class _Bad(Exception):
    """Why this is no picture of its kind."""


def read_picture(content: bytes) -> Picture:
    """Look at a whole file.

    Raises: Rejected asset_too_large (more than 5 MB), asset_unreadable.
    """
    if len(content) > BYTES_MOST:
        raise Rejected("asset_too_large", f"a picture has at most {BYTES_MOST} bytes")
    try:
        if content.startswith(_PNG):
            return _sized("image/png", _png(content))
        if content.startswith((b"GIF87a", b"GIF89a")):
            return _sized("image/gif", _gif(content))
        if content.startswith(b"\xff\xd8\xff"):
            return _sized("image/jpeg", _jpeg(content))
        raise _Bad("the content is neither PNG nor GIF nor JPEG; the name does not matter")
    except _Bad as bad:
        raise Rejected("asset_unreadable", str(bad)) from bad
    except IndexError as error:
        raise Rejected("asset_unreadable", "the file is cut off") from error


def _sized(content_type: str, size: tuple[int, int]) -> Picture:
    width, height = size
    if not (1 <= width <= SIDE_MOST and 1 <= height <= SIDE_MOST and width * height <= PIXELS_MOST):
        raise _Bad(f"{width} x {height}: a side has 1 to {SIDE_MOST} pixels, the picture at most {PIXELS_MOST}")
    return Picture(content_type, width, height)


def _take(content: bytes, at: int, count: int) -> bytes:
    """`count` bytes, all of them. Raises IndexError at the end of the file."""
    found = content[at : at + count]
    if len(found) != count:
        raise IndexError
    return found


def _number(content: bytes, at: int, count: int, order: str = "big") -> int:
    return int.from_bytes(_take(content, at, count), "little" if order == "little" else "big")


def _ends(content: bytes, at: int, pieces: int = 0) -> None:
    if at != len(content):
        raise _Bad("there are bytes after the picture's end")
    if pieces > PIECES_MOST:
        raise _Bad("too many pieces")


def _png(content: bytes) -> tuple[int, int]:
    """Chunks with their checksums from IHDR through IDAT to IEND."""
    at, kinds = len(_PNG), list[bytes]()
    while not kinds or kinds[-1] != b"IEND":
        length = _number(content, at, 4)
        chunk = _take(content, at + 4, length + 4)
        if _number(content, at + 8 + length, 4) != crc32(chunk):
            raise _Bad("a checksum does not fit")
        kinds.append(chunk[:4])
        if len(kinds) > PIECES_MOST:
            raise _Bad("too many chunks")
        at += length + 12
    _ends(content, at)
    if kinds[0] != b"IHDR" or kinds.count(b"IHDR") != 1 or b"IDAT" not in kinds:
        raise _Bad("a PNG begins with its header and has data")
    header = _take(content, 16, 13)
    depth, colour, method, filtering, interlace = header[8:]
    if _number(content, 8, 4) != 13 or depth not in _DEPTHS.get(colour, ()) or method or filtering or interlace > 1:
        raise _Bad("the header is none of PNG's")
    return _number(header, 0, 4), _number(header, 4, 4)


def _gif(content: bytes) -> tuple[int, int]:
    """The screen, then extensions and images until the trailer."""
    width, height, flags = _number(content, 6, 2, "little"), _number(content, 8, 2, "little"), content[10]
    at, images, pieces = 13 + _table(flags), 0, 0
    while (kind := content[at]) != 0x3B:
        if kind == 0x21:
            at += 2
        elif kind == 0x2C:
            images += 1
            at += 11 + _table(content[at + 9])
        else:
            raise _Bad("an unknown block")
        while size := content[at]:
            at, pieces = at + 1 + size, pieces + 1
            if pieces > PIECES_MOST:
                raise _Bad("too many blocks")
        at += 1
    _ends(content, at + 1)
    if not images:
        raise _Bad("there is no image in it")
    return width, height


def _table(flags: int) -> int:
    """Bytes of a colour table, if there is one."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _jpeg(content: bytes) -> tuple[int, int]:
    """Segments to the end of image; what lies between them after a scan's header is coded data."""
    at, size, scans, pieces = 2, (0, 0), 0, 0
    while True:
        if content[at] != 0xFF:
            raise _Bad("a segment does not begin where the last one ends")
        while (marker := content[at]) == 0xFF:
            at += 1
        at, pieces = at + 1, pieces + 1
        if marker == 0xD9:
            break
        if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8 or pieces > PIECES_MOST:
            raise _Bad("a segment that does not belong there")
        length = _number(content, at, 2)
        if length < 2:
            raise _Bad("a segment's length is impossible")
        segment = _take(content, at, length)
        if marker in _FRAMES:
            size = _frame(segment, size)
        at += length
        if marker == 0xDA:
            scans += 1
            at = _scan_end(content, at)
    _ends(content, at)
    if not scans or size == (0, 0):
        raise _Bad("there is no image in it")
    return size


def _frame(segment: bytes, before: tuple[int, int]) -> tuple[int, int]:
    """Width and height of a frame header; there is one."""
    if before != (0, 0):
        raise _Bad("more than one frame")
    return _number(segment, 5, 2), _number(segment, 3, 2)


def _scan_end(content: bytes, at: int) -> int:
    found = _AFTER_SCAN.search(content, at)
    if found is None:
        raise IndexError
    return found.start()
