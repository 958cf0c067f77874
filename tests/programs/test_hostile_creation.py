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

from programs.interface import tag
from tests.programs.lab import Sale, copied, opened
from tests.programs.ledger import MILLION, POOL_PROGRAM, SOL, START, SYSTEM, Ledger, Refused, call, find


@pytest.mark.parametrize("missing", ["creator", "platform"])
def test_f02_nobody_creates_for_another(missing: str) -> None:
    sale = Sale(Ledger())
    sale.mint_all()
    step = call("createSale", sale.accounts(), sale.terms, unsigned=(missing,))
    with pytest.raises(Refused, match="notSigner"):
        sale.ledger.send(step, signers=[sale.creator, sale.platform])


def test_whoever_pays_for_a_sale_signs() -> None:
    sale = Sale(Ledger())
    sale.mint_all()
    accounts = {**sale.accounts(), "payer": sale.ledger.wallet().pubkey()}
    step = call("createSale", accounts, sale.terms, unsigned=("payer",))
    with pytest.raises(Refused, match="notSigner"):
        sale.ledger.send(step, signers=[sale.creator, sale.platform])


@pytest.mark.parametrize(
    "raw", [tag("account", "PoolState") + bytes(228), tag("account", "AmmConfig"), tag("account", "AmmConfig") + b"\0"]
)
def test_what_is_no_configuration_of_pools_is_refused(raw: bytes) -> None:
    """Accounts of the pool program all the same: another kind, and too small to say whether it is closed."""
    sale, config = Sale(Ledger()), Pubkey.new_unique()
    sale.mint_all()
    sale.ledger.svm.set_account(config, Account(SOL, raw, POOL_PROGRAM))
    with pytest.raises(Refused, match="badPool"):
        sale.open({"ammConfig": config})


def cancelling(sale: Sale, /, **lies: Pubkey) -> None:
    sale.ledger.send(call("cancelSale", {**sale.accounts(), **lies}), signers=[sale.creator])


def test_only_a_sale_is_cancelled() -> None:
    sale = opened()
    buyer = sale.ledger.wallet()
    with pytest.raises(Refused, match="wrongOwner"):
        cancelling(sale, sale=copied(sale, sale.key))
    sale.buy(buyer, MILLION)
    with pytest.raises(Refused, match="wrongKind"):
        cancelling(sale, sale=find(b"position", sale.key, buyer.pubkey()))


def test_a_sale_is_cancelled_once() -> None:
    sale = opened()
    cancelling(sale)
    with pytest.raises(Refused, match="notActive"):
        cancelling(sale)


def test_a_sale_that_took_no_tax_is_not_cancelled_over_its_buyers() -> None:
    sale = opened(taxBps=0)
    sale.buy(sale.ledger.wallet(), MILLION)
    with pytest.raises(Refused, match="alreadySold"):
        cancelling(sale)


def test_a_sale_that_latched_is_not_cancelled_though_all_came_back() -> None:
    sale = opened(taxBps=0)
    buyer = sale.ledger.wallet()
    sale.buy(buyer, 150 * MILLION)
    into = sale.new_account(buyer.pubkey())
    sale.claim(buyer.pubkey(), into)
    sale.sell(buyer, into, 150 * MILLION)
    now = sale.state()
    assert (now["sold"], now["taxTotal"], now["latched"]) == (0, 0, 1)
    with pytest.raises(Refused, match="alreadySold"):
        cancelling(sale)


def test_a_sale_that_was_refunded_was_not_cancelled() -> None:
    """Nothing is sold any more, but something was."""
    sale = opened()
    buyer = sale.ledger.wallet()
    sale.buy(buyer, MILLION)
    sale.ledger.set_time(sale.terms["endsAt"])
    sale.refund(buyer.pubkey())
    assert sale.state()["sold"] == 0
    with pytest.raises(Refused, match="alreadySold"):
        cancelling(sale)


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


@pytest.mark.parametrize(("per_byte", "threshold"), [(3_480, 2.0), (6_960, 1.0), (3_480, 1.0)])
def test_the_rent_is_what_the_chain_says(per_byte: int, threshold: float) -> None:
    sale = Sale(Ledger())
    sale.mint_all()
    sale.ledger.svm.set_rent(Rent(per_byte, threshold, 50))
    sale.open()
    assert sale.state()["rent"] == (128 + 608) * int(per_byte * threshold) == sale.ledger.lamports(sale.key)
