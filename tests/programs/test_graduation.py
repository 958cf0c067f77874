"""A successful sale becomes a pool: amounts, prices, what is burned, what is kept, and that nothing can stop it."""

from __future__ import annotations

import struct

import pytest
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.instruction import AccountMeta, Instruction
from solders.message import MessageV0
from solders.pubkey import Pubkey

from domain.launchpad import constant_product, curves
from domain.launchpad.curves import Shape
from domain.launchpad.transfer_fee import TransferFee, after_fee
from tests.programs.graduation_lab import ENDED, Pooled, closed_sale, graduated, supply_of, wrapped
from tests.programs.interface import POOL
from tests.programs.lab import Sale, latched
from tests.programs.ledger import (
    AMM_CONFIG,
    ASSOCIATED,
    FEE_BPS,
    FEES,
    MILLION,
    POOL_PROGRAM,
    SOL,
    START,
    SYSTEM,
    TOKEN,
    TOKEN_2022,
    WRAPPED_SOL,
    associated,
    events,
    find,
    swaps,
)
from tests.programs.pool_lab import initialize, pool_accounts

PACKET = 1_232


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize(("program", "fee"), [(TOKEN, 0), (TOKEN_2022, 0), (TOKEN_2022, FEE_BPS)])
def test_seventy_percent_meets_its_worth_in_tokens(shape: Shape, program: Pubkey, fee: int) -> None:
    wide = {"otherSupply": 180 * MILLION, "liquiditySupply": 270 * MILLION}
    sale, _, _ = closed_sale(program, fee, shape=int(shape), **wide)
    pooled = Pooled(sale)
    raised, plan = sale.state()["raised"], pooled.plan()
    ((name, told),) = events(pooled.graduate())
    assert name == "Graduated"
    ledger, now = sale.ledger, sale.state()
    assert plan.pool_lamports == raised * 7 // 10
    assert (ledger.tokens(pooled.sol), ledger.tokens(pooled.tokens)) == (plan.pool_lamports, plan.pool_tokens)
    assert (now["pooledLamports"], now["pooledTokens"]) == (plan.pool_lamports, plan.pool_tokens)
    assert (now["status"], now["raised"]) == (2, 0)
    assert (told["raised"], told["vestedLamports"]) == (raised, raised - plan.pool_lamports)
    assert (told["pool"], told["burned"], told["vestedTokens"]) == (pooled.pool, plan.burned, 150_000_000 * 10**6)
    assert supply_of(sale) == sale.supply - plan.burned
    price, unit = curves.spot(sale.curve, now["sold"]), 10 ** (9 + sale.terms["decimals"])
    assert plan.pool_lamports * unit // plan.pool_tokens - price in range(price // plan.pool_tokens + 2)


def test_the_claim_on_the_pool_is_burned() -> None:
    pooled, _, _ = graduated()
    state, ledger = pooled.state(), pooled.ledger
    assert state["lpSupply"] == constant_product.LOCKED_CLAIM + constant_product.initial_claim(
        ledger.tokens(pooled.sol), ledger.tokens(pooled.tokens)
    )
    assert struct.unpack_from("<Q", ledger.data(pooled.lp_mint), 36) == (0,)
    assert ledger.data(associated(pooled.creator, pooled.lp_mint)) == b""


def test_it_fits_one_transaction_and_costs_the_payer_rent_and_the_pools_fee() -> None:
    sale, _, _ = closed_sale(TOKEN_2022, FEE_BPS)
    pooled, ledger = Pooled(sale), sale.ledger
    steps = [set_compute_unit_limit(400_000), set_compute_unit_price(1_000), pooled.graduate_step()]
    message = MessageV0.try_compile(ledger.payer.pubkey(), steps, [], ledger.svm.latest_blockhash())
    assert len(bytes(message)) + 1 + 64 <= PACKET
    before = ledger.lamports(ledger.payer.pubkey())
    assert pooled.graduate().compute_units_consumed() < 400_000
    spent = before - ledger.lamports(ledger.payer.pubkey())
    kept = [pooled.vesting, pooled.pool, pooled.lp_mint, pooled.observation, pooled.tokens]
    kept += [pooled.own_sol, pooled.accounts()["creatorTokens"], find(b"create_pool_fee", program=POOL_PROGRAM)]
    rents = sum(ledger.lamports(key) for key in kept)
    wrapped_rent = ledger.svm.minimum_balance_for_rent_exemption(165)
    vested = pooled.vested()["lamports"]
    assert spent == rents + wrapped_rent - vested + 5_000
    assert ledger.lamports(pooled.creator) == 0


def test_a_sale_that_ended_between_the_caps_graduates_at_its_last_price() -> None:
    sale, buyer, into = latched()
    pooled = Pooled(sale)
    sale.sell(buyer, into, 20 * MILLION)
    sale.ledger.set_time(ENDED)
    plan = pooled.plan()
    pooled.graduate()
    assert plan.sent == plan.pool_tokens < sale.terms["liquiditySupply"]
    assert plan.burned == 250 * MILLION + 400 * MILLION - 130 * MILLION - plan.sent
    assert pooled.ledger.tokens(sale.vault.pubkey()) == 150 * MILLION + 200 * MILLION


def test_unclaimed_tokens_of_buyers_survive_graduation() -> None:
    sale, _, _ = latched()
    late = sale.ledger.wallet()
    second = Sale(sale.ledger)
    second.mint_all()
    second.open()
    second.buy(late, 150 * MILLION)
    sale.ledger.set_time(ENDED)
    Pooled(second).graduate()
    into = second.new_account(late.pubkey())
    second.claim(late.pubkey(), into)
    assert sale.ledger.tokens(into) == 150 * MILLION


def test_a_raise_too_small_for_a_pool_still_ends() -> None:
    """Everything was sold back: no pool, everything burned; the burn share goes to the rewards."""
    sale, buyer, into = latched()
    sale.sell(buyer, into, 150 * MILLION)
    sale.ledger.set_time(ENDED)
    before, pooled = sale.state(), Pooled(sale)
    ((_, told),) = events(pooled.graduate())
    now = sale.check_graduated()
    assert (before["raised"], told["pool"], told["pooledLamports"], told["lpBurned"]) == (0, SYSTEM, 0, 0)
    assert (now["burnDue"], now["rewardsDue"]) == (0, before["rewardsDue"] + before["burnDue"])
    assert told["burned"] == 650 * MILLION
    assert pooled.ledger.data(pooled.pool) == b""


def test_donations_and_accounts_made_beforehand_stop_nothing() -> None:
    """Lamports at every derived address, our own two token accounts opened and filled by a stranger."""
    sale, buyer, into = closed_sale()
    pooled, ledger = Pooled(sale), sale.ledger
    gift = SOL // 7
    derived = ("vesting", "poolCreator", "pool", "lpMint", "creatorLp", "poolSol", "poolTokens", "observation")
    for name in (*derived, "sale"):
        ledger.svm.airdrop(pooled.accounts()[name], gift)
    for mint in (WRAPPED_SOL, pooled.mint):
        at = associated(pooled.creator, mint)
        metas = [(buyer.pubkey(), True, True), (at, False, True), (pooled.creator, False, False)]
        metas += [(mint, False, False), (SYSTEM, False, False), (TOKEN, False, False)]
        made = Instruction(ASSOCIATED, b"", [AccountMeta(*meta) for meta in metas])
        ledger.send(made, signers=[buyer])
    sale.transfer(into, associated(pooled.creator, pooled.mint), buyer, MILLION)
    sale.transfer(into, sale.vault.pubkey(), buyer, MILLION)
    sol = wrapped(sale, buyer, SOL)
    move = [(sol, False, True), (pooled.own_sol, False, True), (buyer.pubkey(), True, False)]
    ledger.send(Instruction(TOKEN, b"\x03" + struct.pack("<Q", SOL), [AccountMeta(*m) for m in move]), signers=[buyer])
    plan = pooled.plan()
    pooled.graduate()
    assert ledger.tokens(pooled.sol) == plan.pool_lamports + gift - ledger.svm.minimum_balance_for_rent_exemption(165)
    assert ledger.tokens(pooled.tokens) == plan.pool_tokens
    assert ledger.tokens(sale.vault.pubkey()) == 350 * MILLION + MILLION


def test_a_pool_somebody_made_before_us_is_not_in_the_way() -> None:
    """The canonical address is anybody's; ours is an address only the sale can sign for."""
    sale, buyer, into = closed_sale()
    pooled, ledger = Pooled(sale), sale.ledger
    sol = wrapped(sale, buyer, SOL)
    accounts = pool_accounts(buyer.pubkey(), pooled.mint, sol, into, TOKEN)
    theirs = accounts["poolState"]
    ledger.send(initialize(accounts, 1_000, 1_000), signers=[buyer])
    assert POOL.read_account("PoolState", ledger.data(theirs))["lpSupply"] == 1_000
    pooled.graduate()
    assert ledger.tokens(pooled.sol) == sale.state()["pooledLamports"] > 0


def test_the_pool_trades_by_the_rules_of_cpmm() -> None:
    """chains.md 3.2: fee = ceil(in · 2,500 / 10^6), out = floor((in - fee) · Vout / (Vin + in - fee))."""
    pooled, buyer, into = graduated(TOKEN_2022, FEE_BPS)
    sol, fee = wrapped(pooled.sale, buyer, 20 * SOL), TransferFee(FEE_BPS)
    ledger = pooled.ledger
    reserves, amount = [ledger.tokens(pooled.sol), ledger.tokens(pooled.tokens)], 7 * SOL + 1
    expected, held = constant_product.swap(amount, *reserves), ledger.tokens(into)
    ((_, told),) = swaps(pooled.swap(buyer, (sol, into), amount, after_fee(fee, expected.out), buy=True))
    assert (told["inputAmount"], told["outputAmount"], told["outputTransferFee"]) == (
        amount,
        expected.out,
        expected.out - after_fee(fee, expected.out),
    )
    assert ledger.tokens(into) - held == after_fee(fee, expected.out)
    state = pooled.state()
    set_aside = [(state[f"{whose}FeesToken0"], state[f"{whose}FeesToken1"]) for whose in ("protocol", "fund")]
    assert [max(pair) for pair in set_aside] == [expected.protocol, expected.fund]
    arrived = after_fee(fee, MILLION)
    back = constant_product.swap(
        arrived, reserves[1] - expected.out, reserves[0] + amount - expected.protocol - expected.fund
    )
    before = ledger.tokens(sol)
    pooled.swap(buyer, (sol, into), MILLION, back.out, buy=False)
    assert ledger.tokens(sol) - before == back.out


def test_the_pool_has_one_configuration_and_it_is_raydiums_first() -> None:
    config = POOL.read_account("AmmConfig", closed_sale()[0].ledger.data(AMM_CONFIG))
    assert {name: config[name] for name in FEES} == FEES
    assert (config["protocolOwner"], config["fundOwner"]) == (SYSTEM, SYSTEM)


def test_time_runs_from_graduation() -> None:
    pooled, _, _ = graduated()
    now = pooled.vested()
    assert (now["startsAt"], now["cliffSeconds"], now["vestSeconds"]) == (START, 15_552_000, 62_208_000)
    assert now["beneficiary"] == pooled.sale.other.pubkey()
