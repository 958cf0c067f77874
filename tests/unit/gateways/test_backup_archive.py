"""The archive's format: whole or refused."""

from __future__ import annotations

import io
import os
import struct

import pytest

from domain.operations.messages import BooksFacts, LedgerTotals, Manifest
from domain.shared.errors import Broken
from gateways.archive import DATA, FRAME, MAGIC, ArchiveWriter, Checker, key_from_base64, read_frames

KEY = bytes(range(32))
FACTS = BooksFacts(revision="0001", totals=LedgerTotals(transfers=2, postings=4, turnover={"USDC": "7"}))
HEADER = len(MAGIC) + 32 + 8


def archive(parts: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    writer = ArchiveWriter(file, KEY)
    for name, content in parts.items():
        writer.begin(name)
        for start in range(0, len(content), 100_000):
            writer.write(content[start : start + 100_000])
    writer.finish(Manifest(created_at="2026-01-01T00:00:00Z", app_version="1", books=FACTS, members=()))
    return file.getvalue()


def read(content: bytes, key: bytes = KEY) -> tuple[Manifest, bytes]:
    checker, data = Checker(), b""
    for frame in read_frames(io.BytesIO(content), key):
        checker.see(frame)
        data += frame.content if frame.kind == DATA else b""
    return checker.verdict(), data


def frames(content: bytes) -> list[bytes]:
    """The sealed frames with their length."""
    found, at = [], HEADER
    while at < len(content):
        size = 4 + struct.unpack(">I", content[at : at + 4])[0]
        found.append(content[at : at + size])
        at += size
    return found


def test_round_trip_keeps_every_byte_and_tells_the_parts() -> None:
    first, second = os.urandom(3 * FRAME + 17), b""
    manifest, data = read(archive({"a": first, "b": second}))
    assert data == first
    assert [(m.name, m.size) for m in manifest.members] == [("a", len(first)), ("b", 0)]
    assert manifest.books == FACTS


def test_nothing_of_the_content_is_readable() -> None:
    assert b"secret words" not in archive({"a": b"secret words " * 1000})


def test_the_same_content_never_looks_the_same() -> None:
    assert archive({"a": b"x"})[HEADER:] != archive({"a": b"x"})[HEADER:]


def test_another_key_is_told_apart() -> None:
    with pytest.raises(Broken, match="another BACKUP_KEY"):
        read(archive({"a": b"x"}), bytes(32))


@pytest.mark.parametrize("place", [0, HEADER - 1, HEADER, HEADER + 4, HEADER + 40, -1])
def test_one_changed_bit_is_refused(place: int) -> None:
    content = bytearray(archive({"a": b"x" * 100}))
    content[place] ^= 1
    with pytest.raises(Broken):
        read(bytes(content))


def test_every_way_of_cutting_it_off_is_refused() -> None:
    content = archive({"a": b"x" * 100})
    for length in range(len(content)):
        with pytest.raises(Broken):
            read(content[:length])


def test_frames_cannot_be_left_out_swapped_repeated_or_appended() -> None:
    content = archive({"a": os.urandom(3 * FRAME)})
    header, parts = content[:HEADER], frames(content)
    for wrong in (
        parts[:1] + parts[2:],
        [parts[0], parts[2], parts[1], *parts[3:]],
        [*parts[:2], parts[1], *parts[2:]],
        [*parts, parts[-1]],
        parts[:-1],
    ):
        with pytest.raises(Broken):
            read(header + b"".join(wrong))


def test_frames_of_another_archive_do_not_fit() -> None:
    one, other = archive({"a": b"x" * 10}), archive({"a": b"x" * 10})
    with pytest.raises(Broken):
        read(one[:HEADER] + b"".join([frames(one)[0], *frames(other)[1:]]))


def test_a_huge_frame_is_refused_before_it_is_read() -> None:
    content = archive({"a": b"x"})
    with pytest.raises(Broken, match="cut off, or changed"):
        read(content[:HEADER] + struct.pack(">I", 2**31) + content[HEADER + 4 :])


@pytest.mark.parametrize("text", ["", "not base64!", "AAAA"])
def test_a_key_that_is_none_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(Broken) as refused:
        key_from_base64(text)
    assert not text or text not in str(refused.value)
