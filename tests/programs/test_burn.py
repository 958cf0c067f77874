"""The tax's quarter buys tokens and burns them, along the curve and in the pool; withheld fees go to the rewards."""

from __future__ import annotations

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction_metadata import TransactionMetadata

from domain.launchpad import constant_product, curves
from domain.launchpad.transfer_fee import TransferFee, after_fee
from tests.programs.graduation_lab import ENDED, Pooled, graduated, supply_of, wrapped
from tests.programs.lab import Sale, copied, latched, opened
from tests.programs.ledger import FEE_BPS, MILLION, POOL_PROGRAM, SOL, TOKEN, TOKEN_2022, Refused, call, events
from tests.programs.test_hostile_graduation import idle_program


def burn(sale: Sale, tokens: int, who: Keypair | None = None, /, **lies: Pubkey) -> TransactionMetadata:
    who = who or sale.platform
    accounts = {**sale.accounts(), "platform": who.pubkey(), **lies}
    return sale.ledger.send(call("burn", accounts, tokens), signers=[who])


def affordable(sale: Sale) -> int:
    now = sale.state()
    return curves.max_affordable(sale.curve, now["sold"], now["burnDue"], sale.terms["most"])


def test_the_burn_buys_untaxed_along_the_curve() -> None:
    sale, _, _ = latched()
    before, tokens = sale.state(), affordable(sale)
    cost = curves.cost(sale.curve, before["sold"], tokens)
    with pytest.raises(Refused, match="tooDear"):
        burn(sale, tokens + 1)
    ((name, told),) = events(burn(sale, tokens))
    now = sale.check()
    assert (name, told["tokens"], told["lamports"], told["fromPool"]) == ("Burned", tokens, cost, False)
    assert now["burnDue"] == before["burnDue"] - cost
    assert (now["sold"], now["raised"]) == (before["sold"] + tokens, before["raised"] + cost)
    assert (now["taxTotal"], now["burned"]) == (before["taxTotal"], tokens)
    assert supply_of(sale) == sale.supply - tokens


def test_tokens_that_were_burned_cannot_come_back() -> None:
    """sold counts them, but nobody has them: the last holder sells everything and C(burned) stays behind."""
    sale, buyer, into = latched()
    tokens = affordable(sale)
    burn(sale, tokens)
    sale.sell(buyer, into, 150 * MILLION)
    now = sale.check()
    assert (now["sold"], now["burned"]) == (tokens, tokens)
    assert now["raised"] == curves.reserve(sale.curve, tokens)


def test_only_the_platform_burns() -> None:
    """Whoever may choose the moment of a purchase can buy before it and sell after it."""
    sale, buyer, _ = latched()
    with pytest.raises(Refused, match="wrongAddress"):
        burn(sale, 1, buyer)
    step = call("burn", sale.accounts(), 1, unsigned=("platform",))
    with pytest.raises(Refused, match="notSigner"):
        sale.ledger.send(step)


def test_a_burn_needs_the_real_accounts_and_an_open_latched_sale() -> None:
    sale, _, _ = latched()
    for name, refused in (("sale", "wrongOwner"), ("mint", "wrongAddress"), ("vault", "wrongAddress")):
        with pytest.raises(Refused, match=refused):
            burn(sale, 1, **{name: copied(sale, sale.accounts()[name])})
    with pytest.raises(Refused, match="wrongAddress"):
        burn(sale, 1, tokenProgram=TOKEN_2022)
    with pytest.raises(Refused, match="nothingLeft"):
        burn(sale, 0)
    sale.ledger.set_time(ENDED)
    with pytest.raises(Refused, match="ended"):
        burn(sale, 1)
    young = opened()
    young.buy(young.ledger.wallet(), MILLION)
    with pytest.raises(Refused, match="notLatched"):
        burn(young, 1)


def test_a_burn_can_close_the_sale() -> None:
    sale = opened(hardCap=30 * SOL)
    buyer = sale.ledger.wallet()
    sale.buy(buyer, sale.terms["most"] - 1_000)
    ((_, told),) = events(burn(sale, MILLION))
    assert (told["tokens"], told["closed"], sale.check()["status"]) == (1_000, True, 1)


def test_after_graduation_the_pool_sells_and_the_vault_burns() -> None:
    pooled, buyer, _ = graduated(TOKEN_2022, FEE_BPS)
    sale, ledger, due = pooled.sale, pooled.ledger, pooled.sale.state()["burnDue"]
    reserves = [ledger.tokens(pooled.sol), ledger.tokens(pooled.tokens)]
    out = constant_product.swap(due, *reserves).out
    gained, supply, vault = after_fee(TransferFee(FEE_BPS), out), supply_of(sale), ledger.tokens(sale.vault.pubkey())
    with pytest.raises(Refused, match="exceededSlippage"):
        pooled.burn(due, gained + 1)
    with pytest.raises(Refused, match="tooDear"):
        pooled.burn(due + 1)
    with pytest.raises(Refused, match="nothingDue"):
        pooled.burn(0)
    ((_, told),) = events(pooled.burn(due, gained))
    assert (told["lamports"], told["tokens"], told["fromPool"]) == (due, gained, True)
    now = sale.state()
    assert (now["burnDue"], now["burned"], supply_of(sale)) == (0, gained, supply - gained)
    assert ledger.tokens(sale.vault.pubkey()) == vault
    assert ledger.lamports(sale.key) == now["rent"] + now["taxHeld"]
    assert ledger.tokens(pooled.sol) == reserves[0] + due
    with pytest.raises(Refused, match="wrongAddress"):
        ledger.send(pooled.burn_step(1, 0, platform=buyer.pubkey()), signers=[buyer])


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("sale", "wrongOwner"),
        ("mint", "wrongAddress"),
        ("vault", "wrongAddress"),
        ("poolCreator", "wrongAddress"),
        ("creatorSol", "wrongOwner"),
        ("poolProgram", "wrongAddress"),
        ("ammConfig", "wrongAddress"),
        ("poolAuthority", "wrongAddress"),
        ("pool", "wrongAddress"),
        ("poolSol", "invalidVault"),
        ("poolTokens", "invalidVault"),
        ("observation", "wrongAddress"),
        ("solMint", "wrongAddress"),
        ("tokenProgram", "wrongAddress"),
        ("splTokenProgram", "wrongAddress"),
    ],
)
def test_a_burn_from_the_pool_needs_the_real_accounts(name: str, refused: str) -> None:
    pooled, _, _ = graduated()
    fake = copied(pooled.sale, pooled.accounts()[name])
    with pytest.raises(Refused, match=refused):
        pooled.burn(1_000_000, **{name: fake})


def test_a_strangers_wrapped_sol_does_not_pay_and_ours_is_not_another_sales() -> None:
    pooled, buyer, _ = graduated()
    sale = pooled.sale
    theirs = wrapped(sale, buyer, SOL)
    with pytest.raises(Refused, match="wrongAddress"):
        pooled.burn(1_000_000, creatorSol=theirs)
    with pytest.raises(Refused, match="wrongOwner"):  # the token program's, but no account of it
        pooled.burn(1_000_000, creatorSol=pooled.lp_mint)


def test_a_pool_program_that_does_nothing_burns_nothing() -> None:
    pooled, _, _ = graduated()
    pooled.ledger.svm.add_program(POOL_PROGRAM, idle_program())
    with pytest.raises(Refused, match="wrongPool"):
        pooled.burn(1_000_000)


def test_without_a_pool_there_is_nothing_to_burn_from() -> None:
    """Before graduation, and after one that was too small for a pool."""
    sale, buyer, into = latched()
    with pytest.raises(Refused, match="notGraduated"):
        Pooled(sale).burn(1)
    sale.sell(buyer, into, 150 * MILLION)
    sale.ledger.set_time(ENDED)
    Pooled(sale).graduate()
    with pytest.raises(Refused, match="notGraduated"):
        Pooled(sale).burn(1)


def test_data_and_accounts_of_both_burns_are_counted() -> None:
    pooled, _, _ = graduated()
    for step in (call("burn", pooled.sale.accounts(), 1), pooled.burn_step(1, 0)):
        for metas, data, refused in (
            (step.accounts[:-1], step.data, "badAccounts"),
            (step.accounts, step.data[:-1], "badData"),
            (step.accounts, step.data + b"\0", "badData"),
        ):
            with pytest.raises(Refused, match=refused):
                pooled.ledger.send(Instruction(step.program_id, data, metas), signers=[pooled.sale.platform])


def harvest_step(sale: Sale, into: Pubkey, /, **lies: Pubkey) -> Instruction:
    return call("harvest", {**sale.accounts(), "rewardsTokens": into, **lies})


def test_withheld_fees_reach_the_rewards_owner_whole() -> None:
    pooled, buyer, held = graduated(TOKEN_2022, FEE_BPS)
    sale = pooled.sale
    into, mint = sale.new_account(sale.recipients["rewards"]), sale.mint.pubkey()
    sources = [held, sale.vault.pubkey(), pooled.tokens, pooled.accounts()["creatorTokens"]]
    metas = [AccountMeta(mint, False, True), *(AccountMeta(key, False, True) for key in sources)]
    collect = Instruction(TOKEN_2022, b"\x1a\x04", metas)
    plan = pooled.plan()
    with pytest.raises(Refused, match="wrongAddress"):
        sale.ledger.send(collect, harvest_step(sale, sale.new_account(buyer.pubkey())))
    with pytest.raises(Refused, match="nothingDue"):
        sale.ledger.send(harvest_step(sale, into))
    ((name, told),) = events(sale.ledger.send(collect, harvest_step(sale, into)))
    bought = sum(part - after_fee(TransferFee(FEE_BPS), part) for part in (150 * MILLION, 250 * MILLION))
    assert (name, told["tokens"]) == ("Harvested", bought + plan.sent - plan.pool_tokens)
    assert sale.ledger.tokens(into) == told["tokens"]
    with pytest.raises(Refused, match="wrongOwner"):
        sale.ledger.send(harvest_step(sale, into, sale=copied(sale, sale.key)))
    with pytest.raises(Refused, match="wrongAddress"):
        sale.ledger.send(harvest_step(sale, into, mint=copied(sale, mint)))
    with pytest.raises(Refused, match="wrongAddress"):
        sale.ledger.send(harvest_step(sale, into, tokenProgram=TOKEN))
