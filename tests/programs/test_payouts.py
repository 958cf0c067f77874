"""Trade, accrue, settle, claim: the whole way of the tax, and the attempts to divert it (F-17, F-22, F-23, F-24)."""

from __future__ import annotations

from typing import Any

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.rent import Rent
from solders.transaction_metadata import TransactionMetadata

from domain.launchpad import trade_tax
from tests.programs.interface import LAUNCHPAD
from tests.programs.lab import Sale, opened
from tests.programs.ledger import MILLION, SYSTEM, Refused, call, find


def chained(levels: int) -> tuple[Sale, list[Keypair]]:
    """A latched sale whose buyer, the last wallet, has so many uplines, nearest first before him."""
    sale = opened()
    chain = [sale.ledger.wallet() for _ in range(levels + 1)]
    for index, member in enumerate(chain):
        sale.register(member, chain[index - 1].pubkey() if index else None)
    sale.buy(chain[-1], 150 * MILLION)
    return sale, chain


def settle_step(sale: Sale, chain: list[Keypair], /, **lies: Pubkey) -> Instruction:
    who = chain[-1].pubkey()
    accounts = {"sale": sale.key, "position": find(b"position", sale.key, who), "referral": find(b"referral", who)}
    uplines = [find(b"referral", member.pubkey()) for member in reversed(chain[:-1])][:5]
    accounts |= {f"upline{level + 1}": key for level, key in enumerate([*uplines, *[SYSTEM] * (5 - len(uplines))])}
    return call("settleReferral", {**accounts, **lies})


def claim_referral(sale: Sale, who: Keypair, of: Pubkey | None = None) -> TransactionMetadata:
    accounts = {"user": who.pubkey(), "referral": find(b"referral", of or who.pubkey())}
    return sale.ledger.send(call("claimReferral", accounts), signers=[who])


def referral(sale: Sale, who: Keypair) -> dict[str, Any]:
    return LAUNCHPAD.read_account("Referral", sale.ledger.data(find(b"referral", who.pubkey())))


@pytest.mark.parametrize("levels", [1, 3, 5, 7])
def test_f23_f24_uplines_receive_exactly_what_was_accrued(levels: int) -> None:
    sale, chain = chained(levels)
    tax, due = sale.state()["taxTotal"], sale.state()["referralDue"]
    shares = trade_tax.split(tax, min(levels, 5)).referral
    assert sum(shares) == due
    sale.ledger.send(settle_step(sale, chain))
    assert sale.check()["referralDue"] == 0
    for share, member in zip(shares, reversed(chain[:-1]), strict=False):
        assert (referral(sale, member)["pending"], referral(sale, member)["earned"]) == (share, share)
        before = sale.ledger.lamports(member.pubkey())
        claim_referral(sale, member)
        assert sale.ledger.lamports(member.pubkey()) - before == share
        with pytest.raises(Refused, match="nothingDue"):
            claim_referral(sale, member)
    for beyond in chain[: max(0, levels - 5)]:
        assert referral(sale, beyond)["earned"] == 0
    with pytest.raises(Refused, match="nothingDue"):
        sale.ledger.send(settle_step(sale, chain))


def test_f22_shares_cannot_be_diverted_or_claimed_for_another() -> None:
    sale, chain = chained(2)
    thief = sale.ledger.wallet()
    sale.register(thief, None)
    theirs = find(b"referral", thief.pubkey())
    for name, refused in (("upline1", "wrongAddress"), ("upline2", "wrongAddress"), ("referral", "wrongAddress")):
        with pytest.raises(Refused, match=refused):
            sale.ledger.send(settle_step(sale, chain, **{name: theirs}))
    with pytest.raises(Refused, match="wrongKind"):
        sale.ledger.send(settle_step(sale, chain, upline1=sale.key))
    with pytest.raises(Refused, match="wrongOwner"):
        sale.ledger.send(settle_step(sale, chain, upline2=thief.pubkey()))
    sale.ledger.send(settle_step(sale, chain))
    with pytest.raises(Refused, match="wrongAddress"):
        claim_referral(sale, thief, of=chain[1].pubkey())
    step = call(
        "claimReferral",
        {"user": chain[1].pubkey(), "referral": find(b"referral", chain[1].pubkey())},
        unsigned=("user",),
    )
    with pytest.raises(Refused, match="notSigner"):
        sale.ledger.send(step)


def distribute(sale: Sale, **lies: Pubkey) -> TransactionMetadata:
    return sale.ledger.send(call("distribute", {**sale.accounts(), **lies}))


def test_the_tax_goes_to_the_stored_addresses_once() -> None:
    sale, _ = chained(2)
    due, before = sale.state(), {name: sale.ledger.lamports(key) for name, key in sale.recipients.items()}
    distribute(sale)
    for name, key in sale.recipients.items():
        assert sale.ledger.lamports(key) - before[name] == due[f"{name}Due"] > 0
    now = sale.check()
    assert now["burnDue"] == due["burnDue"] > 0
    assert now["taxHeld"] == now["burnDue"] + now["referralDue"]
    with pytest.raises(Refused, match="nothingDue"):
        distribute(sale)


@pytest.mark.parametrize("name", ["marketing", "treasury", "rewards"])
def test_f17_the_tax_cannot_be_sent_elsewhere(name: str) -> None:
    sale, chain = chained(1)
    with pytest.raises(Refused, match="wrongAddress"):
        distribute(sale, **{name: chain[0].pubkey()})


def test_nothing_is_paid_out_before_the_latch() -> None:
    sale = opened()
    chain = [sale.ledger.wallet(), sale.ledger.wallet()]
    sale.register(chain[0], None)
    sale.register(chain[1], chain[0].pubkey())
    sale.buy(chain[1], MILLION)
    for step in (settle_step(sale, chain), call("distribute", sale.accounts())):
        with pytest.raises(Refused, match="notLatched"):
            sale.ledger.send(step)


def test_what_an_upline_earned_is_paid_though_the_rent_is_told_otherwise() -> None:
    sale, chain = chained(1)
    sale.ledger.send(settle_step(sale, chain))
    pending = referral(sale, chain[0])["pending"]
    sale.ledger.svm.set_rent(Rent(6_960, 1.0, 50))
    before = sale.ledger.lamports(chain[0].pubkey())
    claim_referral(sale, chain[0])
    assert sale.ledger.lamports(chain[0].pubkey()) - before == pending > 0
