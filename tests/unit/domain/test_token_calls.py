"""The bytes of an ERC-20 transfer, and the proof that exactly that transfer happened."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from domain.exchange.messages import TransferLog
from domain.exchange.tokens import TRANSFER_SELECTOR, decode_transfer, encode_transfer, proves_transfer

TOKEN, SENDER, TARGET, OTHER = ("0x" + pair * 20 for pair in ("11", "22", "33", "44"))
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())


def log(to: str = TARGET, amount: int = 5, token: str = TOKEN, sender: str = SENDER, ordinal: int = 0) -> TransferLog:
    return TransferLog(
        chain_id=1, tx_hash="0x1", log_index=ordinal, log_ordinal=ordinal, block_number=1, block_hash="0xb",
        token=token, from_address=sender, to_address=to, amount=amount,
    )  # fmt: skip


def test_the_selector_is_the_standards() -> None:
    assert keccak(b"transfer(address,uint256)")[:4] == TRANSFER_SELECTOR


@given(addresses, st.integers(0, 2**256 - 1))
def test_bytes_are_those_of_the_abi_and_read_back(to: str, amount: int) -> None:
    data = encode_transfer(to, amount)
    assert data == TRANSFER_SELECTOR + encode(["address", "uint256"], [to, amount])
    assert decode_transfer(data) == (to, amount)


@pytest.mark.parametrize("amount", [-1, 2**256])
def test_an_amount_that_does_not_fit_is_refused(amount: int) -> None:
    with pytest.raises(OverflowError):
        encode_transfer(TARGET, amount)


@given(st.binary(max_size=80))
def test_other_bytes_are_not_a_transfer(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode_transfer(data)


def test_dirty_address_bytes_are_not_a_transfer() -> None:
    data = bytearray(encode_transfer(TARGET, 5))
    data[4] = 1
    with pytest.raises(ValueError):
        decode_transfer(bytes(data))


def test_approve_is_not_a_transfer() -> None:
    data = keccak(b"approve(address,uint256)")[:4] + encode_transfer(TARGET, 5)[4:]
    with pytest.raises(ValueError):
        decode_transfer(data)


@pytest.mark.parametrize(
    ("logs", "proved"),
    [
        ([log()], True),
        ([log(), log(token=OTHER, ordinal=1)], True),
        ([log(sender=OTHER, ordinal=0), log(ordinal=1)], True),
        ([], False),
        ([log(amount=4)], False),
        ([log(amount=6)], False),
        ([log(to=OTHER)], False),
        ([log(token=OTHER)], False),
        ([log(sender=OTHER)], False),
        ([log(), log(ordinal=1)], False),
        ([log(), log(to=OTHER, amount=1, ordinal=1)], False),
        ([log(amount=4), log(amount=1, to=OTHER, ordinal=1)], False),
    ],
    ids=[
        "exactly", "other token beside it", "other sender beside it", "nothing", "less (fee on transfer)", "more",
        "elsewhere", "another token", "another sender", "twice", "and a fee on top", "split by the token",
    ],
)  # fmt: skip
def test_a_transfer_is_proved_by_its_own_log_alone(logs: list[TransferLog], proved: bool) -> None:
    assert proves_transfer(logs, TOKEN, SENDER, encode_transfer(TARGET, 5)) is proved
