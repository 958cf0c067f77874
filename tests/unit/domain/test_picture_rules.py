"""Pictures are recognised by their bytes, whole or not at all, and gigantic ones cost nothing."""

from __future__ import annotations

import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.launchpad.pictures import BYTES_MOST, SIDE_MOST, read_picture
from domain.shared.errors import Rejected
from tests.picture_lab import EOI, KINDS, SOI, chunk, gif, jpeg, png, segment

MAGIC = b"\x89PNG\r\n\x1a\n"


def refused(content: bytes, code: str = "asset_unreadable") -> str:
    with pytest.raises(Rejected) as caught:
        read_picture(content)
    assert caught.value.code == code
    return caught.value.detail


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_picture_tells_its_kind_and_size(kind: str) -> None:
    assert read_picture(KINDS[kind](640, 480)) == (kind, 640, 480)


def test_animations_and_progressive_pictures_are_pictures() -> None:
    assert read_picture(gif(9, 8, frames=50)) == ("image/gif", 9, 8)
    assert read_picture(gif(9, 8).replace(b"GIF89a", b"GIF87a")) == ("image/gif", 9, 8)
    assert read_picture(jpeg(9, 8, frame=0xC2, scans=10)) == ("image/jpeg", 9, 8)


@pytest.mark.parametrize("kind", KINDS)
def test_no_beginning_of_a_picture_is_a_picture(kind: str) -> None:
    content = KINDS[kind](30, 20)
    for end in range(len(content)):
        refused(content[:end])


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_may_follow_the_end(kind: str) -> None:
    assert "after" in refused(KINDS[kind]() + b"<script>")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("width", "height"), [(0, 1), (1, 0), (SIDE_MOST + 1, 1), (1, SIDE_MOST + 1), (8_000, 8_000), (65_535, 65_535)]
)
def test_impossible_and_gigantic_sizes_are_refused_without_decoding(kind: str, width: int, height: int) -> None:
    refused(KINDS[kind](width, height))


def test_the_largest_side_is_allowed() -> None:
    assert read_picture(png(SIDE_MOST, 2)).width == SIDE_MOST


def test_five_megabytes_are_allowed_and_a_byte_more_is_not() -> None:
    bare = len(png())
    assert len(png(pad=BYTES_MOST - bare)) == BYTES_MOST
    assert read_picture(png(pad=BYTES_MOST - bare)).width == 3
    refused(png(pad=BYTES_MOST - bare + 1), "asset_too_large")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"RIFF\x00\x00\x00\x00WEBPVP8 ",
        b"BM" + bytes(60),
        b"%PDF-1.7",
        b"\x00" + png(),
        MAGIC,
        MAGIC + chunk(b"IEND"),
        MAGIC + chunk(b"IDAT", b"x") + chunk(b"IEND"),
        png(header=b"\x07\x02\x00\x00\x00"),
        png(header=b"\x08\x05\x00\x00\x00"),
        png(header=b"\x08\x02\x01\x00\x00"),
        png(header=b"\x08\x02\x00\x00\x02"),
        png().replace(b"IDAT", b"IDAX"),
        png()[:-4] + b"\x00\x00\x00\x00",
        MAGIC + struct.pack(">I", 2**32 - 1) + b"IHDR",
        gif(frames=0),
        gif()[:-1] + b"\x99\x3b",
        jpeg(scans=0),
        SOI + EOI,
        SOI + segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + b"\x12" + EOI,
        jpeg()[:2] + segment(0xC0, struct.pack(">BHHB", 8, 1, 1, 1) + b"\x01\x11\x00") + jpeg()[2:],
        SOI + b"\xff\xe0\x00\x01" + EOI,
        SOI + b"\xff\xd8" + EOI,
        SOI + b"\xff\xe0\xff\xff",
    ],
)
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    refused(content)


@pytest.mark.parametrize(
    "content",
    [
        SOI + b"\xff" * (BYTES_MOST - 2),
        jpeg()[:-2] + b"\xff\x00" * 2_500_000,
        jpeg()[:-2] + b"\xff\xd0" * 2_500_000,
        gif()[:-1] + b"\x21\x01" + b"\x01a" * 2_500_000,
        gif()[:-1] + b"\x21\x01\x00" * 1_700_000,
        MAGIC + chunk(b"tEXt") * 400_000,
        SOI + b"\xff\xe0\x00\x02" * 1_300_000,
    ],
)
def test_files_made_to_be_slow_are_not(content: bytes) -> None:
    began = time.process_time()
    refused(content)
    assert time.process_time() - began < 2


@given(st.sampled_from(sorted(KINDS)), st.data())
def test_no_change_of_bytes_breaks_the_reader(kind: str, data: st.DataObject) -> None:
    content = bytearray(KINDS[kind](30, 20))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        width = read_picture(bytes(content)).width
    except Rejected:
        return
    assert 1 <= width <= SIDE_MOST
