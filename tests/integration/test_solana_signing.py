"""What the platform's key signs and what it refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from pydantic import SecretStr
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from domain.launchpad.signing import MEMO, METAPLEX
from domain.launchpad.transactions import Instruction, LandKey, Outcome
from domain.shared.errors import Broken, Rejected, Unavailable
from gateways.solana.signer import LocalSolanaSigner
from storage.database import transaction
from storage.events import new_id, trip
from storage.launchpad import transactions
from tests.landing_lab import PAID, LandingLab, open_landing_lab, refused, run
from tests.svm_lab import LOADER, SOL


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[LandingLab]:
    async with open_landing_lab(database) as opened:
        yield opened


async def test_a_key_has_one_plan(lab: LandingLab) -> None:
    plan = lab.transfer("pay")
    async with transaction(lab.books.pool) as connection:
        first = await transactions.plan(connection, plan)
        assert await transactions.plan(connection, plan) == first
        with pytest.raises(Broken, match="planned with other instructions"):
            await transactions.plan(connection, plan.model_copy(update={"most_lamports": 1}))


async def test_programs_that_are_not_ours_are_not_signed_for(lab: LandingLab) -> None:
    step = Instruction(program=str(Pubkey.new_unique()))
    await lab.plan("foreign", instructions=(step,))
    assert "not to be signed" in (await refused(lab.land("foreign"))).detail
    for kind, program in (("sale", str(LOADER)), ("deployment", MEMO), ("sale_trade", METAPLEX)):
        await lab.plan(kind, subject_kind=kind, instructions=(Instruction(program=program),))
        assert "not to be signed" in (await refused(lab.land(kind))).detail
    assert lab.sent() == 0


async def test_the_wallet_loses_no_more_than_was_planned(lab: LandingLab) -> None:
    await lab.plan("dear", most_lamports=PAID + 4_999)
    assert f"would cost {PAID + 5_000}" in (await refused(lab.land("dear"))).detail
    await lab.plan("right", most_lamports=PAID + 5_000)
    assert (await lab.land("right")).outcome is Outcome.LANDED
    assert lab.landings() == 1


async def test_the_signer_has_a_limit_of_its_own(lab: LandingLab) -> None:
    """Whoever can write plans still cannot empty the wallet."""
    await lab.plan("all", lamports=50 * SOL, most_lamports=60 * SOL)
    assert "the signer allows" in (await refused(lab.land("all"))).detail
    assert await lab.attempts("all") == []


async def test_the_platform_pays_nobody_whom_no_plan_of_ours_pays(lab: LandingLab) -> None:
    """Not even as much as the signer's own limit lets through."""
    await lab.plan("away", to=Pubkey.new_unique(), lamports=SOL)
    await lab.plan("sale", subject_kind="sale")
    await lab.plan("other", subject_kind="other")
    for key in ("away", "sale", "other"):
        assert "not to be signed" in (await refused(lab.land(key))).detail
        assert await lab.attempts(key) == []


async def launch(lab: LandingLab, budget: int) -> str:
    launch_id, account = new_id(), await lab.account()
    await lab.rows(
        """INSERT INTO launchpad.launches (id, account_id, request, cluster, signing, creator_wallet, budget_lamports)
           VALUES (%s, %s, '{}', 'localnet', 'platform', 'w', %s)""",
        launch_id, account, budget,
    )  # fmt: skip
    return launch_id


async def test_a_launch_has_a_budget(lab: LandingLab) -> None:
    launch_id = await launch(lab, 3 * PAID)
    of = {"subject_kind": "launch", "subject_id": launch_id, "most_lamports": PAID + 10_000}
    await lab.plan("mint", **of)
    async with lab.meanwhile(lab.land("mint", finalized=True)):
        await lab.seen()
        lab.svm.finalize()
    spent = await lab.row("SELECT spent_lamports FROM launchpad.launches WHERE id = %s", launch_id)
    assert spent["spent_lamports"] == PAID + 5_000
    await lab.plan("sale", **of)
    await lab.sign("sale")
    await lab.plan("pool", **of)
    assert f"the launch's budget has {PAID - 15_000}" in (await refused(lab.sign("pool"))).detail


async def test_the_kill_switch_holds_launches_and_nothing_else(lab: LandingLab) -> None:
    await lab.plan("mint", subject_kind="launch", subject_id=await launch(lab, SOL))
    await lab.plan("refund")
    async with transaction(lab.books.pool) as connection:
        await trip(connection, "launchpad.launches", "test", "test")
    with pytest.raises(Unavailable, match="switched off"):
        await lab.sign("mint")
    assert (await lab.land("refund")).outcome is Outcome.LANDED


async def test_nothing_is_signed_for_a_launch_that_ended_and_no_mint_of_one_to_be_given_up(lab: LandingLab) -> None:
    given_up, undone = await launch(lab, SOL), await launch(lab, SOL)
    of = {"subject_kind": "launch", "subject_id": given_up}
    for key in ("mint", "create_sale"):
        await lab.plan(f"launch:{given_up}:{key}", **of)
    await lab.plan("undone", subject_kind="launch", subject_id=undone)
    async with transaction(lab.books.pool) as connection:
        await connection.execute(
            "UPDATE launchpad.launches SET cancel_requested_at = clock_timestamp() WHERE id = %s", [given_up]
        )
        await connection.execute("UPDATE launchpad.launches SET status = 'undone' WHERE id = %s", [undone])
    for key in (f"launch:{given_up}:mint", "undone"):
        with pytest.raises(Rejected) as never:
            await lab.sign(key)
        assert never.value.code == "conflict"
        assert (await lab.store.get(key)).newest is None
    await lab.sign(f"launch:{given_up}:create_sale")


async def test_two_plans_of_the_same_instructions_are_two_payments(lab: LandingLab) -> None:
    lab.svm.control.perform("clock", {"running": False})  # the same blockhash for both
    await lab.plan("one")
    await lab.plan("two")
    one, two = await lab.sign("one"), await lab.sign("two")
    lab.svm.control.perform("clock", {"running": True})
    assert one.signature != two.signature
    for signed in (one, two):
        await lab.send(signed)
    assert lab.landings() == 2


async def test_a_higher_price_is_offered_when_signed_again_and_never_above_the_cap(lab: LandingLab) -> None:
    lab.svm.view(port=0, fee_floor=1_000)
    plan = lab.transfer("pay")
    first = await lab.drafting().draft(plan)
    assert first.compute_price_micro_lamports == 1_000
    assert (await lab.drafting().draft(plan, price_least=1_500)).compute_price_micro_lamports == 1_500
    assert (await lab.drafting(price_most=600).draft(plan, price_least=900)).compute_price_micro_lamports == 600
    assert first.fee_lamports == 5_000 + -(-first.compute_limit * 1_000 // 10**6)
    await lab.plan("priced")
    landing = await lab.land("priced")
    planned = await lab.store.get("priced")
    assert planned.newest is not None
    assert landing.fee_lamports == 5_000 + -(-planned.newest.compute_limit * 1_000 // 10**6)


async def test_a_node_of_another_cluster_gets_nothing_signed(lab: LandingLab) -> None:
    await lab.plan("pay")
    with pytest.raises(Broken, match="wrong_chain"):
        await run(lab.signing(cluster="mainnet-beta").sign_solana, LandKey(key="pay"))
    assert await lab.attempts("pay") == []


def test_the_key_shows_itself_nowhere() -> None:
    key = Keypair()
    for text in (str(key), str(list(bytes(key)))):
        signer = LocalSolanaSigner(SecretStr(text))
        assert signer.address == str(key.pubkey())
        assert text not in repr(signer)
    with pytest.raises(ValueError, match="not a Solana keypair") as failure:
        LocalSolanaSigner(SecretStr("[1, 2, 3]"))
    assert failure.value.__cause__ is None
    with pytest.raises(TypeError):
        signer.__reduce__()
