"""What the platform's wallet may lose in 24 hours: held in the signer, whoever signs, and never what is owed back."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from solders.pubkey import Pubkey

from domain.launchpad.promo_refunds import refund_plan
from domain.launchpad.signing import MEMO
from domain.launchpad.transactions import Instruction, Outcome, SignedAttempt
from domain.shared.errors import Unavailable
from storage.database import transaction
from storage.events import new_id
from storage.launchpad.day_limit import Cost, check_day
from tests.integration.test_solana_paying_back import PAYMENT, paid, write
from tests.integration.test_solana_signing import launch
from tests.landing_lab import PAID, LandingLab, open_landing_lab
from tests.svm_lab import SOL

FEE = 5_000
ONE = PAID + FEE
"""What a plan of the lab takes."""
SPENT = """SELECT coalesce(sum(lost_lamports), 0)::bigint AS lamports FROM launchpad.transaction_attempts
           WHERE status <> 'expired'"""


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[LandingLab]:
    async with open_landing_lab(database) as opened:
        yield opened


async def held(lab: LandingLab, key: str) -> str:
    """It waits; what it is told."""
    with pytest.raises(Unavailable) as waits:
        await lab.sign(key)
    assert waits.value.code == "solana_day_limit"
    assert await lab.attempts(key) == []
    return waits.value.detail


async def yesterday(lab: LandingLab) -> None:
    await lab.rows("UPDATE launchpad.transaction_attempts SET ended_at = ended_at - interval '24 hours'")


async def test_what_is_beyond_the_day_waits_until_it_has_passed(lab: LandingLab) -> None:
    lab.store.day_lamports = 2 * ONE
    for key in ("one", "two", "three"):
        await lab.plan(key)
    assert (await lab.land("one")).outcome is Outcome.LANDED
    assert (await lab.land("two")).outcome is Outcome.LANDED
    assert await held(lab, "three") == "three takes 0.001005 SOL; 0.00201 SOL of 0.00201 SOL are spent in 24 hours"
    await yesterday(lab)
    assert (await lab.land("three")).outcome is Outcome.LANDED
    assert lab.landings() == 3


async def test_what_is_signed_and_may_land_is_spent(lab: LandingLab) -> None:
    """However long ago it was signed; what has expired is free again."""
    lab.store.day_lamports = ONE
    await lab.plan("one")
    await lab.plan("two")
    await lab.sign("one")
    await lab.rows("UPDATE launchpad.transaction_attempts SET created_at = created_at - interval '3 days'")
    await held(lab, "two")
    lab.svm.warp(slots=400)
    lab.svm.finalize()
    attempt = (await lab.store.get("one")).newest
    assert attempt is not None
    landing = await lab.send(SignedAttempt(key="one", number=1, signature=attempt.signature or ""))
    assert landing.outcome is Outcome.EXPIRED
    await lab.store.record(landing)
    assert (await lab.land("two")).outcome is Outcome.LANDED


async def test_two_signers_at_once_are_one_after_the_other(lab: LandingLab) -> None:
    lab.store.day_lamports = 3 * ONE
    keys = [f"pay:{number}" for number in range(8)]
    for key in keys:
        await lab.plan(key)
    told = await asyncio.gather(*(lab.sign(key) for key in keys), return_exceptions=True)
    assert sum(isinstance(one, SignedAttempt) for one in told) == 3
    assert {one.code for one in told if isinstance(one, Unavailable)} == {"solana_day_limit"}
    assert (await lab.row(SPENT))["lamports"] == 3 * ONE


async def test_launches_leave_a_fifth_to_what_exists(lab: LandingLab) -> None:
    lab.store.day_lamports = 5 * ONE
    for number in range(4):
        await lab.plan(f"first:{number}")
        await lab.land(f"first:{number}")
    of = {"subject_kind": "launch", "subject_id": await launch(lab, SOL), "most_lamports": ONE}
    await lab.plan("mint", **of)
    assert "0.00402 SOL of 0.00402 SOL" in await held(lab, "mint")
    await lab.plan("fifth")
    assert (await lab.land("fifth")).outcome is Outcome.LANDED
    await lab.plan("sixth")
    await held(lab, "sixth")


async def test_what_is_owed_back_never_waits(lab: LandingLab) -> None:
    """Refunds of buyers and of promotions cost the network's fee and nothing else, and that is counted."""
    lab.store.day_lamports = 0
    note = Instruction(program=MEMO, data=base64.b64encode(b"refund").decode())
    await lab.plan("refund", subject_kind="sale_refund", subject_id=new_id(), instructions=(note,))
    assert (await lab.land("refund")).outcome is Outcome.LANDED
    owed = await paid(lab)
    before = lab.svm.lamports(Pubkey.from_string(owed.payer))
    assert (await lab.land(await write(lab, refund_plan(owed, lab.platform)))).outcome is Outcome.LANDED
    assert lab.svm.lamports(Pubkey.from_string(owed.payer)) == before + PAYMENT
    assert (await lab.row(SPENT))["lamports"] == 2 * FEE


@pytest.mark.parametrize("kind", ["sale_refund", "sale", "promo_refund", "deployment"])
async def test_a_kind_alone_is_no_way_around_it(lab: LandingLab, kind: str) -> None:
    """What calls itself a refund and takes more than its fee waits as everything else."""
    plan = lab.transfer("dear", subject_kind=kind)
    lost = ONE + (PAID if kind == "promo_refund" else 0)  # what it pays back is no loss
    async with transaction(lab.books.pool) as connection:
        await check_day(connection, plan, Cost(lost, FEE), ONE)
        with pytest.raises(Unavailable, match="solana_day_limit"):
            await check_day(connection, plan, Cost(lost, FEE), ONE - 1)
