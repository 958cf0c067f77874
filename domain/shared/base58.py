"""Base58 of byte strings of any length, as Solana writes addresses, signatures and instruction data."""

from __future__ import annotations

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUE = {letter: number for number, letter in enumerate(ALPHABET)}
_STEP = 10
_BIG = 58**_STEP


def encode(data: bytes) -> str:
    """Leading zero bytes become leading ones."""
    number = int.from_bytes(data, "big")
    letters: list[str] = []
    while number:
        number, part = divmod(number, _BIG)  # ten letters at a time: the division of the long number is what costs
        for _ in range(_STEP):
            part, digit = divmod(part, 58)
            letters.append(ALPHABET[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(letters)).lstrip("1")


def decode(text: str) -> bytes:
    """Raises ValueError on a letter that is none of the alphabet."""
    number, end = 0, len(text) % _STEP
    for start in range(end - _STEP, len(text), _STEP):  # the first block is what is left over, or empty
        part = 0
        for letter in text[max(start, 0) : start + _STEP]:
            if letter not in _VALUE:
                raise ValueError(f"invalid base58 character {letter!r}")
            part = part * 58 + _VALUE[letter]
        number = number * _BIG + part
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
