"""In every instruction, every account put in every other's place: refused, unless it is listed here why not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from solders.compute_budget import set_compute_unit_limit
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata

from tests.programs.graduation_lab import ENDED, Pooled, closed_sale, graduated, wrapped
from tests.programs.interface import LAUNCHPAD, POOL
from tests.programs.lab import Sale, latched, opened
from tests.programs.ledger import (
    FEE_BPS,
    MILLION,
    PROGRAM,
    SOL,
    START,
    TOKEN,
    TOKEN_2022,
    Ledger,
    call,
    find,
    pool_call,
)
from tests.programs.pool_lab import initialize, pool_accounts
from tests.programs.test_payouts import chained, settle_step


class Case(NamedTuple):
    name: str
    ledger: Ledger
    step: Instruction
    signers: list[Keypair]


def accepted(case: Case, step: Instruction) -> bool:
    """Whether it would go through; nothing is changed."""
    ledger = case.ledger
    every = [set_compute_unit_limit(1_400_000), step]
    message = MessageV0.try_compile(ledger.payer.pubkey(), every, [], ledger.svm.latest_blockhash())
    keys = {key.pubkey(): key for key in [ledger.payer, *case.signers]}
    needed = message.account_keys[: message.header.num_required_signatures]
    if any(key not in keys for key in needed):
        return False  # nobody can sign for it
    transaction = VersionedTransaction(message, [keys[key] for key in needed])
    return not isinstance(ledger.svm.simulate_transaction(transaction), FailedTransactionMetadata)


def before_graduation() -> Iterator[Case]:
    fresh = Sale(Ledger())
    fresh.mint_all()
    yield Case(
        "createSale", fresh.ledger, call("createSale", fresh.accounts(), fresh.terms), [fresh.creator, fresh.platform]
    )
    sale, chain = chained(5)
    ledger, buyer = sale.ledger, chain[-1]
    yield Case("settleReferral", ledger, settle_step(sale, chain), [])
    into = sale.new_account(buyer.pubkey())
    accounts = sale.accounts(buyer.pubkey(), into)
    yield Case("claim", ledger, call("claim", accounts), [])
    sale.claim(buyer.pubkey(), into)
    yield Case("buy", ledger, call("buy", accounts, MILLION, 2**63), [buyer])
    yield Case("sell", ledger, call("sell", accounts, MILLION, 0), [buyer])
    yield Case("distribute", ledger, call("distribute", accounts), [])
    yield Case("burn", ledger, call("burn", accounts, 1_000), [sale.platform])
    ledger.send(settle_step(sale, chain))
    own = {"user": chain[-2].pubkey(), "referral": find(b"referral", chain[-2].pubkey())}
    yield Case("claimReferral", ledger, call("claimReferral", own), [chain[-2]])
    fresh_user = ledger.wallet()
    joins = {**accounts, "user": fresh_user.pubkey(), "referral": find(b"referral", fresh_user.pubkey())}
    joins["referrer"] = find(b"referral", buyer.pubkey())
    yield Case("registerReferral", ledger, call("registerReferral", joins), [fresh_user])
    ledger.set_time(ENDED)
    yield Case("closePosition", ledger, call("closePosition", accounts), [])


def failed() -> Iterator[Case]:
    idle = opened()
    yield Case("cancelSale", idle.ledger, call("cancelSale", idle.accounts()), [idle.creator])
    sale = opened()
    buyer = sale.ledger.wallet()
    sale.buy(buyer, MILLION)
    sale.ledger.set_time(ENDED)
    yield Case("refund", sale.ledger, call("refund", sale.accounts(buyer.pubkey())), [])
    yield Case("reclaim", sale.ledger, call("reclaim", sale.accounts()), [])


def after_graduation() -> Iterator[Case]:
    sale, _, _ = closed_sale()
    yield Case("graduate", sale.ledger, Pooled(sale).graduate_step(), [])
    sale, _, _ = closed_sale(TOKEN_2022, FEE_BPS)
    yield Case("graduate", sale.ledger, Pooled(sale).graduate_step(), [])
    pooled, buyer, held = graduated(TOKEN_2022, FEE_BPS)
    sale, ledger = pooled.sale, pooled.ledger
    ledger.send(Instruction(TOKEN_2022, b"\x1a\x04", [AccountMeta(k, False, True) for k in (pooled.mint, held)]))
    rewards = sale.new_account(sale.recipients["rewards"])
    yield Case("harvest", ledger, call("harvest", {**sale.accounts(), "rewardsTokens": rewards}), [])
    other = {"ownerTokens": sale.new_account(sale.other.pubkey())}
    yield Case("releaseOther", ledger, call("releaseOther", {**sale.accounts(), **other}), [])
    yield Case("burnFromPool", ledger, pooled.burn_step(1_000_000, 0), [sale.platform])
    own = {"beneficiary": sale.other.pubkey(), "beneficiaryTokens": sale.new_account(sale.other.pubkey())}
    sol = wrapped(sale, buyer, SOL)
    swap = pooled.swap_accounts(buyer.pubkey(), sol, held, buy=True)
    yield Case("swapBaseInput", ledger, pool_call("swapBaseInput", swap, SOL // 10, 0), [buyer])
    ledger.set_time(START + 30_000_000)
    yield Case("claimVested", ledger, call("claimVested", {**pooled.accounts(), **own}), [])


def pools() -> Iterator[Case]:
    sale, buyer, into = latched()
    sol = wrapped(sale, buyer, 10 * SOL)
    accounts = pool_accounts(buyer.pubkey(), sale.mint.pubkey(), sol, into, TOKEN)
    yield Case("initialize", sale.ledger, initialize(accounts, SOL, SOL), [buyer])


CHOSEN = ("marketing", "treasury", "rewards", "otherOwner")
HARMLESS: dict[str, set[str]] = {
    "createSale": {*CHOSEN, "payer"},  # creator and platform sign whom they name; any signer may pay
    "sell": {"systemProgram"},  # only needed when a position must be made
    "registerReferral": {"referrer"},  # the System program says: nobody
}
"""Accounts in whose place another of the same call goes through, and why that hurts nobody."""


def swapped(case: Case) -> set[tuple[str, str]]:
    """(account, what stood in its place) of every variant that goes through."""
    interface = LAUNCHPAD if case.step.program_id == PROGRAM else POOL
    names = [account["name"] for account in interface.instruction(case.name)["accounts"]]
    metas, found = case.step.accounts, set()
    for at, name in enumerate(names):
        for by, meta in enumerate(metas):
            if meta.pubkey == metas[at].pubkey:
                continue
            lie = AccountMeta(meta.pubkey, metas[at].is_signer, metas[at].is_writable)
            variant = Instruction(case.step.program_id, case.step.data, [*metas[:at], lie, *metas[at + 1 :]])
            if accepted(case, variant):
                found.add((name, names[by]))
    return found


@pytest.mark.parametrize("cases", [before_graduation, failed, after_graduation, pools])
def test_no_account_stands_for_another(cases: type[Iterator[Case]]) -> None:
    for case in cases():
        assert accepted(case, case.step), case.name
        assert {name for name, _ in swapped(case)} == HARMLESS.get(case.name, set()), case.name
