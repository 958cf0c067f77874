"""Attacks on graduate: each changes one account, signature, argument or moment of a call that works."""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from programs import build
from programs.link import link
from tests.programs.graduation_lab import ENDED, Pooled, closed_sale
from tests.programs.lab import Sale, copied, latched, opened
from tests.programs.ledger import (
    AMM_CONFIG,
    MILLION,
    POOL_PROGRAM,
    SOL,
    TOKEN_2022,
    Ledger,
    Refused,
    call,
    find,
)


def test_the_moment_is_the_latch_and_the_close_or_the_end() -> None:
    sale = opened()
    sale.buy(sale.ledger.wallet(), MILLION)
    with pytest.raises(Refused, match="notLatched"):
        Pooled(sale).graduate()
    sale.ledger.set_time(ENDED)
    with pytest.raises(Refused, match="notLatched"):
        Pooled(sale).graduate()
    sale, _, _ = latched()
    with pytest.raises(Refused, match="notEnded"):
        Pooled(sale).graduate()
    sale.ledger.set_time(ENDED - 1)
    with pytest.raises(Refused, match="notEnded"):
        Pooled(sale).graduate()
    sale.ledger.set_time(ENDED)
    Pooled(sale).graduate()


def test_it_happens_once_even_inside_one_transaction() -> None:
    sale, _, _ = closed_sale()
    pooled = Pooled(sale)
    with pytest.raises(Refused, match="notActive"):
        sale.ledger.send(pooled.graduate_step(), pooled.graduate_step())
    pooled.graduate()
    with pytest.raises(Refused, match="notActive"):
        pooled.graduate()


def test_a_cancelled_sale_does_not_graduate() -> None:
    sale = opened()
    sale.ledger.send(call("cancelSale", sale.accounts()), signers=[sale.creator])
    sale.ledger.set_time(ENDED)
    with pytest.raises(Refused, match="notActive"):
        Pooled(sale).graduate()


def test_nobody_trades_after_it() -> None:
    sale, buyer, into = latched()
    sale.ledger.set_time(ENDED)
    Pooled(sale).graduate()
    for act in (lambda: sale.buy(buyer, 1, into=into), lambda: sale.sell(buyer, into, 1)):
        with pytest.raises(Refused, match="notActive"):
            act()


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("sale", "wrongOwner"),
        ("mint", "wrongAddress"),
        ("vault", "wrongAddress"),
        ("vesting", "wrongAddress"),
        ("poolCreator", "wrongAddress"),
        ("pool", "wrongAddress"),
        ("poolProgram", "wrongAddress"),
        ("ammConfig", "wrongAddress"),
        ("poolAuthority", "wrongAddress"),
        ("lpMint", "wrongAddress"),
        ("creatorSol", "InvalidSeeds"),
        ("creatorTokens", "InvalidSeeds"),
        ("creatorLp", "InvalidSeeds"),
        ("poolSol", "wrongAddress"),
        ("poolTokens", "wrongAddress"),
        ("createPoolFee", "wrongAddress"),
        ("observation", "wrongAddress"),
        ("solMint", "wrongAddress"),
        ("tokenProgram", "wrongAddress"),
        ("splTokenProgram", "wrongAddress"),
        ("rent", "wrongAddress"),
        ("associatedTokenProgram", "MissingAccount|Unknown|missing"),
        ("systemProgram", "MissingAccount|Unknown|missing"),
    ],
)
def test_every_account_is_the_one_it_must_be(name: str, refused: str) -> None:
    sale, _, _ = closed_sale()
    pooled = Pooled(sale)
    real = pooled.accounts()[name]
    before = sale.state()
    for fake in (Pubkey.from_string("Wrong11111111111111111111111111111111111111"), copied(sale, real)):
        with pytest.raises(Refused, match=refused):
            pooled.graduate(**{name: fake})
    assert sale.state() == before


def test_accounts_of_another_sale_do_not_serve() -> None:
    sale, _, _ = closed_sale()
    pooled = Pooled(sale)
    second = Sale(sale.ledger)
    second.mint_all()
    second.open()
    other = Pooled(second).accounts()
    for name in ("mint", "vault", "vesting", "poolCreator", "pool"):
        with pytest.raises(Refused, match="wrongAddress"):
            pooled.graduate(**{name: other[name]})


def test_what_pays_signs_and_cannot_be_overcharged() -> None:
    sale, _, _ = closed_sale()
    pooled, payer = Pooled(sale), sale.ledger.wallet(SOL // 2)
    step = call("graduate", {**pooled.accounts(), "payer": payer.pubkey()}, SOL // 4, unsigned=("payer",))
    with pytest.raises(Refused, match="notSigner"):
        sale.ledger.send(step)
    with pytest.raises(Refused, match=r"\b1\b"):  # the System program's "insufficient funds"
        pooled.graduate(cost=SOL // 10)
    assert sale.state()["status"] == 1
    before = sale.ledger.lamports(payer.pubkey())
    own = call("graduate", {**pooled.accounts(), "payer": payer.pubkey()}, SOL // 2 - 10_000_000)
    sale.ledger.send(own, signers=[payer])
    assert 150_000_000 < before - sale.ledger.lamports(payer.pubkey()) < 200_000_000


def test_data_and_accounts_are_counted() -> None:
    sale, _, _ = closed_sale()
    step = Pooled(sale).graduate_step()
    for metas in (step.accounts[:-1], [*step.accounts, AccountMeta(sale.key, False, False)]):
        with pytest.raises(Refused, match="badAccounts"):
            sale.ledger.send(Instruction(step.program_id, step.data, metas))
    with pytest.raises(Refused, match="badData"):
        sale.ledger.send(Instruction(step.program_id, step.data[:-1], step.accounts))


def test_a_pool_program_that_is_not_on_the_list_is_refused_at_creation() -> None:
    """The real interface under another address, with a configuration of its own: it could keep the liquidity."""
    sale = Sale(Ledger())
    sale.mint_all()
    own = Pubkey.from_string("Wrong11111111111111111111111111111111111111")
    config = find(b"amm_config", bytes(2), program=own)
    svm = sale.ledger.svm
    svm.add_program_from_file(own, build.HERE / "pool" / "pool.so")
    svm.set_account(config, Account(SOL, sale.ledger.data(AMM_CONFIG), own))
    with pytest.raises(Refused, match="badPool"):
        sale.open({"poolProgram": own, "ammConfig": config})
    with pytest.raises(Refused, match="badPool"):
        sale.open({"ammConfig": config})
    with pytest.raises(Refused, match="badPool"):
        sale.open({"ammConfig": Pubkey.new_unique()})
    closed = bytearray(sale.ledger.data(AMM_CONFIG))
    closed[9] = 1
    svm.set_account(AMM_CONFIG, Account(SOL, bytes(closed), POOL_PROGRAM))
    with pytest.raises(Refused, match="badPool"):
        sale.open()


RAYDIUM = ("CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C", "DRaycpLY18LhpbydsBWbVJtxpNv9oXPgjRSfpF2bWpYb")


@pytest.mark.parametrize("address", RAYDIUM)
def test_raydiums_own_addresses_are_on_the_list(address: str) -> None:
    """The stand-in set where Raydium stands: a sale made on such a cluster keeps that program."""
    sale, own = Sale(Ledger()), Pubkey.from_string(address)
    config = find(b"amm_config", bytes(2), program=own)
    sale.ledger.svm.set_account(config, Account(SOL, sale.ledger.data(AMM_CONFIG), own))
    sale.mint_all()
    with pytest.raises(Refused, match="badPool"):  # nothing stands there
        sale.open({"poolProgram": own, "ammConfig": config})
    sale.ledger.svm.add_program_from_file(own, build.HERE / "pool" / "pool.so")
    sale.open({"poolProgram": own, "ammConfig": config})
    assert (sale.state()["poolProgram"], sale.state()["ammConfig"]) == (own, config)


def test_other_supply_needs_an_owner() -> None:
    sale = Sale(Ledger())
    sale.mint_all()
    with pytest.raises(Refused, match="badTerms"):
        sale.open({"otherOwner": Pubkey.default()})
    sale.open()
    assert sale.state()["otherOwner"] == sale.other.pubkey()


def test_a_fee_that_would_change_later_is_refused() -> None:
    """Older and newer rate of the mint differ: what graduation sends would not be what was checked at creation."""
    sale = Sale(Ledger(), TOKEN_2022, 100)
    sale.mint_all()
    for offset, value in ((170 + 106, b"\xc8\x00"), (170 + 98, b"\x05")):
        raw = bytearray(sale.ledger.data(sale.mint.pubkey()))
        raw[offset : offset + len(value)] = value
        sale.ledger.svm.set_account(sale.mint.pubkey(), Account(SOL, bytes(raw), TOKEN_2022))
        with pytest.raises(Refused, match="wrongMint"):
            sale.open()


def test_a_mint_that_takes_less_than_it_said_is_refused() -> None:
    """Written by hand, since no authority is left to do it: then more would arrive than is accounted for."""
    sale, _, _ = closed_sale(TOKEN_2022, 100)
    raw = bytearray(sale.ledger.data(sale.mint.pubkey()))
    raw[170 + 106 : 170 + 108] = b"\x32\x00"
    sale.ledger.svm.set_account(sale.mint.pubkey(), Account(SOL, bytes(raw), TOKEN_2022))
    with pytest.raises(Refused, match="notMeasured"):
        Pooled(sale).graduate()


def test_a_pool_program_that_does_nothing_is_noticed() -> None:
    """As if the one on the list had been replaced: it says yes and takes neither SOL nor tokens."""
    sale, _, _ = closed_sale()
    sale.ledger.svm.add_program(POOL_PROGRAM, idle_program())
    with pytest.raises(Refused, match="wrongPool"):
        Pooled(sale).graduate()


def idle_program() -> bytes:
    source = """extern unsigned long long sol_log_(const char *text, unsigned long long size);
unsigned long long entrypoint(const unsigned char *input) { return input ? sol_log_("idle", 4) : 1; }"""
    with TemporaryDirectory() as folder:
        (Path(folder) / "idle.c").write_text(source)
        command = [*build.ZIG, *build.FLAGS, "-c", "idle.c", "-o", "idle.o"]
        subprocess.run(command, cwd=folder, check=True)
        return link((Path(folder) / "idle.o").read_bytes())


def test_liquidity_that_suffices_only_without_the_mints_fee_is_refused() -> None:
    for fee, refused in ((0, None), (500, "cannotGraduate")):
        sale = Sale(Ledger(), TOKEN_2022, fee, liquiditySupply=187 * MILLION, otherSupply=263 * MILLION)
        sale.mint_all()
        if refused is None:
            sale.open()
            continue
        with pytest.raises(Refused, match=refused):
            sale.open()
