"""Attacks on buy, sell and cancel.

Each changes one account, signature, argument or moment of a call that works. Ids: the holes of seed-systems.md A4.
"""

from __future__ import annotations

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from domain.launchpad import curves
from tests.programs.lab import Sale, copied, latched, opened
from tests.programs.ledger import MILLION, START, Refused, call, find


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("sale", "wrongOwner"),
        ("mint", "wrongAddress"),
        ("vault", "wrongAddress"),
        ("tokenProgram", "wrongAddress"),
        ("position", "wrongAddress"),
        ("referral", "wrongAddress"),
    ],
)
def test_f01_every_account_of_a_buy_is_the_stored_one(name: str, refused: str) -> None:
    sale, buyer, into = latched()
    with pytest.raises(Refused, match=refused):
        sale.buy(buyer, 1, into=into, **{name: Pubkey.new_unique()})
    sale.register(sale.creator, None)
    sale.register(buyer, sale.creator.pubkey())  # with an upline a sale needs the position too
    with pytest.raises(Refused, match=refused):
        sale.sell(buyer, into, MILLION, **{name: Pubkey.new_unique()})
    real = sale.accounts(buyer.pubkey())[name]
    with pytest.raises(Refused, match=refused):
        sale.buy(buyer, 1, into=into, **{name: copied(sale, real)})


def test_account_kinds_cannot_stand_for_each_other() -> None:
    sale, buyer, into = latched()
    sale.register(buyer, None)
    position, referral = find(b"position", sale.key, buyer.pubkey()), find(b"referral", buyer.pubkey())
    for lies in ({"sale": position}, {"position": sale.key}, {"position": referral}, {"referral": position}):
        with pytest.raises(Refused, match="wrongKind"):
            sale.buy(buyer, 1, into=into, **lies)
    with pytest.raises(Refused, match="wrongKind"):
        sale.claim(buyer.pubkey(), into, position=sale.key)


def test_nobody_trades_on_anothers_position_or_chain() -> None:
    sale, buyer, into = latched()
    other = sale.ledger.wallet()
    sale.register(other, None)
    sale.buy(other, MILLION, into=into)
    with pytest.raises(Refused, match="wrongAddress"):
        sale.buy(buyer, 1, into=into, position=find(b"position", sale.key, other.pubkey()))
    with pytest.raises(Refused, match="wrongAddress"):
        sale.buy(buyer, 1, into=into, referral=find(b"referral", other.pubkey()))


def test_a_position_of_another_sale_is_refused() -> None:
    sale, buyer, into = latched()
    second = Sale(sale.ledger)
    second.mint_all()
    second.open()
    second.buy(buyer, MILLION)
    with pytest.raises(Refused, match="wrongAddress"):
        sale.claim(buyer.pubkey(), into, position=find(b"position", second.key, buyer.pubkey()))
    sale.ledger.set_time(START + 86_400)
    with pytest.raises(Refused, match="wrongAddress"):
        second.refund(buyer.pubkey(), position=find(b"position", sale.key, buyer.pubkey()))


def test_the_trader_signs() -> None:
    sale, buyer, into = latched()
    for name in ("buy", "sell"):
        step = call(
            name, sale.accounts(buyer.pubkey(), into), MILLION, 2**63 if name == "buy" else 0, unsigned=("trader",)
        )
        with pytest.raises(Refused, match="notSigner"):
            sale.ledger.send(step)


def test_selling_what_is_not_yours_fails_in_the_token_program() -> None:
    sale, _, into = latched()
    with pytest.raises(Refused):
        sale.sell(sale.ledger.wallet(), into, MILLION)


def test_the_vault_cannot_stand_for_a_traders_account() -> None:
    sale, buyer, _ = latched()
    with pytest.raises(Refused, match="sameAccount"):
        sale.buy(buyer, MILLION, into=sale.vault.pubkey())
    with pytest.raises(Refused, match="sameAccount"):
        sale.sell(buyer, sale.vault.pubkey(), MILLION)


def test_limits_hold_with_the_tax_in_them() -> None:
    sale, buyer, into = latched()
    before = sale.state()
    value = 10**9
    tokens = 1 + curves.max_affordable(sale.curve, before["sold"], value)
    with pytest.raises(Refused, match="tooDear"):
        sale.buy(buyer, tokens, value + value * 2 // 100, into=into)
    with pytest.raises(Refused, match="tooCheap"):
        sale.sell(buyer, into, tokens - 1, value * 98 // 100 + 1)
    assert sale.state() == before


def test_times_are_the_chains() -> None:
    sale = opened(startsAt=START + 10)
    buyer = sale.ledger.wallet()
    with pytest.raises(Refused, match="notStarted"):
        sale.buy(buyer, MILLION)
    sale.ledger.set_time(START + 10)
    sale.buy(buyer, MILLION)
    sale.ledger.set_time(START + 86_400)
    with pytest.raises(Refused, match="ended"):
        sale.buy(buyer, MILLION)


def test_sells_and_claims_wait_for_the_latch() -> None:
    sale = opened()
    buyer = sale.ledger.wallet()
    sale.buy(buyer, MILLION)
    into = sale.new_account(buyer.pubkey())
    with pytest.raises(Refused, match="notLatched"):
        sale.sell(buyer, into, MILLION)
    with pytest.raises(Refused, match="notLatched"):
        sale.claim(buyer.pubkey(), into)


def test_no_refund_after_the_latch_even_when_the_raise_fell_back() -> None:
    sale, buyer, into = latched()
    sale.sell(buyer, into, 150 * MILLION)
    assert sale.check()["raised"] == 0
    sale.ledger.set_time(START + 86_400)
    with pytest.raises(Refused, match="latched"):
        sale.refund(buyer.pubkey())
    with pytest.raises(Refused, match="alreadySold"):
        sale.ledger.send(call("cancelSale", sale.accounts()), signers=[sale.creator])


def test_only_the_creator_cancels() -> None:
    sale, thief = opened(), Keypair()
    with pytest.raises(Refused, match="wrongAddress"):
        sale.ledger.send(call("cancelSale", {**sale.accounts(), "creator": thief.pubkey()}), signers=[thief])
    with pytest.raises(Refused, match="notSigner"):
        sale.ledger.send(call("cancelSale", sale.accounts(), unsigned=("creator",)))


def test_the_limit_per_wallet_counts_every_buy() -> None:
    sale = opened(maxWallet=10 * MILLION)
    buyer = sale.ledger.wallet()
    sale.buy(buyer, 6 * MILLION)
    with pytest.raises(Refused, match="walletLimit"):
        sale.buy(buyer, 4 * MILLION + 1)
    sale.buy(buyer, 4 * MILLION)


def test_nothing_can_be_bought_for_nothing() -> None:
    sale = opened()
    with pytest.raises(Refused, match="nothingLeft"):
        sale.buy(sale.ledger.wallet(), 0)
