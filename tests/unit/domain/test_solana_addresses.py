"""Solana's addresses as text: which are ones, and to which a key may belong."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from domain.launchpad.addresses import on_curve
from domain.shared.base58 import encode


@given(st.binary(min_size=32, max_size=32))
def test_on_the_curve_is_what_solana_takes_for_it(raw: bytes) -> None:
    assert on_curve(encode(raw)) == Pubkey.from_bytes(raw).is_on_curve()


def test_wallets_are_and_what_programs_derive_is_not() -> None:
    for number in range(20):
        wallet = Keypair.from_seed(bytes([number]) * 32).pubkey()
        assert on_curve(str(wallet))
        assert not on_curve(str(Pubkey.find_program_address([b"vault", bytes(wallet)], wallet)[0]))
    for odd in (bytes(32), b"\x01" + bytes(31), b"\xff" * 32, (2**255 - 19).to_bytes(32, "little")):
        assert on_curve(encode(odd)) == Pubkey.from_bytes(odd).is_on_curve()
