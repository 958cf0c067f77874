"""What a wallet signs, hands in, and lands; what the platform adds its signature to, and what it never does."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from solders.keypair import Keypair

from domain.launchpad.transactions import Outcome, Plan
from domain.shared.errors import Rejected, Unavailable
from storage.database import transaction
from storage.intents.solana import plan_of, submit
from storage.launchpad import transactions
from tests.landing_lab import LandingLab, open_landing_lab, refused
from tests.wallet_lab import Wallet


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


async def test_what_the_platform_signs_alone_cannot_be_asked_for_or_handed_in(lab: LandingLab, wallet: Wallet) -> None:
    """Whoever names the platform as the wallet of a trade must not be signed for."""
    trade = lab.transfer("mine", subject_kind="sale_trade")
    assert await code(wallet.ask(trade)) == "signature_not_awaited"
    row = await lab.plan("mine", subject_kind="sale_trade", subject_id=trade.subject_id)
    draft = await lab.drafting().draft(trade)
    empty = bytes([1]) + bytes(64) + draft.message
    async with transaction(lab.books.pool) as connection:
        await transactions.add_attempt(connection, row, 1, draft, None, None)
    handed = lab.drafting().read_signed(empty)
    async with transaction(lab.books.pool) as connection:
        assert await code(submit(connection, row, handed, platform=lab.platform)) == "signature_not_awaited"
    kept = "UPDATE launchpad.transaction_attempts SET status = 'signed', raw = %s WHERE transaction_id = %s"
    await lab.rows(kept, empty, row)  # by an attacker in the API
    assert "no wallet but the platform's" in (await refused(lab.land("mine"))).detail
    assert (lab.sent(), lab.landings()) == (0, 0)


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


async def test_a_slow_signer_ends_nothing_that_another_has_completed(lab: LandingLab, wallet: Wallet) -> None:
    issued = await wallet.ask(wallet.plan(cosigned=True))
    await wallet.hand_in(issued, wallet.sign(issued))
    seen = await lab.store.get("trade")
    assert seen.newest is not None
    signed = await lab.sign("trade")
    with pytest.raises(Unavailable, match="signed meanwhile"):
        await lab.store.cosign(seen, 0, b"another", "another")
    assert await lab.store.expire_unsigned(seen) == signed
    assert (await lab.attempts("trade"), await lab.sign("trade")) == (["signed"], signed)
    assert (await lab.send(signed)).outcome is Outcome.LANDED
    assert lab.landings() == 1


async def test_a_slow_signer_does_not_complete_what_was_issued_anew(lab: LandingLab, wallet: Wallet) -> None:
    plan = wallet.plan(cosigned=True)
    issued = await wallet.ask(plan)
    await wallet.hand_in(issued, wallet.sign(issued))
    seen = await lab.store.get("trade")
    assert (await lab.store.expire_unsigned(seen)).ended == (await lab.store.expire_unsigned(seen)).ended
    assert await lab.attempts("trade") == ["expired"]
    await wallet.ask(plan)
    with pytest.raises(Unavailable):
        await lab.store.cosign(seen, 0, b"late", "late")
    with pytest.raises(Unavailable, match="issued anew"):
        await lab.store.expire_unsigned(seen)
    assert await lab.attempts("trade") == ["expired", "issued"]


async def test_what_was_given_up_is_not_signed_any_more(lab: LandingLab, wallet: Wallet) -> None:
    give_up = "UPDATE launchpad.transactions SET status = 'abandoned' WHERE key = %s"
    await lab.plan("pay")
    await lab.rows(give_up, "pay")
    landing = await lab.land("pay")
    assert (landing.outcome, landing.code, await lab.attempts("pay")) == (Outcome.EXPIRED, "abandoned", [])
    issued = await wallet.ask(wallet.plan(cosigned=True))
    await wallet.hand_in(issued, wallet.sign(issued))
    await lab.rows(give_up, "trade")
    assert (await lab.land("trade")).outcome is Outcome.EXPIRED
    assert (lab.sent(), lab.landings()) == (0, 0)


async def test_what_was_given_up_after_it_was_signed_is_still_looked_after(lab: LandingLab) -> None:
    await lab.plan("pay")
    await lab.sign("pay")
    await lab.rows("UPDATE launchpad.transactions SET status = 'abandoned' WHERE key = 'pay'")
    assert ((await lab.land("pay")).outcome, await lab.status("pay")) == (Outcome.LANDED, "landed")
