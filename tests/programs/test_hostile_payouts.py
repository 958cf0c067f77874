"""Attacks on the accounts of claim, refund, settle, claim_referral and distribute: each replaced in turn."""

from __future__ import annotations

import pytest
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from tests.programs.lab import copied, opened
from tests.programs.ledger import FEE_BPS, MILLION, SOL, START, TOKEN, TOKEN_2022, Refused, call, find
from tests.programs.test_payouts import chained, settle_step


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("sale", "wrongOwner"),
        ("mint", "wrongAddress"),
        ("vault", "wrongAddress"),
        ("position", "wrongOwner"),
        ("buyerTokens", "wrongOwner"),
        ("tokenProgram", "wrongAddress"),
    ],
)
def test_every_account_of_a_claim_is_checked(name: str, refused: str) -> None:
    sale = opened()
    buyer = sale.ledger.wallet()
    sale.buy(buyer, 150 * MILLION)
    into = sale.new_account(buyer.pubkey())
    real = sale.accounts(buyer.pubkey(), into)[name]
    with pytest.raises(Refused, match=refused):
        sale.claim(buyer.pubkey(), into, **{name: copied(sale, real)})


def test_a_claim_cannot_take_from_another_vault_of_the_sale() -> None:
    """Somebody gives the sale a second token account; the stored one alone pays."""
    sale = opened()
    buyer = sale.ledger.wallet()
    sale.buy(buyer, 150 * MILLION)
    into, second = sale.new_account(buyer.pubkey()), sale.new_account(sale.key)
    with pytest.raises(Refused, match="wrongAddress"):
        sale.claim(buyer.pubkey(), into, vault=second)
    with pytest.raises(Refused, match="wrongAddress"):
        sale.claim(buyer.pubkey(), into, tokenProgram=TOKEN_2022)


@pytest.mark.parametrize("name", ["sale", "position"])
def test_a_refund_needs_the_real_accounts(name: str) -> None:
    sale = opened()
    buyer = sale.ledger.wallet()
    sale.buy(buyer, MILLION)
    sale.ledger.set_time(START + 86_400)
    with pytest.raises(Refused, match="wrongOwner"):
        sale.refund(buyer.pubkey(), **{name: copied(sale, sale.accounts(buyer.pubkey())[name])})
    step = call("refund", sale.accounts(buyer.pubkey()))
    metas = [*step.accounts[:2], AccountMeta(buyer.pubkey(), False, False), *step.accounts[3:]]
    with pytest.raises(Refused, match="notWritable"):
        sale.ledger.send(Instruction(step.program_id, step.data, metas))


def test_a_settlement_needs_the_real_accounts() -> None:
    sale, chain = chained(2)
    buyer = chain[-1].pubkey()
    real = {"sale": sale.key, "position": find(b"position", sale.key, buyer), "referral": find(b"referral", buyer)}
    for name, key in real.items():
        with pytest.raises(Refused, match="wrongOwner"):
            sale.ledger.send(settle_step(sale, chain, **{name: copied(sale, key)}))


def test_a_settlement_takes_the_traders_own_chain() -> None:
    """A registered wallet with two other uplines: his account and theirs together would divert both shares."""
    sale, chain = chained(2)
    thieves = [sale.ledger.wallet() for _ in range(3)]
    for index, thief in enumerate(thieves):
        sale.register(thief, thieves[index - 1].pubkey() if index else None)
    lies = {"referral": find(b"referral", thieves[2].pubkey())}
    lies |= {f"upline{level}": find(b"referral", thieves[2 - level].pubkey()) for level in (1, 2)}
    with pytest.raises(Refused, match="wrongAddress"):
        sale.ledger.send(settle_step(sale, chain, **lies))


def test_payouts_take_no_data_and_only_real_sales() -> None:
    sale, chain = chained(1)
    own = {"user": chain[0].pubkey(), "referral": find(b"referral", chain[0].pubkey())}
    for step in (settle_step(sale, chain), call("claimReferral", own), call("distribute", sale.accounts())):
        with pytest.raises(Refused, match="badData"):
            sale.ledger.send(Instruction(step.program_id, step.data + b"\0", step.accounts), signers=[chain[0]])
    with pytest.raises(Refused, match="wrongOwner"):
        sale.ledger.send(call("distribute", {**sale.accounts(), "sale": copied(sale, sale.key)}))
    fake = {**own, "referral": copied(sale, own["referral"])}
    with pytest.raises(Refused, match="wrongOwner"):
        sale.ledger.send(call("claimReferral", fake), signers=[chain[0]])
    for name in ("marketing", "treasury", "rewards"):
        with pytest.raises(Refused, match="wrongAddress"):
            sale.ledger.send(call("distribute", {**sale.accounts(), name: Pubkey.new_unique()}))


def test_a_sale_so_small_that_the_fee_takes_it_is_refused() -> None:
    sale = opened(TOKEN_2022, FEE_BPS)
    buyer = sale.ledger.wallet()
    sale.buy(buyer, 150 * MILLION)
    into = sale.new_account(buyer.pubkey())
    sale.claim(buyer.pubkey(), into)
    with pytest.raises(Refused, match="notMeasured"):
        sale.sell(buyer, into, 1)


def test_tokens_that_were_never_sold_cannot_be_sold_back() -> None:
    """More than was sold in circulation (written by hand: no call of the program leads here) brings nothing."""
    sale = opened()
    buyer = sale.ledger.wallet()
    sale.buy(buyer, 150 * MILLION)
    into = sale.new_account(buyer.pubkey())
    sale.claim(buyer.pubkey(), into)
    raw = bytearray(sale.ledger.data(into))
    raw[64:72] = (151 * MILLION).to_bytes(8, "little")
    sale.ledger.svm.set_account(into, Account(SOL, bytes(raw), TOKEN))
    with pytest.raises(Refused, match="notMeasured"):
        sale.sell(buyer, into, 150 * MILLION + 1)
