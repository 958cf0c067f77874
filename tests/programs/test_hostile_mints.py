"""Mints and vaults a sale must not accept, each an honest one with a few bytes changed.

The token programs write none of the ill-formed ones; the program does not rely on that.
"""

from __future__ import annotations

import pytest
from solders.account import Account
from solders.pubkey import Pubkey

from tests.programs.lab import Sale
from tests.programs.ledger import FEE_BPS, SOL, TOKEN, TOKEN_2022, Ledger, Refused

FEE_AT = 170
"""Where the fee's configuration begins: authority, who collects, withheld; then the rate now and the next."""
FIVE_PERCENT_AND_MORE = b"\xf5\x01"
POINTER, METADATA, DELEGATE = b"\x12\x00", b"\x13\x00", b"\x0c\x00"
SOMEBODY = bytes(range(32))


def fresh(program: Pubkey = TOKEN_2022) -> Sale:
    sale = Sale(Ledger(), program, FEE_BPS if program == TOKEN_2022 else 0)
    sale.mint_all()
    return sale


def rewritten(sale: Sale, key: Pubkey, changes: dict[int, bytes], behind: bytes = b"", size: int | None = None) -> None:
    """The account with `changes` at their offsets, `behind` added, cut to `size`."""
    raw = bytearray(sale.ledger.data(key) + behind)
    for offset, value in changes.items():
        raw[offset : offset + len(value)] = value
    sale.ledger.svm.set_account(key, Account(SOL, bytes(raw[:size]), sale.token_program))


def refused(sale: Sale, name: str) -> None:
    with pytest.raises(Refused, match=name):
        sale.open()


def test_a_mint_somebody_can_change_is_refused() -> None:
    for change in ({"authority_stays": True}, {"freezable": True}):
        sale = Sale(Ledger())
        sale.mint_all(**change)
        with pytest.raises(Refused, match="wrongMint"):
            sale.open()


_MEMO = b"\x08\x00\x01\x00\x01"


def test_a_classic_vault_has_no_extensions() -> None:
    sale = Sale(Ledger())
    sale.mint_all()
    key = sale.vault.pubkey()
    sale.ledger.svm.set_account(key, Account(SOL, sale.ledger.data(key) + b"\x02" + bytes(12), TOKEN))
    with pytest.raises(Refused, match="wrongVault"):
        sale.open()


@pytest.mark.parametrize(
    "changes",
    [
        {FEE_AT: b"\x07"},
        {FEE_AT + 32: b"\x07"},
        {FEE_AT + 88: FIVE_PERCENT_AND_MORE, FEE_AT + 106: FIVE_PERCENT_AND_MORE},
        {FEE_AT + 106: b"\x63"},
        {FEE_AT + 98: b"\x63"},
        {166: DELEGATE},
    ],
    ids=["authority", "collector", "5.01 %", "another rate later", "another most later", "permanent delegate"],
)
def test_a_mint_with_power_left_is_refused(changes: dict[int, bytes]) -> None:
    sale = fresh()
    rewritten(sale, sale.mint.pubkey(), changes)
    refused(sale, "wrongMint")


@pytest.mark.parametrize(
    ("changes", "behind"),
    [
        ({165: b"\x02"}, b""),
        ({168: b"\xff\xff"}, b""),
        ({168: b"\x10\x00"}, b""),
        ({168: b"\x6d\x00"}, b"\x00"),
        ({}, METADATA + b"\x10\x00" + bytes(16)),
        ({}, METADATA + b"\x41\x00" + bytes(64)),
        ({}, POINTER + b"\x40\x00" + SOMEBODY + b"MINT"),
        ({}, POINTER + b"\x40\x00" + bytes(32) + SOMEBODY),
        ({}, POINTER + b"\x60\x00" + bytes(32) + b"MINT" + bytes(32)),
        ({}, METADATA + b"\x40\x00" + SOMEBODY + bytes(32)),
    ],
    ids=["kind", "too long", "too short", "a byte too long", "no authority", "over the end", "pointer's authority",
         "points elsewhere", "pointer too long", "metadata's authority"],
)  # fmt: skip
def test_a_mint_with_other_extensions_is_refused(changes: dict[int, bytes], behind: bytes) -> None:
    sale = fresh()
    rewritten(sale, sale.mint.pubkey(), changes, behind.replace(b"MINT", bytes(sale.mint.pubkey())))
    refused(sale, "wrongMint")


def test_a_mints_metadata_is_in_the_mint() -> None:
    """What stands in somebody's own account could be another name tomorrow."""
    sale = fresh()
    named = POINTER + b"\x40\x00" + bytes(32) + bytes(sale.mint.pubkey()) + METADATA + b"\x40\x00" + bytes(64)
    rewritten(sale, sale.mint.pubkey(), {}, named)
    sale.open()


@pytest.mark.parametrize("raw", [bytes(82), bytes(165), b"", bytes(81)])
def test_what_is_no_mint_is_refused(raw: bytes) -> None:
    sale = fresh(TOKEN)
    sale.ledger.svm.set_account(sale.mint.pubkey(), Account(SOL, raw, TOKEN))
    refused(sale, "wrongMint")


@pytest.mark.parametrize(
    ("changes", "behind", "size"),
    [({45: b"\x00"}, b"", None), ({}, bytes(83), 165), ({}, b"", 81)],
    ids=["not made", "a token account that looks like one", "too small"],
)
def test_what_only_looks_like_a_mint_is_refused(changes: dict[int, bytes], behind: bytes, size: int | None) -> None:
    sale = fresh(TOKEN)
    rewritten(sale, sale.mint.pubkey(), changes, behind, size)
    refused(sale, "wrongMint")


@pytest.mark.parametrize(
    "changes",
    [{72: b"\x01"}, {129: b"\x01"}, {108: b"\x02"}, {0: SOMEBODY}],
    ids=["delegate", "closer", "frozen", "of another mint"],
)
def test_a_vault_somebody_has_power_over_is_refused(changes: dict[int, bytes]) -> None:
    sale = fresh(TOKEN)
    rewritten(sale, sale.vault.pubkey(), changes)
    refused(sale, "wrongVault")


MEMO = b"\x08\x00\x01\x00\x01"
FEE_AMOUNT = b"\x02\x00\x08\x00" + bytes(8)
IMMUTABLE = b"\x07\x00\x00\x00"


@pytest.mark.parametrize(
    ("kind", "extensions"),
    [
        (2, MEMO + bytes(7)),
        (2, FEE_AMOUNT + MEMO),
        (2, FEE_AMOUNT + bytes(355 - 178)),
        (1, FEE_AMOUNT),
        (2, FEE_AMOUNT + IMMUTABLE + b"\x00"),
    ],
    ids=["memo", "fee and memo", "a multisig's size", "a mint's", "a byte too long"],
)
def test_a_vault_that_can_refuse_transfers_is_refused(kind: int, extensions: bytes) -> None:
    """A memo that every transfer into it must carry would make each sell fail."""
    sale = fresh()
    rewritten(sale, sale.vault.pubkey(), {165: bytes([kind]) + extensions}, bytes(200), 166 + len(extensions))
    refused(sale, "wrongVault")


def test_a_vault_with_what_an_associated_account_has_is_accepted() -> None:
    sale = fresh()
    rewritten(sale, sale.vault.pubkey(), {166: FEE_AMOUNT + IMMUTABLE}, bytes(20), 182)
    sale.open()
