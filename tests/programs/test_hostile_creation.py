"""Attacks on the creation of a sale.

Each changes one account, signature, argument or moment of a call that works. Ids: the holes of seed-systems.md A4.
"""

from __future__ import annotations

from typing import Any

import pytest
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.rent import Rent

from tests.programs.lab import Sale, copied, opened
from tests.programs.ledger import FEE_BPS, MILLION, SOL, START, SYSTEM, TOKEN, TOKEN_2022, Ledger, Refused, call, find


@pytest.mark.parametrize("missing", ["creator", "platform"])
def test_f02_nobody_creates_for_another(missing: str) -> None:
    sale = Sale(Ledger())
    sale.mint_all()
    step = call("createSale", sale.accounts(), sale.terms, unsigned=(missing,))
    with pytest.raises(Refused, match="notSigner"):
        sale.ledger.send(step, signers=[sale.creator, sale.platform])


def test_f02_a_front_runner_cannot_take_the_supply() -> None:
    """His own sale has another address, and the vault belongs to ours."""
    sale, thief = Sale(Ledger()), Keypair()
    sale.mint_all()
    theirs = find(b"sale", sale.mint.pubkey(), thief.pubkey(), thief.pubkey())
    accounts = {**sale.accounts(), "creator": thief.pubkey(), "platform": thief.pubkey()}
    with pytest.raises(Refused, match="wrongAddress"):
        sale.ledger.send(call("createSale", accounts, sale.terms), signers=[thief])
    with pytest.raises(Refused, match="wrongVault"):
        sale.ledger.send(call("createSale", {**accounts, "sale": theirs}, sale.terms), signers=[thief])


def test_f28_the_same_sale_is_created_once() -> None:
    sale = opened()
    with pytest.raises(Refused, match="wrongOwner"):
        sale.open()


def test_a_mint_somebody_can_change_is_refused() -> None:
    for change in ({"authority_stays": True}, {"freezable": True}):
        sale = Sale(Ledger())
        sale.mint_all(**change)
        with pytest.raises(Refused, match="wrongMint"):
            sale.open()


@pytest.mark.parametrize(
    ("offset", "value"), [(170, b"\x07"), (170 + 32, b"\x07"), (170 + 88, b"\xf5\x01"), (166, b"\x0c")]
)
def test_a_token_2022_mint_with_power_left_is_refused(offset: int, value: bytes) -> None:
    """Fee authority, foreign collector of fees, 5.01 % fee, permanent delegate."""
    sale = Sale(Ledger(), TOKEN_2022, FEE_BPS)
    sale.mint_all()
    ledger, mint = sale.ledger, sale.mint.pubkey()
    raw = bytearray(ledger.data(mint))
    raw[offset : offset + len(value)] = value
    ledger.svm.set_account(mint, Account(ledger.lamports(mint), bytes(raw), TOKEN_2022))
    with pytest.raises(Refused, match="wrongMint"):
        sale.open()


def test_a_vault_that_is_not_whole_or_not_ours_is_refused() -> None:
    sale = Sale(Ledger())
    sale.mint_all(to=sale.ledger.payer.pubkey())
    with pytest.raises(Refused, match="wrongVault"):
        sale.open()
    whole = Sale(Ledger())
    whole.mint_all()
    with pytest.raises(Refused, match="wrongVault"):
        whole.open({"vault": whole.new_account(whole.key)})
    with pytest.raises(Refused, match="wrongOwner"):
        whole.open({"vault": copied(whole, whole.vault.pubkey())})


@pytest.mark.parametrize(("offset", "value"), [(72, 1), (129, 1), (108, 2)])
def test_a_vault_with_a_delegate_a_closer_or_frozen_is_refused(offset: int, value: int) -> None:
    sale = Sale(Ledger())
    sale.mint_all()
    raw = bytearray(sale.ledger.data(sale.vault.pubkey()))
    raw[offset] = value
    sale.ledger.svm.set_account(sale.vault.pubkey(), Account(10**7, bytes(raw), TOKEN))
    with pytest.raises(Refused, match="wrongVault"):
        sale.open()


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"taxBps": 501}, "badTerms"),
        ({"referralBps": 10_001}, "badTerms"),
        ({"softCap": 0}, "badTerms"),
        ({"softCap": 101 * SOL}, "badTerms"),
        ({"softCap": 90 * SOL}, "badTerms"),
        ({"hardCap": 10**17 + 1}, "badTerms"),
        ({"endsAt": START}, "badTerms"),
        ({"startsAt": 0}, "badTerms"),
        ({"endsAt": START - 1, "startsAt": START - 9}, "badTerms"),
        ({"endsAt": START + 367 * 86_400}, "badTerms"),
        ({"cliffSeconds": 2, "vestSeconds": 1}, "badTerms"),
        ({"vestSeconds": 2**63}, "badTerms"),
        ({"teamSupply": 201_000_000 * 10**6, "otherSupply": 149_000_000 * 10**6}, "badTerms"),
        ({"teamSupply": 2**64 - 1}, "badTerms"),
        ({"teamSupply": 0, "liquiditySupply": 2**64 - 1}, "badTerms"),
        ({"startsAt": START + 86_400}, "badTerms"),
        ({"otherSupply": 1}, "wrongMint"),
        ({"decimals": 7}, "wrongMint"),
        ({"shape": 3}, "badCurve"),
        ({"startPrice": 999}, "badCurve"),
        ({"startPrice": 300 * SOL}, "badCurve"),
        ({"targetPrice": 100 * SOL * 10_000 + 1}, "badCurve"),
        ({"targetPrice": 10 * 10**18 + 1, "startPrice": 10**18}, "badCurve"),
        ({"most": 0}, "wrongMost"),
        ({"most": 400 * MILLION - 1}, "wrongMost"),
        ({"most": 400 * MILLION + 1}, "wrongMost"),
        ({"hardCap": 79 * SOL}, "wrongMost"),
        ({"liquiditySupply": 180 * MILLION, "otherSupply": 270 * MILLION}, "cannotGraduate"),
    ],
)
def test_terms_beyond_the_limits_are_refused(change: dict[str, Any], refused: str) -> None:
    sale = Sale(Ledger())
    sale.mint_all()
    with pytest.raises(Refused, match=refused):
        sale.open(**change)


@pytest.mark.parametrize("name", ["marketing", "treasury", "rewards"])
def test_f17_the_tax_needs_its_recipients(name: str) -> None:
    sale = Sale(Ledger())
    sale.mint_all()
    with pytest.raises(Refused, match="badTerms"):
        sale.open({name: SYSTEM})
    sale.open()
    assert sale.state()[name] == sale.recipients[name]


def test_a_token_program_of_ones_own_is_refused() -> None:
    """Mint and vault as they should be, under a program that would lie about every transfer."""
    sale, own = Sale(Ledger()), Pubkey.new_unique()
    sale.mint_all()
    for key in (sale.mint.pubkey(), sale.vault.pubkey()):
        sale.ledger.svm.set_account(key, Account(SOL, sale.ledger.data(key), own))
    with pytest.raises(Refused, match="wrongAddress"):
        sale.open({"tokenProgram": own})
    with pytest.raises(Refused, match="wrongOwner"):
        sale.open()


@pytest.mark.parametrize("raw", [bytes(82), bytes(165), b"", bytes(81)])
def test_what_is_no_mint_is_refused(raw: bytes) -> None:
    sale = Sale(Ledger())
    sale.mint_all()
    sale.ledger.svm.set_account(sale.mint.pubkey(), Account(SOL, raw, TOKEN))
    with pytest.raises(Refused, match="wrongMint"):
        sale.open()


@pytest.mark.parametrize(
    ("offset", "value"), [(165, b"\x02"), (168, b"\xff\xff"), (168, b"\x10\x00")], ids=["kind", "too long", "too short"]
)
def test_a_token_2022_mint_with_broken_extensions_is_refused(offset: int, value: bytes) -> None:
    sale = Sale(Ledger(), TOKEN_2022, FEE_BPS)
    sale.mint_all()
    raw = bytearray(sale.ledger.data(sale.mint.pubkey()))
    raw[offset : offset + len(value)] = value
    sale.ledger.svm.set_account(sale.mint.pubkey(), Account(SOL, bytes(raw), TOKEN_2022))
    with pytest.raises(Refused, match="wrongMint"):
        sale.open()


_MEMO = b"\x08\x00\x01\x00\x01"


@pytest.mark.parametrize(
    ("extensions", "refused"),
    [
        (_MEMO + bytes(7), True),
        (b"\x02\x00\x08\x00" + bytes(8) + _MEMO, True),
        (b"\x02\x00\x08\x00" + bytes(8) + bytes(355 - 178), True),
        (b"\x02\x00\x08\x00" + bytes(8) + b"\x07\x00\x00\x00", False),
    ],
    ids=["memo", "fee and memo", "a multisig's size", "fee and immutable owner"],
)
def test_a_vault_that_can_refuse_transfers_is_refused(extensions: bytes, refused: bool) -> None:
    """A memo that every transfer into it must carry would make each sell fail."""
    sale = Sale(Ledger(), TOKEN_2022, FEE_BPS)
    sale.mint_all()
    key = sale.vault.pubkey()
    raw = sale.ledger.data(key)[:166] + extensions
    sale.ledger.svm.set_account(key, Account(SOL, raw, TOKEN_2022))
    if refused:
        with pytest.raises(Refused, match="wrongVault"):
            sale.open()
    else:
        sale.open()


def test_a_classic_vault_has_no_extensions() -> None:
    sale = Sale(Ledger())
    sale.mint_all()
    key = sale.vault.pubkey()
    sale.ledger.svm.set_account(key, Account(SOL, sale.ledger.data(key) + b"\x02" + bytes(12), TOKEN))
    with pytest.raises(Refused, match="wrongVault"):
        sale.open()


def test_a_mints_metadata_is_in_the_mint() -> None:
    """What stands in somebody's own account could be another name tomorrow."""
    sale = Sale(Ledger(), TOKEN_2022, FEE_BPS)
    sale.mint_all()
    ledger, mint = sale.ledger, sale.mint.pubkey()
    raw = ledger.data(mint)

    def points_at(key: Pubkey) -> None:
        pointer = b"\x12\x00\x40\x00" + bytes(32) + bytes(key)
        ledger.svm.set_account(mint, Account(SOL, raw + pointer, TOKEN_2022))

    points_at(Pubkey.new_unique())
    with pytest.raises(Refused, match="wrongMint"):
        sale.open()
    points_at(mint)
    sale.open()


@pytest.mark.parametrize(("per_byte", "threshold"), [(3_480, 2.0), (6_960, 1.0), (3_480, 1.0)])
def test_the_rent_is_what_the_chain_says(per_byte: int, threshold: float) -> None:
    sale = Sale(Ledger())
    sale.mint_all()
    sale.ledger.svm.set_rent(Rent(per_byte, threshold, 50))
    sale.open()
    assert sale.state()["rent"] == (128 + 608) * int(per_byte * threshold) == sale.ledger.lamports(sale.key)
