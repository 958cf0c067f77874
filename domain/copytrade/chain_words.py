"""Reading ABI-encoded log data: 32-byte words and arrays of them. Anything out of place is UnreadableLog."""

from __future__ import annotations

from typing import Final, NamedTuple

WORD: Final = 32
ARRAY_MAX: Final = 1_024
"""Elements of one array; a market has at most a few hundred outcomes."""


class UnreadableLog(ValueError):
    """A log of a contract and topic we know, in a shape we do not. It goes to quarantine, never to a guess."""


class RawLog(NamedTuple):
    """A log as a node gives it: addresses, topics and hashes lower case."""

    address: str
    topics: tuple[str, ...]
    data: bytes
    block_number: int
    block_hash: str
    tx_hash: str
    log_index: int
    removed: bool = False


def words(log: RawLog, count: int) -> tuple[int, ...]:
    """The data as exactly so many words."""
    if len(log.data) != count * WORD:
        raise UnreadableLog(f"{len(log.data)} bytes of data instead of {count * WORD}")
    return tuple(_word(log.data, place) for place in range(count))


def word(log: RawLog, place: int) -> int:
    """One word of data whose length is not fixed."""
    if len(log.data) < (place + 1) * WORD:
        raise UnreadableLog(f"no word {place} in {len(log.data)} bytes of data")
    return _word(log.data, place)


def array(log: RawLog, place: int) -> tuple[int, ...]:
    """The uint256[] whose offset stands in word `place`."""
    offset = word(log, place)
    if offset % WORD or offset // WORD >= len(log.data) // WORD:
        raise UnreadableLog(f"an array is said to stand at byte {offset} of {len(log.data)}")
    start = offset // WORD
    length = _word(log.data, start)
    if length > ARRAY_MAX or (start + 1 + length) * WORD > len(log.data):
        raise UnreadableLog(f"an array of {length} elements in {len(log.data)} bytes of data")
    return tuple(_word(log.data, start + 1 + index) for index in range(length))


def topics(log: RawLog, count: int) -> tuple[str, ...]:
    """The indexed parameters, exactly so many."""
    if len(log.topics) != count + 1:
        raise UnreadableLog(f"{len(log.topics)} topics instead of {count + 1}")
    return log.topics[1:]


def address_of(topic: str) -> str:
    """The address in a topic."""
    if topic[2:26] != "0" * 24:
        raise UnreadableLog(f"{topic} is no address")
    return "0x" + topic[26:]


def address_word(value: int) -> str:
    """The address in a word of data."""
    if value >> 160:
        raise UnreadableLog(f"{value:#x} is no address")
    return f"0x{value:040x}"


def padded(address: str) -> str:
    """An address as a topic, for filters."""
    return "0x" + address[2:].lower().rjust(64, "0")


def _word(data: bytes, place: int) -> int:
    return int.from_bytes(data[place * WORD : (place + 1) * WORD], "big")
