"""Real order books in a compact file, played without loading them.

The books are those of the Python package ``resolvedkit`` (data by Resolved Markets, CC BY 4.0): 18 Bitcoin 15-minute
markets, about one book a second. Reading its Parquet takes a library of 80 MB, so ``python -m localnet.polymarket.tape
OUT`` does it once in a process of its own and leaves a file of 5 MB, which the venue maps into memory. Without the
package there is no tape and all books are drawn.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import mmap
import struct
from bisect import bisect_right
from pathlib import Path
from typing import Any, NamedTuple

from localnet.polymarket.books import Book

MAGIC = b"HFTAPE1\n"
_FRAME, _LEVEL = struct.Struct("<IBB"), struct.Struct("<HI")
"""Milliseconds since the first frame, number of bids and asks; then price in thousandths and shares in hundredths."""


class Reel(NamedTuple):
    """One market of the tape. `offsets` are where its frames start, `payout` is what the first outcome paid."""

    slug: str
    question: str
    payout: int
    start_ms: int
    end_ms: int
    first_ms: int
    offsets: tuple[int, ...]


class Tape:
    """The mapped file. Raises ValueError for a file of another kind."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as handle:
            self._map = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        if self._map[: len(MAGIC)] != MAGIC:
            raise ValueError(f"{path} is no tape")
        (size,) = struct.unpack_from("<I", self._map, len(MAGIC))
        start = len(MAGIC) + 4
        self.reels = [
            Reel(**{**reel, "offsets": tuple(reel["offsets"])}) for reel in json.loads(self._map[start : start + size])
        ]
        self._frames = start + size

    def book(self, reel: Reel, number: int) -> Book:
        place = self._frames + reel.offsets[number]
        after, bids, asks = _FRAME.unpack_from(self._map, place)
        levels = [_LEVEL.unpack_from(self._map, place + _FRAME.size + _LEVEL.size * k) for k in range(bids + asks)]
        book = Book({price * 1000: size * 10_000 for price, size in levels[:bids]})
        book.asks = {price * 1000: size * 10_000 for price, size in levels[bids:]}
        book.changed_ms = reel.first_ms + after
        return book

    def number_at(self, reel: Reel, at_ms: int) -> int:
        """The last frame that is not younger."""

        def after(offset: int) -> int:
            return int(_FRAME.unpack_from(self._map, self._frames + offset)[0])

        return max(0, bisect_right(reel.offsets, at_ms - reel.first_ms, key=after) - 1)

    def close(self) -> None:
        self._map.close()


class Played(NamedTuple):
    """A reel played forth and back for ever, `share` percent of it: towards its end the price runs to 0 or 1."""

    tape: Tape
    reel: Reel
    share: int = 60
    shift: int = 0
    step_ms: int = 1_000

    def at(self, step: int) -> Book:
        frames = max(2, len(self.reel.offsets) * self.share // 100)
        place = (step + self.shift) % (2 * frames - 2)
        book = self.tape.book(self.reel, place if place < frames else 2 * frames - 2 - place)
        book.changed_ms = 0
        return book


class Live(NamedTuple):
    """The reel's own time from its market's start to its end, played once in `lasts_ms`; its last book after that."""

    tape: Tape
    reel: Reel
    begins_ms: int
    lasts_ms: int
    step_ms: int = 1_000

    def at(self, step: int) -> Book:
        into = (step * self.step_ms - self.begins_ms) * (self.reel.end_ms - self.reel.start_ms) // self.lasts_ms
        book = self.tape.book(self.reel, self.tape.number_at(self.reel, self.reel.start_ms + into))
        book.changed_ms = 0
        return book


def package_data() -> Path | None:
    """Where the package keeps its books, without importing it; None when it or the Parquet library is missing."""
    if importlib.util.find_spec("pyarrow") is None:
        return None
    found = importlib.util.find_spec("resolvedkit")
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / "sample_data"


def convert(source: Path, target: Path) -> int:
    """Writes the tape; returns the number of frames. Only books of the first outcome: the second's are its mirror."""
    from localnet.files import write_atomically

    parquet: Any = importlib.import_module("pyarrow.parquet")
    markets = parquet.read_table(source / "markets.parquet").to_pylist()
    frames: dict[str, list[tuple[int, bytes]]] = {market["market_id"]: [] for market in markets}
    books = parquet.ParquetFile(source / "books.parquet")
    for batch in books.iter_batches(batch_size=1000, use_threads=False):
        for row in batch.to_pylist():
            if row["side"] == "UP":
                frames[row["market_id"]].append((row["ts"], _packed(row)))
    reels, body = [], bytearray()
    for market in sorted(markets, key=lambda one: int(one["start_ts"])):
        played = sorted(frames[market["market_id"]])
        if not played:
            continue
        offsets, first = [], played[0][0]
        for at, levels in played:
            offsets.append(len(body))
            body += struct.pack("<I", at - first) + levels
        reels.append(
            Reel(market["slug"], market["question"], round(market["payout_up"] * 1_000_000), market["start_ts"],
                 market["end_ts"], first, tuple(offsets))._asdict()
        )  # fmt: skip
    head = json.dumps(reels).encode()
    write_atomically(target, MAGIC + struct.pack("<I", len(head)) + head + bytes(body))
    return sum(len(played) for played in frames.values())


def _packed(row: dict[str, Any]) -> bytes:
    bids = list(zip(row["bid_px"], row["bid_sz"], strict=True))
    asks = list(zip(row["ask_px"], row["ask_sz"], strict=True))
    levels = b"".join(_LEVEL.pack(round(price * 1000), round(size * 100)) for price, size in bids + asks)
    return struct.pack("<BB", len(bids), len(asks)) + levels


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="real order books of resolvedkit as a tape")
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    data = package_data()
    if data is None:
        raise SystemExit("resolvedkit is not installed")
    out.parent.mkdir(parents=True, exist_ok=True)
    print(f"{convert(data, out)} books")
