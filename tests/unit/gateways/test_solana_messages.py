"""Messages: what goes in comes out, and whatever a stranger sends is refused and nothing worse."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from domain.launchpad.transactions import Instruction, Meta, Plan
from domain.shared.errors import Broken, Rejected
from gateways.solana.messages import apart, compiled, read_signed, signatures_of, unsigned, with_signatures

PAYER, WITNESS = Keypair(), Keypair()
BLOCKHASH = str(Pubkey.new_unique())


def plan(data: bytes = b"hi", key: str = "pay") -> Plan:
    metas = (Meta(address=str(WITNESS.pubkey()), signer=True), Meta(address=str(Pubkey.new_unique()), writable=True))
    step = Instruction(program=str(Pubkey.new_unique()), accounts=metas, data=base64.b64encode(data).decode())
    return Plan(
        key=key, subject_kind="sale", subject_id="s", payer=str(PAYER.pubkey()), instructions=(step,), most_lamports=0
    )


MESSAGE = compiled(plan(), BLOCKHASH, limit=1_000, price=5)
SIGNED = with_signatures(MESSAGE, {str(key.pubkey()): str(key.sign_message(MESSAGE)) for key in (PAYER, WITNESS)})


def test_a_signed_message_is_read_back() -> None:
    found = read_signed(SIGNED)
    assert (found.message, found.raw) == (MESSAGE, SIGNED)
    assert found.valid == {str(PAYER.pubkey()), str(WITNESS.pubkey())} == plan().signers() | {str(PAYER.pubkey())}
    assert found.signature == signatures_of(SIGNED)[str(PAYER.pubkey())]


def test_a_place_that_is_empty_is_no_signature() -> None:
    half = with_signatures(MESSAGE, {str(WITNESS.pubkey()): str(WITNESS.sign_message(MESSAGE))})
    assert read_signed(half).valid == {str(WITNESS.pubkey())}
    assert read_signed(unsigned(MESSAGE)).valid == frozenset()
    assert signatures_of(unsigned(MESSAGE)) == {}


def test_what_is_too_large_is_a_defect_of_ours() -> None:
    with pytest.raises(Broken, match="are possible"):
        compiled(plan(bytes(1_200)), BLOCKHASH, limit=1, price=0)


def test_keys_set_plans_apart() -> None:
    assert len({apart(f"launch:{number}:mint") for number in range(50)}) > 45


@settings(max_examples=300)
@given(st.data())
def test_whatever_a_stranger_sends_is_refused_and_nothing_worse(data: st.DataObject) -> None:
    """A panic inside the library would be no Exception and end the process."""
    raw = bytearray(SIGNED)
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place] = data.draw(st.integers(0, 255))
    cut = bytes(raw)[: data.draw(st.integers(0, len(raw)))]
    for hostile in (bytes(raw), cut, data.draw(st.binary(max_size=200))):
        try:
            found = read_signed(hostile)
        except Rejected as refusal:
            assert refusal.code == "transaction_altered"  # noqa: PT017  (either way is right; a third is not)
        else:
            assert found.message != MESSAGE or hostile[129:] == SIGNED[129:]
            assert VersionedTransaction.from_bytes(hostile) is not None
