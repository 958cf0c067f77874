"""What the signer pays back for promotions: what the books owe and the chain has seen, once, and nothing that only says
it is that."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from solders.instruction import Instruction as Built
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from domain.launchpad.promo import memo
from domain.launchpad.promo_refunds import Owed, refund_plan
from domain.launchpad.signing import MEMO
from domain.launchpad.transactions import Instruction, Outcome, Plan
from domain.shared.errors import Unavailable
from storage.database import transaction
from storage.events import new_id
from storage.launchpad import transactions
from tests.landing_lab import LandingLab, open_landing_lab, refused
from tests.launchpad_rows import project
from tests.svm_lab import SOL, blockhash, pays, send, signed

PAYMENT = 2 * SOL


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[LandingLab]:
    async with open_landing_lab(database) as opened:
        yield opened


async def paid(lab: LandingLab, **but: Any) -> Owed:
    """A payment on the chain, and the promotion that owes it back."""
    payer, account = Keypair(), await lab.account()
    lab.svm.fund(payer.pubkey(), 10 * SOL)
    said = Built(Pubkey.from_string(MEMO), memo(account).encode(), [])
    steps = [pays(payer, lab.key.pubkey(), PAYMENT), said]
    url = lab.svm.urls[0]
    payment = await send(url, signed(payer, steps, await blockhash(url)))
    lab.svm.finalize()
    found = {"payer": str(payer.pubkey()), "lamports": PAYMENT, "payment_signature": payment, "status": "refund_due"}
    async with transaction(lab.books.pool) as connection:
        row = await project(connection, account, status="undone", sale=False)
        owed = Owed(**{**found, "id": new_id(), "project_id": row.project_id, "cluster": "localnet",
                       "account_id": account, **but})  # fmt: skip
        await connection.execute(
            """INSERT INTO launchpad.promo_activations
                 (id, project_id, tier_lamports, features, payment_signature, payer, received_lamports, status)
               VALUES (%s, %s, 500000000, '{}', %s, %s, %s, %s)""",
            [owed.id, owed.project_id, owed.payment_signature, owed.payer, owed.lamports, owed.status],
        )
    return owed


async def write(lab: LandingLab, plan: Plan) -> str:
    async with transaction(lab.books.pool) as connection:
        await transactions.plan(connection, plan)
    return plan.key


async def never(lab: LandingLab, plan: Plan, why: str) -> None:
    """It is refused for this reason, and nothing of it was signed."""
    key = await write(lab, plan)
    assert why in (await refused(lab.sign(key))).detail
    assert await lab.attempts(key) == []


async def test_what_came_in_is_paid_back_to_whom_it_came_from(lab: LandingLab) -> None:
    owed = await paid(lab)
    before = lab.svm.lamports(Pubkey.from_string(owed.payer))
    landing = await lab.land(await write(lab, refund_plan(owed, lab.platform)))
    assert landing.outcome is Outcome.LANDED
    assert lab.svm.lamports(Pubkey.from_string(owed.payer)) == before + PAYMENT
    assert landing.lost_lamports == PAYMENT + 5_000


async def test_only_the_one_transfer_that_the_books_owe_is_signed(lab: LandingLab) -> None:
    owed, thief = await paid(lab), str(Pubkey.new_unique())
    true = refund_plan(owed, lab.platform)
    key, twice = true.key, true.instructions * 2
    other = refund_plan(owed.model_copy(update={"payer": thief}), lab.platform)
    more = refund_plan(owed.model_copy(update={"lamports": PAYMENT + 1}), lab.platform)
    for number, (plan, why) in enumerate(
        [
            (other, "not what the books owe"),
            (more, "not what"),
            (true, "not what the books owe"),  # a second one beside the true one
            (true.model_copy(update={"instructions": twice}), "is none of a promo_refund"),
            (true.model_copy(update={"subject_id": new_id()}), "was never paid"),
            (true.model_copy(update={"instructions": (Instruction(program=MEMO, data="aGk="),)}), "not to be signed"),
        ]
    ):
        await never(lab, plan.model_copy(update={"key": f"{key}:{number}"}), why)
    assert lab.svm.signatures(Pubkey.from_string(thief)) == []
    assert (await lab.land(await write(lab, true))).outcome is Outcome.LANDED


@pytest.mark.parametrize("status", ["claimed", "active", "expired", "refunded"])
async def test_what_is_not_owed_is_not_paid_back(lab: LandingLab, status: str) -> None:
    owed = await paid(lab, status=status)
    await never(lab, refund_plan(owed, lab.platform), f"{status} is not owed back")


async def test_the_books_alone_are_not_believed(lab: LandingLab) -> None:
    """Amount and payer must be those of the payment on the chain, for this account."""
    thief = str(Pubkey.new_unique())
    for lie in ({"payer": thief}, {"lamports": PAYMENT + 1}):
        owed = await paid(lab, **lie)
        await never(lab, refund_plan(owed, lab.platform), "not what it says")
    owed = await paid(lab)
    await lab.rows("UPDATE launchpad.launches SET account_id = %s WHERE id = %s", await lab.account(), owed.project_id)
    await never(lab, refund_plan(owed, lab.platform), "paid 0 lamports")


async def test_a_payment_that_no_node_shows_is_waited_for(lab: LandingLab) -> None:
    owed = await paid(lab, payment_signature=str(Keypair().sign_message(b"never sent")))
    key = await write(lab, refund_plan(owed, lab.platform))
    with pytest.raises(Unavailable, match="is not shown by the nodes"):
        await lab.sign(key)
    assert await lab.attempts(key) == []


async def test_a_transfer_of_another_kind_does_not_call_itself_one(lab: LandingLab) -> None:
    """The wallet pays nobody under any other kind: the data of the true plan, said to be a sale's."""
    owed = await paid(lab)
    true = refund_plan(owed, lab.platform)
    assert int.from_bytes(base64.b64decode(true.instructions[0].data)[4:], "little") == PAYMENT
    for kind in ("sale", "sale_refund", "launch", "deployment"):
        plan = true.model_copy(update={"key": f"{kind}:x", "subject_kind": kind})
        await never(lab, plan, "not to be signed")
