"""After graduation: the team's wait, ecosystem and reserve, empty positions, the supply of a failed sale."""

from __future__ import annotations

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.rent import Rent

from domain.launchpad.vesting import vested
from tests.programs.graduation_lab import ENDED, Pooled, closed_sale, graduated, supply_of
from tests.programs.lab import Sale, copied, latched, opened
from tests.programs.ledger import FEE_BPS, MILLION, SOL, START, SYSTEM, TOKEN_2022, Refused, call, events, find

CLIFF, END = 15_552_000, 62_208_000


def test_nothing_before_the_cliff_everything_at_the_end() -> None:
    pooled, _, _ = graduated()
    sale, ledger = pooled.sale, pooled.ledger
    into = sale.new_account(sale.other.pubkey())
    whole, before = pooled.vested(), ledger.lamports(sale.other.pubkey())
    for elapsed in (1, CLIFF):
        ledger.set_time(START + elapsed)
        with pytest.raises(Refused, match="nothingDue"):
            pooled.claim_vested(into)
    for elapsed in (CLIFF + 1, CLIFF + 12_345_678, END - 1, END):
        ledger.set_time(START + elapsed)
        pooled.claim_vested(into)
        due = [vested(whole[name], elapsed, CLIFF, END) for name in ("lamports", "tokens")]
        assert [ledger.lamports(sale.other.pubkey()) - before, ledger.tokens(into)] == due
        with pytest.raises(Refused, match="nothingDue"):
            pooled.claim_vested(into)
    assert due == [whole["lamports"], whole["tokens"]] == [24 * SOL, 150 * MILLION]
    assert ledger.lamports(pooled.vesting) == ledger.svm.minimum_balance_for_rent_exemption(128)


def test_the_team_can_be_paid_nowhere_else() -> None:
    pooled, _, into = graduated()
    sale, ledger = pooled.sale, pooled.ledger
    mine = sale.new_account(sale.other.pubkey())
    ledger.set_time(START + END)
    lies = {
        "sale": (copied(sale, sale.key), "wrongOwner"),
        "vesting": (copied(sale, pooled.vesting), "wrongOwner"),
        "mint": (WRONG, "wrongAddress"),
        "vault": (sale.new_account(sale.key), "wrongAddress"),
        "beneficiary": (sale.creator.pubkey(), "wrongAddress"),  # it may be the platform, which only signed
        "beneficiaryTokens": (into, "wrongAddress"),
        "tokenProgram": (TOKEN_2022, "wrongAddress"),
    }
    for name, (key, refused) in lies.items():
        with pytest.raises(Refused, match=refused):
            pooled.claim_vested(mine, **{name: key})
    with pytest.raises(Refused, match="wrongKind"):
        pooled.claim_vested(mine, vesting=sale.key)
    with pytest.raises(Refused, match="wrongOwner"):
        pooled.claim_vested(mine, beneficiaryTokens=copied(sale, mine))
    own = {"beneficiary": sale.other.pubkey(), "beneficiaryTokens": mine}
    step = call("claimVested", {**pooled.accounts(), **own})
    metas = [AccountMeta(m.pubkey, False, m.is_writable and m.pubkey != sale.other.pubkey()) for m in step.accounts]
    with pytest.raises(Refused, match="notWritable"):
        ledger.send(Instruction(step.program_id, step.data, metas))
    pooled.claim_vested(mine)


WRONG = Pubkey.from_string("Wrong11111111111111111111111111111111111111")


def test_a_fee_rounded_up_cannot_eat_the_teams_tokens_slice_by_slice() -> None:
    """Anybody claims for the team, second by second if he likes: a small slice of tokens waits, SOL does not."""
    pooled, _, _ = graduated(TOKEN_2022, FEE_BPS)
    sale, ledger = pooled.sale, pooled.ledger
    into, whole = sale.new_account(sale.other.pubkey()), 150 * MILLION
    after = CLIFF + (END - CLIFF) // 100
    for elapsed, tokens in ((CLIFF + 60, 0), (after - 60, 0), (after + 60, vested(whole, after + 60, CLIFF, END))):
        ledger.set_time(START + elapsed)
        before = ledger.lamports(sale.other.pubkey())
        ((_, told),) = events(pooled.claim_vested(into))
        assert told["tokens"] == tokens
        assert ledger.lamports(sale.other.pubkey()) - before == told["lamports"] > 0
    ledger.set_time(START + END - 1)
    pooled.claim_vested(into)
    ledger.set_time(START + END)
    ((_, told),) = events(pooled.claim_vested(into))
    assert 0 < told["tokens"] < whole // 100
    assert pooled.vested()["claimedTokens"] == whole


def test_what_vested_is_paid_though_the_rent_is_told_otherwise() -> None:
    pooled, _, _ = graduated()
    into = pooled.sale.new_account(pooled.sale.other.pubkey())
    pooled.ledger.set_time(START + END)
    pooled.ledger.svm.set_rent(Rent(6_960, 1.0, 50))
    pooled.claim_vested(into)
    assert pooled.vested()["claimedLamports"] == 24 * SOL


def test_one_sale_cannot_be_paid_from_anothers_vesting() -> None:
    pooled, _, _ = graduated()
    second = Sale(pooled.ledger)
    second.creator, second.other = pooled.sale.creator, pooled.sale.other
    second.key = find(b"sale", second.mint.pubkey(), second.creator.pubkey(), second.platform.pubkey())
    second.mint_all()
    second.open()
    into = second.new_account(second.other.pubkey())
    pooled.ledger.set_time(START + END)
    with pytest.raises(Refused, match="wrongAddress"):
        Pooled(second).claim_vested(into, vesting=pooled.vesting)


def test_ecosystem_and_reserve_go_to_the_named_owner_once() -> None:
    pooled, _, into = graduated()
    sale = pooled.sale
    mine = sale.new_account(sale.other.pubkey())
    for lies in ({"ownerTokens": into}, {"vault": sale.new_account(sale.key)}, {"tokenProgram": TOKEN_2022}):
        with pytest.raises(Refused, match="wrongAddress"):
            pooled.release_other(mine, **lies)
    with pytest.raises(Refused, match="wrongOwner"):
        pooled.release_other(mine, sale=copied(sale, sale.key))
    ((_, told),) = events(pooled.release_other(mine))
    assert (told["tokens"], told["owner"]) == (200 * MILLION, sale.other.pubkey())
    assert pooled.ledger.tokens(mine) == 200 * MILLION
    with pytest.raises(Refused, match="nothingDue"):
        pooled.release_other(mine)


def test_nothing_is_released_before_graduation() -> None:
    sale, _, _ = closed_sale()
    pooled = Pooled(sale)
    with pytest.raises(Refused, match="notGraduated"):
        pooled.release_other(sale.new_account(sale.other.pubkey()))
    with pytest.raises(Refused, match="wrongOwner"):
        pooled.claim_vested(sale.new_account(sale.other.pubkey()))


def close(sale: Sale, who: Pubkey, /, **lies: Pubkey) -> None:
    sale.ledger.send(call("closePosition", {**sale.accounts(who), **lies}))


def test_an_empty_position_returns_its_rent_when_the_sale_is_over() -> None:
    sale, buyer, _ = latched()
    other = sale.ledger.wallet()
    with pytest.raises(Refused, match="notEnded"):  # it counts what the wallet bought, for the limit per wallet
        close(sale, buyer.pubkey())
    sale.buy(other, MILLION, into=sale.new_account(other.pubkey()))
    sale.ledger.set_time(ENDED)
    with pytest.raises(Refused, match="wrongAddress"):
        close(sale, buyer.pubkey(), buyer=other.pubkey())
    before = sale.ledger.lamports(buyer.pubkey())
    close(sale, buyer.pubkey())
    assert sale.position(buyer.pubkey()) is None
    assert sale.ledger.lamports(buyer.pubkey()) - before == sale.ledger.svm.minimum_balance_for_rent_exemption(144)
    with pytest.raises(Refused, match="wrongOwner"):
        close(sale, buyer.pubkey())


def test_a_position_that_holds_something_stays() -> None:
    sale = opened()
    chain = [sale.ledger.wallet(), sale.ledger.wallet()]
    sale.register(chain[0], None)
    sale.register(chain[1], chain[0].pubkey())
    sale.buy(chain[1], 150 * MILLION)
    sale.ledger.set_time(ENDED)
    with pytest.raises(Refused, match="notEmpty"):
        close(sale, chain[1].pubkey())
    sale.claim(chain[1].pubkey(), sale.new_account(chain[1].pubkey()))
    with pytest.raises(Refused, match="notEmpty"):  # the upline's share
        close(sale, chain[1].pubkey())


def reclaim(sale: Sale, /, **lies: Pubkey) -> None:
    sale.ledger.send(call("reclaim", {**sale.accounts(), **lies}))


def test_the_supply_of_a_failed_sale_is_destroyed_and_refunds_stay_due() -> None:
    sale = opened(TOKEN_2022, FEE_BPS)
    buyer = sale.ledger.wallet()
    before = sale.ledger.lamports(buyer.pubkey())
    sale.buy(buyer, MILLION)
    with pytest.raises(Refused, match="notEnded"):
        reclaim(sale)
    sale.ledger.set_time(ENDED)
    for name, refused in (("mint", "wrongAddress"), ("vault", "wrongAddress"), ("sale", "wrongOwner")):
        with pytest.raises(Refused, match=refused):
            reclaim(sale, **{name: copied(sale, sale.accounts()[name])})
    reclaim(sale)
    assert (supply_of(sale), sale.ledger.tokens(sale.vault.pubkey())) == (0, 0)
    with pytest.raises(Refused, match="nothingDue"):
        reclaim(sale)
    sale.refund(buyer.pubkey())
    assert sale.ledger.lamports(buyer.pubkey()) == before


def test_a_donation_to_the_vault_does_not_allow_a_second_reclaim() -> None:
    sale = opened()
    sale.ledger.send(call("cancelSale", sale.accounts()), signers=[sale.creator])
    reclaim(sale)
    with pytest.raises(Refused, match="nothingDue"):
        reclaim(sale)
    assert sale.state()["status"] == 3


def test_a_successful_sale_is_never_reclaimed() -> None:
    sale, _, _ = latched()
    sale.ledger.set_time(ENDED)
    with pytest.raises(Refused, match="latched"):
        reclaim(sale)
    Pooled(sale).graduate()
    with pytest.raises(Refused, match="latched"):
        reclaim(sale)


@pytest.mark.parametrize("name", ["claimVested", "releaseOther", "reclaim", "closePosition", "harvest"])
def test_their_data_and_accounts_are_counted(name: str) -> None:
    pooled, buyer, into = graduated()
    own = {"beneficiary": SYSTEM, "beneficiaryTokens": into, "ownerTokens": into, "rewardsTokens": into}
    step = call(name, {**pooled.accounts(), **pooled.sale.accounts(buyer.pubkey()), **own})
    for metas, data, refused in (
        (step.accounts[:-1], step.data, "badAccounts"),
        (step.accounts, step.data + b"\0", "badData"),
    ):
        with pytest.raises(Refused, match=refused):
            pooled.ledger.send(Instruction(step.program_id, data, metas))
