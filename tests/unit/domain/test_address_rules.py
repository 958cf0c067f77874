"""EIP-55, and where money may not go."""

from __future__ import annotations

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from domain.exchange.addresses import ZERO, check_destination, checksum, parse_address
from domain.shared.errors import Rejected

EIP_55 = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]
"""The vectors of the standard itself: two all-upper, two all-lower, four mixed."""


@pytest.mark.parametrize("address", EIP_55)
def test_the_standards_vectors(address: str) -> None:
    assert checksum(address.lower(), keccak) == address
    assert parse_address(address, keccak) == address.lower()


@pytest.mark.parametrize("address", EIP_55[4:])
def test_without_case_there_is_no_checksum_to_match(address: str) -> None:
    assert parse_address(address.lower(), keccak) == address.lower()
    assert parse_address("0x" + address[2:].upper(), keccak) == address.lower()


@given(st.sampled_from(EIP_55[4:]), st.integers(2, 41), st.sampled_from("0123456789abcdefABCDEF"))
def test_a_wrong_digit_or_case_is_refused(address: str, position: int, digit: str) -> None:
    changed = address[:position] + digit + address[position + 1 :]
    if changed == address:
        return
    if checksum(changed, keccak) == changed:
        return  # one in millions; none of these
    with pytest.raises(Rejected) as refused:
        parse_address(changed, keccak)
    assert refused.value.code == "invalid_address"


@pytest.mark.parametrize(
    "text",
    [
        "", "0x", "52908400098527886E0F7030069857D2E4169EE7", "0x" + "1" * 39, "0x" + "1" * 41, "0x" + "g" * 40,
        "0X" + "1" * 40, " 0x" + "1" * 40, "0x" + "1" * 40 + "\n", "0x" + "１" * 40, "vitalik.eth", "0x" + "1" * 4_000,
    ],
)  # fmt: skip
def test_other_texts_are_not_addresses(text: str) -> None:
    with pytest.raises(Rejected) as refused:
        parse_address(text, keccak)
    assert refused.value.code == "invalid_address"
    assert len(refused.value.detail) < 150


@given(st.binary(min_size=20, max_size=20))
def test_d14_a_checksummed_address_is_accepted_as_lower_case(raw: bytes) -> None:
    address = "0x" + raw.hex()
    assert parse_address(checksum(address, keccak), keccak) == address


def test_destinations_that_lose_money_are_refused() -> None:
    token = "0x" + "11" * 20
    for address in (ZERO, token):
        with pytest.raises(Rejected) as refused:
            check_destination(address, frozenset({token}))
        assert refused.value.code == "destination_not_allowed"
    check_destination("0x" + "22" * 20, frozenset({token}))
