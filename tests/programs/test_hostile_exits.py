"""Attacks on claim, refund, the referral register, and the entry point.

Each changes one account, signature, argument or moment of a call that works. Ids: the holes of seed-systems.md A4.
"""

from __future__ import annotations

import struct

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from tests.programs.interface import LAUNCHPAD
from tests.programs.lab import Sale, copied, latched, opened
from tests.programs.ledger import MILLION, PROGRAM, SOL, START, SYSTEM, Ledger, Refused, call, find


def test_claims_go_to_the_recorded_buyer_once() -> None:
    sale = opened()
    buyer, thief = sale.ledger.wallet(), sale.ledger.wallet()
    sale.buy(buyer, 150 * MILLION)
    mine, theirs = sale.new_account(buyer.pubkey()), sale.new_account(thief.pubkey())
    with pytest.raises(Refused, match="wrongAddress"):
        sale.claim(buyer.pubkey(), theirs)
    with pytest.raises(Refused, match="wrongAddress"):
        sale.claim(buyer.pubkey(), sale.vault.pubkey())
    sale.claim(buyer.pubkey(), mine)
    with pytest.raises(Refused, match="nothingDue"):
        sale.claim(buyer.pubkey(), mine)
    assert sale.check()["held"] == 0


def test_refunds_go_to_the_recorded_buyer_once_even_inside_one_transaction() -> None:
    sale = opened()
    buyer, thief = sale.ledger.wallet(), sale.ledger.wallet()
    before = sale.ledger.lamports(buyer.pubkey())
    sale.buy(buyer, MILLION)
    sale.buy(sale.ledger.wallet(), MILLION)
    sale.ledger.set_time(START + 86_400)
    with pytest.raises(Refused, match="wrongAddress"):
        sale.refund(buyer.pubkey(), buyer=thief.pubkey())
    step = call("refund", sale.accounts(buyer.pubkey()))
    with pytest.raises(Refused, match="wrongOwner"):
        sale.ledger.send(step, step)
    position = find(b"position", sale.key, buyer.pubkey())
    revive = Instruction(
        SYSTEM,
        struct.pack("<IQ", 2, SOL),
        [AccountMeta(thief.pubkey(), True, True), AccountMeta(position, False, True)],
    )
    with pytest.raises(Refused, match="wrongOwner"):
        sale.ledger.send(step, revive, step, signers=[thief])
    sale.ledger.send(step, revive, signers=[thief])
    assert sale.position(buyer.pubkey()) is None
    assert sale.ledger.lamports(buyer.pubkey()) == before


def test_f21_chains_are_the_referrers_own_and_have_no_cycles() -> None:
    sale = Sale(Ledger())
    a, b, c = (sale.ledger.wallet() for _ in range(3))
    with pytest.raises(Refused, match="wrongOwner"):
        sale.register(b, a.pubkey())  # a is unknown
    with pytest.raises(Refused):
        sale.register(a, a.pubkey())
    sale.register(a, None)
    sale.register(b, a.pubkey())
    sale.register(c, b.pubkey())
    for who, other in ((a, c), (b, c), (c, a)):
        with pytest.raises(Refused, match="alreadyRegistered"):
            sale.register(who, other.pubkey())
    d = sale.ledger.wallet()
    with pytest.raises(Refused, match="wrongAddress"):
        sale.register(d, b.pubkey(), referral=Keypair().pubkey())
    accounts = {"user": d.pubkey(), "referral": find(b"referral", d.pubkey()), "systemProgram": SYSTEM}
    accounts["referrer"] = copied(sale, find(b"referral", a.pubkey()))
    with pytest.raises(Refused, match="wrongOwner"):
        sale.ledger.send(call("registerReferral", accounts), signers=[d])


@pytest.mark.parametrize("data", [b"", b"1234567", bytes(8), b"12345678" + bytes(40)])
def test_unknown_data_is_refused(data: bytes) -> None:
    with pytest.raises(Refused, match="badData"):
        Ledger().send(Instruction(PROGRAM, data, []))


@pytest.mark.parametrize("name", ["createSale", "cancelSale", "claim", "refund", "registerReferral", "buy", "sell"])
def test_missing_and_extra_accounts_are_refused(name: str) -> None:
    sale, buyer, into = latched()
    arguments = {"createSale": (sale.terms,), "buy": (1, 1), "sell": (1, 1)}.get(name, ())
    accounts = {**sale.accounts(buyer.pubkey(), into), "user": buyer.pubkey(), "referrer": SYSTEM}
    step = call(name, accounts, *arguments)
    signers = [buyer, sale.creator, sale.platform]
    for metas in (step.accounts[:-1], [*step.accounts, AccountMeta(SYSTEM, False, False)], []):
        with pytest.raises(Refused, match="badAccounts"):
            sale.ledger.send(Instruction(PROGRAM, step.data, metas), signers=signers)
    for data in (step.data[:-1] if arguments else step.data + b"\0", step.data + b"\0"):
        with pytest.raises(Refused, match="badData"):
            sale.ledger.send(Instruction(PROGRAM, data, step.accounts), signers=signers)


def test_a_flood_of_accounts_is_refused() -> None:
    metas = [AccountMeta(Pubkey.new_unique(), False, False) for _ in range(25)]
    with pytest.raises(Refused, match="badAccounts"):
        Ledger().send(Instruction(PROGRAM, LAUNCHPAD.call_data("cancelSale"), metas))


def test_read_only_accounts_are_refused_by_name() -> None:
    sale, buyer, into = latched()
    step = call("claim", sale.accounts(buyer.pubkey(), into))
    metas = [AccountMeta(meta.pubkey, meta.is_signer, False) for meta in step.accounts]
    with pytest.raises(Refused, match="notWritable"):
        sale.ledger.send(Instruction(PROGRAM, step.data, metas))


def test_f21_nobody_registers_another_even_when_the_rent_is_paid() -> None:
    """With the rent sent to the address beforehand nothing else would ask for the user's signature."""
    sale = Sale(Ledger())
    thief, victim = sale.ledger.wallet(), sale.ledger.wallet()
    sale.register(thief, None)
    theirs = find(b"referral", victim.pubkey())
    sale.ledger.svm.airdrop(theirs, SOL)
    accounts = {"user": victim.pubkey(), "referral": theirs, "referrer": find(b"referral", thief.pubkey())}
    step = call("registerReferral", {**accounts, "systemProgram": SYSTEM}, unsigned=("user",))
    with pytest.raises(Refused, match="notSigner"):
        sale.ledger.send(step)
