"""What an asset traded over the last five minutes, kept in one-second buckets like the prices (prices.py).

Buckets make the sum the same whether it was followed live or read back from the books. Source: EX-050, EX-055.
"""

from __future__ import annotations

from typing import Final, NamedTuple

SPAN_S: Final = 300


class Bucket(NamedTuple):
    """One second: micros that went into or out of the reserve."""

    second: int
    micros: int


class Volume(NamedTuple):
    """Buckets oldest first, and their sum."""

    buckets: tuple[Bucket, ...] = ()
    micros: int = 0


def volume_of(buckets: tuple[Bucket, ...]) -> Volume:
    return Volume(buckets, sum(b.micros for b in buckets))


def at_second(volume: Volume, second: int) -> Volume:
    """The volume without what is older than five minutes at `second`."""
    oldest = second - SPAN_S
    if not volume.buckets or volume.buckets[0].second >= oldest:
        return volume
    return volume_of(tuple(b for b in volume.buckets if b.second >= oldest))


def with_amount(volume: Volume, second: int, micros: int) -> Volume:
    """The volume with one more trade at `second`, never earlier than the newest bucket."""
    volume = at_second(volume, second)
    buckets, total = volume.buckets, volume.micros + micros
    if buckets and buckets[-1].second >= second:
        last = buckets[-1]
        return Volume((*buckets[:-1], Bucket(last.second, last.micros + micros)), total)
    return Volume((*buckets, Bucket(second, micros)), total)
