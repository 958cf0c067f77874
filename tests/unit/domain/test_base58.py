"""Base58 against the simple way: one letter at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.shared.base58 import ALPHABET, decode, encode


def simply(text: str) -> bytes:
    number = 0
    for letter in text:
        number = number * 58 + ALPHABET.index(letter)
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


@given(st.text(ALPHABET, max_size=64))
def test_blocks_of_letters_are_the_letters(text: str) -> None:
    assert decode(text) == simply(text)


@given(st.binary(max_size=300), st.integers(0, 12))
def test_what_is_written_is_read(data: bytes, zeros: int) -> None:
    whole = bytes(zeros) + data
    assert decode(encode(whole)) == whole
    assert encode(whole).startswith("1" * zeros)


@pytest.mark.parametrize("letter", "0OIl +\n\u00e9")
@pytest.mark.parametrize("place", [0, 1, 9, 10, 11, 22])
def test_other_letters_are_none(letter: str, place: int) -> None:
    with pytest.raises(ValueError, match="invalid base58 character"):
        decode("2" * place + letter + "2" * (22 - place))
