"""The launch program as a buyer meets it: create, buy, latch, claim, sell, close, refund."""

from __future__ import annotations

import pytest

from domain.launchpad import curves
from domain.launchpad.curves import Shape
from tests.programs.lab import opened
from tests.programs.ledger import FEE_BPS, MILLION, SOL, START, TOKEN, TOKEN_2022, Refused, call, events, find


def tax_of(value: int) -> int:
    return -(-value * 200 // 10_000)


@pytest.mark.parametrize("shape", Shape)
def test_a_sale_runs_from_first_buy_to_close(shape: Shape) -> None:
    sale = opened(shape=int(shape))
    ledger, buyer = sale.ledger, sale.ledger.wallet()
    tokens = 150 * MILLION
    cost = curves.cost(sale.curve, 0, tokens)
    before = ledger.lamports(buyer.pubkey())
    ((name, told),) = events(sale.buy(buyer, tokens, cost + tax_of(cost)))
    rent = ledger.lamports(find(b"position", sale.key, buyer.pubkey()))
    assert before - ledger.lamports(buyer.pubkey()) == cost + tax_of(cost) + rent
    assert (name, told["tokens"], told["value"], told["tax"]) == ("Traded", tokens, cost, tax_of(cost))
    assert (told["latched"], told["closed"]) == (True, False)
    assert sale.check()["held"] == tokens

    into = sale.new_account(buyer.pubkey())
    sale.claim(buyer.pubkey(), into)
    assert ledger.tokens(into) == tokens
    sale.buy(buyer, MILLION, into=into)
    assert ledger.tokens(into) == tokens + MILLION
    assert sale.check()["held"] == 0

    before = ledger.lamports(buyer.pubkey())
    value = curves.revenue(sale.curve, tokens + MILLION, 50 * MILLION)
    sale.sell(buyer, into, 50 * MILLION, value - tax_of(value))
    assert ledger.lamports(buyer.pubkey()) - before == value - tax_of(value)
    assert sale.check()["sold"] == tokens + MILLION - 50 * MILLION

    ((_, told),) = events(sale.buy(buyer, 2**63, into=into))
    assert told["closed"]
    now = sale.check()
    assert now["sold"] == sale.terms["most"]
    assert ledger.tokens(into) == sale.terms["most"]
    with pytest.raises(Refused, match="notActive"):
        sale.buy(buyer, 1, into=into)
    with pytest.raises(Refused, match="notActive"):
        sale.sell(buyer, into, 1)


def test_the_hard_cap_clips_the_last_buy() -> None:
    sale = opened(hardCap=30 * SOL)
    buyer = sale.ledger.wallet()
    sale.buy(buyer, 2**64 - 1)
    now = sale.check()
    assert (now["sold"], now["raised"], now["status"]) == (200 * MILLION, 30 * SOL, 1)


def test_below_the_soft_cap_everybody_gets_everything_back_once() -> None:
    sale = opened()
    ledger, buyers = sale.ledger, [sale.ledger.wallet() for _ in range(5)]
    before = [ledger.lamports(buyer.pubkey()) for buyer in buyers]
    for index, buyer in enumerate(buyers * 2):
        sale.buy(buyer, (index + 1) * MILLION // 7)
    assert not sale.check()["latched"]
    for buyer in buyers:
        with pytest.raises(Refused, match="notEnded"):
            sale.refund(buyer.pubkey())
    ledger.set_time(START + 86_400)
    for buyer in reversed(buyers):
        sale.refund(buyer.pubkey())
        with pytest.raises(Refused, match="wrongOwner"):
            sale.refund(buyer.pubkey())
    assert [ledger.lamports(buyer.pubkey()) for buyer in buyers] == before
    now = sale.state()
    assert [now[name] for name in ("sold", "raised", "held", "taxHeld")] == [0, 0, 0, 0]
    assert ledger.lamports(sale.key) == now["rent"]
    assert ledger.tokens(sale.vault.pubkey()) == sale.supply


def test_a_transfer_fee_lowers_what_returns_never_what_is_owed() -> None:
    sale = opened(TOKEN_2022, FEE_BPS)
    ledger, buyer = sale.ledger, sale.ledger.wallet()
    sale.buy(buyer, 150 * MILLION)
    into = sale.new_account(buyer.pubkey())
    sale.claim(buyer.pubkey(), into)
    sale.buy(buyer, 100 * MILLION, into=into)
    arrived = 250 * MILLION * 99 // 100
    assert ledger.tokens(into) == arrived
    ((_, told),) = events(sale.sell(buyer, into, 100 * MILLION))
    assert told["tokens"] == 99 * MILLION
    assert told["value"] == curves.revenue(sale.curve, 250 * MILLION, 99 * MILLION)
    assert sale.check()["sold"] == 151 * MILLION
    assert ledger.tokens(sale.vault.pubkey()) == sale.supply - 151 * MILLION


@pytest.mark.parametrize("levels", range(6))
def test_tax_splits_to_the_lamport_with_any_upline(levels: int) -> None:
    sale = opened()
    chain = [sale.ledger.wallet() for _ in range(levels)]
    for index, member in enumerate(chain):
        sale.register(member, chain[index - 1].pubkey() if index else None)
    buyer = sale.ledger.wallet()
    sale.register(buyer, chain[-1].pubkey() if chain else None)
    cost = curves.cost(sale.curve, 0, 7 * MILLION + 13)
    sale.buy(buyer, 7 * MILLION + 13)
    now, position = sale.check(), sale.position(buyer.pubkey())
    assert position is not None
    tax = tax_of(cost)
    pool = tax * 2_500 // 10_000
    earned = [pool * share // 100 if level < levels else 0 for level, share in enumerate((40, 20, 15, 15, 10))]
    rest = tax - sum(earned)
    assert position["earned"] == earned
    assert now["referralDue"] == sum(earned)
    assert [now[f"{part}Due"] for part in ("marketing", "treasury", "burn")] == [rest // 4] * 3
    assert now["rewardsDue"] == rest - 3 * (rest // 4)


def test_a_donation_changes_nothing() -> None:
    sale = opened(TOKEN)
    ledger, buyer = sale.ledger, sale.ledger.wallet()
    ledger.svm.airdrop(sale.key, 500 * SOL)
    sale.buy(buyer, 150 * MILLION)
    into = sale.new_account(buyer.pubkey())
    sale.claim(buyer.pubkey(), into)
    sale.transfer(into, sale.vault.pubkey(), buyer, 20 * MILLION)
    now = sale.check()
    assert (now["sold"], now["raised"]) == (150 * MILLION, curves.reserve(sale.curve, 150 * MILLION))
    value = curves.revenue(sale.curve, 150 * MILLION, MILLION)
    ((_, told),) = events(sale.sell(buyer, into, MILLION))
    assert told["value"] == value


def test_lamports_at_a_derived_address_stop_nobody() -> None:
    sale = opened()
    buyer = sale.ledger.wallet()
    for key in (find(b"position", sale.key, buyer.pubkey()), find(b"referral", buyer.pubkey())):
        sale.ledger.svm.airdrop(key, SOL // 100)
    sale.register(buyer, None)
    sale.buy(buyer, MILLION)
    assert sale.check()["held"] == MILLION


def test_cancel_before_the_first_buy_only() -> None:
    sale = opened()
    step = call("cancelSale", sale.accounts())
    sale.ledger.send(step, signers=[sale.creator])
    assert sale.state()["status"] == 3
    with pytest.raises(Refused, match="notActive"):
        sale.buy(sale.ledger.wallet(), MILLION)
    bought = opened()
    bought.buy(bought.ledger.wallet(), MILLION)
    with pytest.raises(Refused, match="alreadySold"):
        bought.ledger.send(call("cancelSale", bought.accounts()), signers=[bought.creator])
