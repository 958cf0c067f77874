"""The pool program alone: the interface of Raydium CPMM, and attacks on what it keeps."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from programs.interface import tag
from tests.programs.graduation_lab import Pooled, graduated, wrapped
from tests.programs.interface import POOL
from tests.programs.lab import Sale, copied, latched
from tests.programs.ledger import (
    AMM_CONFIG,
    FEES,
    POOL_PROGRAM,
    SOL,
    START,
    SYSTEM,
    TOKEN,
    TOKEN_2022,
    Refused,
    find,
    pool_call,
)
from tests.programs.pool_lab import initialize, pool_accounts


def test_tags_and_sizes_are_raydiums() -> None:
    """chains.md 3.2; sizes as its accounts have on the cluster."""
    assert tag("global", "initialize").hex() == "afaf6d1f0d989bed"
    assert tag("global", "swapBaseInput").hex() == "8fbe5adac41e33de"
    assert [len(POOL.instruction(name)["accounts"]) for name in ("initialize", "swapBaseInput")] == [20, 13]
    pooled, _, _ = graduated()
    keys = (pooled.pool, AMM_CONFIG, pooled.observation)
    assert [len(pooled.ledger.data(key)) for key in keys] == [637, 236, 4_075]


@dataclass
class Maker:
    """Somebody with tokens and wrapped SOL who makes a pool."""

    sale: Sale
    keys: Keypair
    accounts: dict[str, Pubkey]

    def make(self, first: int = SOL // 10, second: int = SOL // 10, opens: int = 0, /, **lies: Pubkey) -> None:
        step = initialize({**self.accounts, **lies}, first, second, opens)
        self.sale.ledger.send(step, signers=[self.keys])


def maker() -> Maker:
    sale, buyer, into = latched()
    sol = wrapped(sale, buyer, 100 * SOL)
    return Maker(sale, buyer, pool_accounts(buyer.pubkey(), sale.mint.pubkey(), sol, into, TOKEN))


def test_anybody_makes_a_pool_and_gets_the_claim_on_it() -> None:
    made = maker()
    made.make(4 * 10**9, 10**10)
    ledger = made.sale.ledger
    assert ledger.tokens(made.accounts["creatorLpToken"]) == 6_324_555_320 - 100
    state = POOL.read_account("PoolState", ledger.data(made.accounts["poolState"]))
    assert (state["lpSupply"], state["openTime"], state["poolCreator"]) == (
        6_324_555_320,
        START + 1,
        made.keys.pubkey(),
    )
    with pytest.raises(Refused, match="wrongOwner"):
        made.make()


def test_what_is_too_little_is_refused() -> None:
    made = maker()
    for first, second, refused in ((0, SOL, "invalidInput"), (100, 101, "initLpAmountTooLess")):
        with pytest.raises(Refused, match=refused):
            made.make(first, second)
    made.make(101, 101)


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("ammConfig", "wrongOwner"),
        ("authority", "wrongAddress"),
        ("poolState", "wrongAddress"),
        ("token0Mint", "wrongAddress|invalidInput|invalidOwner"),
        ("token1Mint", "wrongAddress|invalidInput|invalidOwner"),
        ("lpMint", "wrongAddress"),
        ("creatorLpToken", "InvalidSeeds"),
        ("token0Vault", "wrongAddress"),
        ("token1Vault", "wrongAddress"),
        ("createPoolFee", "wrongAddress"),
        ("observationState", "wrongAddress"),
        ("tokenProgram", "wrongAddress"),
        ("rent", "wrongAddress"),
        ("token0Program", "invalidOwner"),
        ("token1Program", "invalidOwner"),
    ],
)
def test_every_account_of_a_new_pool_is_checked(name: str, refused: str) -> None:
    made = maker()
    with pytest.raises(Refused, match=refused):
        made.make(**{name: copied(made.sale, made.accounts[name])})
    if name != "ammConfig":
        with pytest.raises(Refused, match=refused):
            made.make(**{name: TOKEN_2022 if name.endswith("Program") else made.keys.pubkey()})


def test_the_creator_signs() -> None:
    made = maker()
    with pytest.raises(Refused, match="notSigner"):
        made.sale.ledger.send(pool_call("initialize", made.accounts, SOL, SOL, 0, unsigned=("creator",)))


def test_a_closed_configuration_makes_no_pools() -> None:
    made = maker()
    raw = bytearray(made.sale.ledger.data(AMM_CONFIG))
    raw[9] = 1
    made.sale.ledger.svm.set_account(AMM_CONFIG, Account(SOL, bytes(raw), POOL_PROGRAM))
    with pytest.raises(Refused, match="notApproved"):
        made.make()


def test_what_is_no_mint_of_a_token_program_is_not_supported() -> None:
    """A mint under a program of one's own, a token account, and a mint cut short."""
    made = maker()
    ledger, mint = made.sale.ledger, made.sale.mint.pubkey()
    side = 0 if made.accounts["token0Mint"] == mint else 1
    own = Pubkey.from_string("Wrong11111111111111111111111111111111111111")
    account = bytes(165) + b"\x02" + bytes(13)
    for raw, owner in ((ledger.data(mint), own), (account, TOKEN_2022), (bytes(81), TOKEN_2022), (bytes(165), TOKEN)):
        ledger.svm.set_account(mint, Account(SOL, raw, owner))
        with pytest.raises(Refused, match="notSupportMint"):
            made.make(**{f"token{side}Program": owner})


def test_mints_stand_in_order() -> None:
    made = maker()
    first, second = made.accounts["token0Mint"], made.accounts["token1Mint"]
    with pytest.raises(Refused, match="invalidInput"):
        made.make(token0Mint=second, token1Mint=first)
    with pytest.raises(Refused, match="invalidInput"):
        made.make(token1Mint=first)


def test_an_address_of_ones_own_must_sign() -> None:
    made, own = maker(), Keypair.from_seed(bytes([7] * 32))
    ledger = made.sale.ledger
    parts = {
        "poolState": own.pubkey(),
        "lpMint": find(b"pool_lp_mint", own.pubkey(), program=POOL_PROGRAM),
        "observationState": find(b"observation", own.pubkey(), program=POOL_PROGRAM),
    }
    for side in (0, 1):
        mint = made.accounts[f"token{side}Mint"]
        parts[f"token{side}Vault"] = find(b"pool_vault", own.pubkey(), mint, program=POOL_PROGRAM)
    with pytest.raises(Refused, match="wrongAddress"):
        made.make(**parts)
    step = initialize({**made.accounts, **parts}, SOL, SOL)
    metas = [AccountMeta(m.pubkey, m.is_signer or m.pubkey == own.pubkey(), m.is_writable) for m in step.accounts]
    with pytest.raises(Refused, match="InvalidSeeds"):  # the claim's account belongs to the other pool
        ledger.send(Instruction(step.program_id, step.data, metas), signers=[made.keys, own])


@pytest.mark.parametrize(("kind", "supported"), [(1, True), (12, False), (14, False), (3, False)])
def test_only_harmless_extensions_are_supported(kind: int, supported: bool) -> None:
    """Permanent delegate, transfer hook, close authority: the pool could lose what it holds."""
    sale, buyer, into = latched(TOKEN_2022, 100)
    mint = sale.mint.pubkey()
    raw = bytearray(sale.ledger.data(mint))
    raw[166] = kind
    sale.ledger.svm.set_account(mint, Account(SOL, bytes(raw), TOKEN_2022))
    sol = wrapped(sale, buyer, SOL)
    made = Maker(sale, buyer, pool_accounts(buyer.pubkey(), mint, sol, into, TOKEN_2022))
    if supported:
        made.make()
        return
    with pytest.raises(Refused, match="notSupportMint"):
        made.make()


def swapping() -> tuple[Pooled, Keypair, tuple[Pubkey, Pubkey]]:
    pooled, buyer, into = graduated()
    return pooled, buyer, (wrapped(pooled.sale, buyer, 20 * SOL), into)


def test_a_pool_opens_a_second_after_it_is_made() -> None:
    pooled, buyer, own = swapping()
    pooled.ledger.set_time(START)
    with pytest.raises(Refused, match="notApproved"):
        pooled.swap(buyer, own, SOL, buy=True)
    pooled.ledger.set_time(START + 1)
    pooled.swap(buyer, own, SOL, buy=True)


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("authority", "wrongAddress"),
        ("ammConfig", "wrongOwner"),
        ("poolState", "wrongOwner"),
        ("inputTokenAccount", "wrongOwner"),
        ("outputTokenAccount", "wrongOwner"),
        ("inputVault", "invalidVault"),
        ("outputVault", "invalidVault"),
        ("inputTokenProgram", "wrongAddress"),
        ("outputTokenProgram", "wrongAddress"),
        ("inputTokenMint", "invalidVault"),
        ("outputTokenMint", "invalidVault"),
        ("observationState", "wrongAddress"),
    ],
)
def test_every_account_of_a_swap_is_checked(name: str, refused: str) -> None:
    pooled, buyer, own = swapping()
    for buy in (True, False):
        real = pooled.swap_accounts(buyer.pubkey(), *own, buy=buy)
        with pytest.raises(Refused, match=refused):
            pooled.swap(buyer, own, SOL, buy=buy, **{name: copied(pooled.sale, real[name])})


def test_a_swap_takes_the_configuration_of_its_pool() -> None:
    """Another one of the program itself, as Raydium has many: its fee could be nothing."""
    pooled, buyer, own = swapping()
    other = copied(pooled.sale, AMM_CONFIG, POOL_PROGRAM)
    with pytest.raises(Refused, match="wrongAddress"):
        pooled.swap(buyer, own, SOL, buy=True, ammConfig=other)


def test_vaults_of_one_side_cannot_stand_for_both() -> None:
    pooled, buyer, own = swapping()
    for lies in ({"inputVault": pooled.tokens}, {"outputVault": pooled.sol}):
        with pytest.raises(Refused, match="invalidVault"):
            pooled.swap(buyer, own, SOL, buy=True, **lies)


def test_the_vault_cannot_be_ones_own_account() -> None:
    pooled, buyer, own = swapping()
    with pytest.raises(Refused):  # the payer does not own it
        pooled.swap(buyer, own, SOL, buy=True, inputTokenAccount=pooled.sol)
    with pytest.raises(Refused, match="exceededSlippage"):  # nothing arrives
        pooled.swap(buyer, own, SOL, buy=True, outputTokenAccount=pooled.tokens)


def test_nothing_buys_nothing_and_the_payer_signs() -> None:
    pooled, buyer, own = swapping()
    for amount in (1, 2):  # the fee takes the first; the second is worth less than a lamport
        with pytest.raises(Refused, match="zeroTradingTokens"):
            pooled.swap(buyer, own, amount, buy=False)
    step = pool_call("swapBaseInput", pooled.swap_accounts(buyer.pubkey(), *own, buy=True), SOL, 0, unsigned=("payer",))
    with pytest.raises(Refused, match="notSigner"):
        pooled.ledger.send(step)


def test_the_configuration_is_fixed() -> None:
    ledger = latched()[0].ledger
    own = {"owner": ledger.payer.pubkey(), "ammConfig": AMM_CONFIG, "systemProgram": SYSTEM}
    with pytest.raises(Refused, match="wrongOwner"):
        ledger.send(pool_call("createAmmConfig", own, 0, *FEES.values()))
    ledger.svm.set_account(AMM_CONFIG, Account(0, b"", SYSTEM))
    with pytest.raises(Refused, match="notSigner"):
        ledger.send(pool_call("createAmmConfig", {**own, "owner": SYSTEM}, 0, *FEES.values(), unsigned=("owner",)))
    for index, change in ((1, {}), *((0, {name: value + 1}) for name, value in FEES.items())):
        with pytest.raises(Refused, match="invalidInput"):
            ledger.send(pool_call("createAmmConfig", own, index, *{**FEES, **change}.values()))
    elsewhere = {**own, "ammConfig": find(b"amm_config", b"\0\1", program=POOL_PROGRAM)}
    with pytest.raises(Refused, match="wrongAddress"):
        ledger.send(pool_call("createAmmConfig", elsewhere, 0, *FEES.values()))


@pytest.mark.parametrize("name", ["createAmmConfig", "initialize", "swapBaseInput"])
def test_data_and_accounts_are_counted(name: str) -> None:
    ledger = latched()[0].ledger
    data = tag("global", name)
    count = len(POOL.instruction(name)["accounts"])
    metas = [AccountMeta(Pubkey.new_unique(), False, False) for _ in range(count)]
    for given, raw, refused in ((metas[:-1], data, "badAccounts"), (metas, data, "badData"), (metas, b"1", "badData")):
        with pytest.raises(Refused, match=refused):
            ledger.send(Instruction(POOL_PROGRAM, raw, given))
