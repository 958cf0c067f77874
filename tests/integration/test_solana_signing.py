"""What the platform's key signs and what it refuses; what a wallet signs, hands in, and lands."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from domain.launchpad.signing import MEMO, METAPLEX
from domain.launchpad.transactions import Instruction, LandKey, Meta, Outcome, Plan
from domain.shared.errors import Broken, Rejected, Unavailable
from gateways.solana.messages import read_signed
from gateways.solana.signer import LocalSolanaSigner
from storage.database import transaction
from storage.events import new_id, trip
from storage.intents.solana import Issued, Submitted, issue, plan_of, submit
from storage.launchpad import transactions
from tests.landing_lab import PAID, LandingLab, open_landing_lab, plain, refused, run
from tests.svm_lab import LOADER, SOL, pays


class Wallet:
    """A user's: asks for messages, signs them, hands them in."""

    def __init__(self, lab: LandingLab) -> None:
        self.lab, self.key = lab, Keypair()
        self.address = str(self.key.pubkey())
        lab.svm.fund(self.key.pubkey(), 10 * SOL)
        lab.svm.warp(slots=100)

    def plan(self, key: str = "trade", *, cosigned: bool = False, **but: Any) -> Plan:
        """A payment of this wallet; `cosigned`: which the platform has to sign as well."""
        step = plain(pays(self.key, self.lab.payee, PAID))
        witness = Instruction(program=MEMO, accounts=(Meta(address=self.lab.platform, signer=True),), data="aGk=")
        steps = (step, witness) if cosigned else (step,)
        return self.lab.transfer(key, payer=self.key, **{"instructions": steps, "most_lamports": 0, **but})

    async def ask(self, plan: Plan) -> Issued:
        draft = await self.lab.drafting().draft(plan)
        async with transaction(self.lab.books.pool) as connection:
            return await issue(connection, plan, draft, platform=self.lab.platform)

    def sign(self, issued: Issued, key: Keypair | None = None) -> bytes:
        """As a wallet does: its own place is filled, the others are left as they were."""
        asked = VersionedTransaction.from_bytes(base64.b64decode(issued.transaction_base64))
        own, signatures = key or self.key, list(asked.signatures)
        signatures[list(asked.message.account_keys).index(self.key.pubkey())] = own.sign_message(
            read_signed(bytes(asked)).message
        )
        return bytes(VersionedTransaction.populate(asked.message, signatures))

    async def hand_in(self, issued: Issued, raw: bytes) -> Submitted:
        async with transaction(self.lab.books.pool) as connection:
            return await submit(
                connection, issued.transaction_id, self.lab.drafting().read_signed(raw), platform=self.lab.platform
            )


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[LandingLab]:
    async with open_landing_lab(database) as opened:
        yield opened


@pytest.fixture
def wallet(lab: LandingLab) -> Wallet:
    return Wallet(lab)


async def code(work: Any) -> str:
    with pytest.raises(Rejected) as rejected:
        await work
    return rejected.value.code


# --- the platform's key -----------------------------------------------------------------------------------------------


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


# --- a wallet's -------------------------------------------------------------------------------------------------------


async def test_what_a_wallet_signed_lands_once(lab: LandingLab, wallet: Wallet) -> None:
    issued = await wallet.ask(wallet.plan())
    submitted = await wallet.hand_in(issued, wallet.sign(issued))
    assert submitted == await wallet.hand_in(issued, wallet.sign(issued))
    landing = await lab.land("trade")
    assert (landing.outcome, landing.signature, landing.lost_lamports) == (Outcome.LANDED, submitted.signature, 0)
    assert lab.landings() == 1
    assert await code(wallet.ask(await of("trade", lab))) == "signature_not_awaited"


async def of(key: str, lab: LandingLab) -> Plan:
    async with transaction(lab.books.pool) as connection:
        return await plan_of(connection, key)


async def test_the_same_message_is_issued_while_it_can_land(wallet: Wallet) -> None:
    plan = wallet.plan()
    assert await wallet.ask(plan) == await wallet.ask(plan)


async def test_a_wallet_cannot_change_what_it_signs(wallet: Wallet) -> None:
    issued = await wallet.ask(wallet.plan())
    other = await wallet.ask(wallet.plan("other"))
    assert await code(wallet.hand_in(issued, wallet.sign(other))) == "transaction_altered"
    assert await code(wallet.hand_in(issued, wallet.sign(issued, Keypair()))) == "transaction_altered"
    assert await code(wallet.hand_in(issued, base64.b64decode(issued.transaction_base64))) == "transaction_altered"
    with pytest.raises(Rejected, match="bytes behind"):
        await wallet.hand_in(issued, wallet.sign(issued) + b"\0")
    with pytest.raises(Rejected, match="not a transaction"):
        await wallet.hand_in(issued, b"\1" + bytes(70))


async def test_the_platform_signs_last_and_only_what_was_planned(lab: LandingLab, wallet: Wallet) -> None:
    issued = await wallet.ask(wallet.plan(cosigned=True))
    assert "has not been signed" in (await refused(lab.land("trade"))).detail
    submitted = await wallet.hand_in(issued, wallet.sign(issued))
    assert submitted.signature is None
    landing = await lab.land("trade")
    assert (landing.outcome, lab.landings()) == (Outcome.LANDED, 1)
    other = await wallet.ask(wallet.plan("other", cosigned=True))
    await wallet.hand_in(other, wallet.sign(other))
    changed = "jsonb_set(instructions, '{1,data}', '\"eW8=\"')"  # by an attacker in the API
    await lab.rows(f"UPDATE launchpad.transactions SET instructions = {changed} WHERE key = 'other'")
    assert "is not what was planned" in (await refused(lab.land("other"))).detail
    assert lab.landings() == 1


async def test_a_message_that_ran_out_is_replaced_and_the_old_one_refused(lab: LandingLab, wallet: Wallet) -> None:
    old = await wallet.ask(wallet.plan(cosigned=True))
    lab.svm.warp(slots=120)
    new = await wallet.ask(wallet.plan(cosigned=True, subject_id=(await of("trade", lab)).subject_id))
    assert new.transaction_base64 != old.transaction_base64
    assert await code(wallet.hand_in(old, wallet.sign(old))) == "transaction_expired"
    await wallet.hand_in(new, wallet.sign(new))
    assert (await lab.land("trade")).outcome is Outcome.LANDED


async def test_a_message_of_the_wallet_alone_is_replaced_after_proof_only(lab: LandingLab, wallet: Wallet) -> None:
    plan = wallet.plan()
    old = await wallet.ask(plan)
    lab.svm.warp(slots=155)
    with pytest.raises(Unavailable):
        await wallet.ask(plan)
    lab.svm.finalize()
    assert (await wallet.ask(plan)).transaction_base64 != old.transaction_base64


@pytest.mark.parametrize("cosigned", [False, True])
async def test_signed_too_late_expires_and_another_can_be_issued(
    lab: LandingLab, wallet: Wallet, cosigned: bool
) -> None:
    plan = wallet.plan(cosigned=cosigned)
    issued = await wallet.ask(plan)
    await wallet.hand_in(issued, wallet.sign(issued))
    lab.svm.warp(slots=200)
    landing = await lab.land("trade")
    assert (landing.outcome, lab.landings(), await lab.attempts("trade")) == (Outcome.EXPIRED, 0, ["expired"])
    assert (await lab.land("trade")).outcome is Outcome.EXPIRED
    again = await wallet.ask(plan)
    await wallet.hand_in(again, wallet.sign(again))
    assert (await lab.land("trade")).outcome is Outcome.LANDED
    assert lab.landings() == 1
