"""Every fault of chains.md 6 against a real node on two ports: one effect on the chain, no false word of its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from domain.launchpad.transactions import Outcome
from tests.landing_lab import PAID, LandingLab, open_landing_lab, refused

WINDOW = 151
"""Blocks for which a blockhash is good, and one."""


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[LandingLab]:
    async with open_landing_lab(database) as opened:
        await opened.plan("pay")
        yield opened


def both(lab: LandingLab, fault: str, times: int | None = 1, **more: object) -> None:
    """The same fault of sendTransaction on both ports."""
    for port in (0, 1):
        lab.svm.fail("sendTransaction", fault, port=port, times=times, **more)


async def test_it_lands_once_and_its_cost_is_told(lab: LandingLab) -> None:
    before = lab.svm.lamports(lab.key.pubkey())
    landing = await lab.land("pay")
    assert (landing.outcome, landing.finalized, lab.landings()) == (Outcome.LANDED, False, 1)
    assert landing.lost_lamports == before - lab.svm.lamports(lab.key.pubkey()) == PAID + landing.fee_lamports
    assert await lab.status("pay") == "landed"


async def test_landed_and_final_are_two_words(lab: LandingLab) -> None:
    async with lab.meanwhile(lab.land("pay", finalized=True)) as landing:
        await lab.seen()
        lab.svm.confirm()
        assert not landing.done()
        lab.svm.finalize()
    assert (landing.result().finalized, lab.landings()) == (True, 1)
    assert await lab.status("pay") == "finalized"
    assert (await lab.land("pay", finalized=True)).signature == landing.result().signature
    assert lab.landings() == 1


async def test_dropped_bytes_are_sent_again_and_not_signed_again(lab: LandingLab) -> None:
    both(lab, "drop", times=2)
    assert (await lab.land("pay")).outcome is Outcome.LANDED
    assert (await lab.attempts("pay"), lab.landings()) == (["landed"], 1)
    assert lab.sent() >= 3


async def test_delayed_bytes_land_once(lab: LandingLab) -> None:
    both(lab, "delay", times=None, slots=8)
    assert (await lab.land("pay")).outcome is Outcome.LANDED
    assert (await lab.attempts("pay"), lab.landings()) == (["landed"], 1)


async def test_duplicated_bytes_land_once(lab: LandingLab) -> None:
    both(lab, "duplicate", times=None)
    assert (await lab.land("pay")).outcome is Outcome.LANDED
    assert lab.landings() == 1


async def test_what_expired_is_signed_anew_after_proof_alone(lab: LandingLab) -> None:
    both(lab, "drop", times=1)
    lab.svm.fail("sendTransaction", "drop", port=0, times=None, skip=1)
    lab.svm.fail("sendTransaction", "drop", port=1, times=None, skip=1)
    async with lab.meanwhile(lab.land("pay")) as landing:
        await lab.seen()
        lab.svm.warp(slots=WINDOW)
        await lab.seen(2)
        assert await lab.attempts("pay") == ["signed"]  # the blockhash is too old, but not on the finalized chain
        lab.svm.heal()
        lab.svm.finalize()
    assert (landing.result().outcome, landing.result().number) == (Outcome.LANDED, 2)
    assert (await lab.attempts("pay"), lab.landings()) == (["expired", "landed"], 1)


async def test_what_landed_in_the_last_block_is_not_called_expired(lab: LandingLab) -> None:
    """The answer to the send is lost, the chain goes on beyond the last valid block, and only then somebody looks."""
    signed = await lab.sign("pay")
    for port in (0, 1):
        lab.svm.fail("sendTransaction", "lost", port=port)
    planned = await lab.store.get("pay")
    assert planned.newest is not None
    assert planned.newest.raw is not None
    await lab.nodes.send(planned.newest.raw)
    lab.svm.warp(slots=500)
    landing = await lab.send(signed, finalized=True)
    assert (landing.outcome, landing.finalized, lab.landings()) == (Outcome.LANDED, True, 1)


async def test_a_failure_counts_when_it_is_final_and_names_its_error(lab: LandingLab) -> None:
    both(lab, "fails", custom=1)
    async with lab.meanwhile(lab.land("pay")) as landing:
        await lab.seen()
        lab.svm.confirm()
        assert not landing.done()
        lab.svm.finalize()
    found = landing.result()
    assert (found.outcome, found.finalized, found.code) == (Outcome.FAILED, True, "insufficient_funds")
    assert (await lab.attempts("pay"), await lab.status("pay"), lab.landings()) == (["failed"], "failed", 0)
    assert (await lab.land("pay")).outcome is Outcome.FAILED  # it stays so
    again = await lab.land("pay", again=True)
    assert (again.outcome, again.number, lab.landings()) == (Outcome.LANDED, 2, 1)


async def test_a_failure_on_a_fork_that_is_abandoned_is_no_failure(lab: LandingLab) -> None:
    both(lab, "fails", custom=1)
    async with lab.meanwhile(lab.land("pay")) as landing:
        await lab.seen(port=1)
        await lab.taken_back()
        assert not landing.done()
    assert (landing.result().outcome, lab.landings()) == (Outcome.LANDED, 1)


async def test_a_blockhash_of_a_fork_that_is_abandoned_is_replaced_after_proof(lab: LandingLab) -> None:
    async with lab.meanwhile(lab.land("pay", finalized=True)) as landing:
        await lab.seen(port=1)
        lab.svm.unconfirm(slots=20)  # the fork goes on without the slot that the message builds on
        await lab.seen(2)
        assert await lab.attempts("pay") == ["signed"]
        lab.svm.warp(slots=WINDOW + 32)
        await lab.until(lambda: lab.attempts("pay"), lambda all_of_them: len(all_of_them) == 2)
    assert (landing.result().number, await lab.attempts("pay")) == (2, ["expired", "landed"])
    assert lab.landings() == 1


async def test_what_would_fail_is_not_sent(lab: LandingLab) -> None:
    await lab.plan("too much", lamports=10**15, most_lamports=2 * 10**15)
    landing = await lab.land("too much")
    assert (landing.outcome, landing.signature, landing.code) == (Outcome.FAILED, None, "insufficient_funds")
    assert (lab.sent(), await lab.attempts("too much"), await lab.status("too much")) == (0, [], "planned")


async def test_unconfirmed_by_a_fork_and_landed_again_is_one_payment(lab: LandingLab) -> None:
    async with lab.meanwhile(lab.land("pay", finalized=True)) as landing:
        await lab.seen(port=1)
        lab.svm.warp(slots=5)
        await lab.taken_back()
        assert lab.landings() == 0
        await lab.seen(2)
        lab.svm.warp(slots=40)
    assert (landing.result().finalized, await lab.attempts("pay"), lab.landings()) == (True, ["landed"], 1)


async def test_a_landing_that_a_fork_took_back_after_it_was_reported_is_landed_again(lab: LandingLab) -> None:
    first = await lab.land("pay")
    assert lab.svm.unconfirm(signature=first.signature) == [first.signature]
    async with lab.meanwhile(lab.land("pay", finalized=True)) as landing:
        await lab.seen(2)
        lab.svm.finalize()
    assert landing.result().signature == first.signature
    assert (await lab.attempts("pay"), lab.landings()) == (["landed"], 1)


# --- one node goes wrong, the other does not --------------------------------------------------------------------------


async def test_a_node_that_is_behind_delays_nothing(lab: LandingLab) -> None:
    lab.svm.view(port=0, lag=100)
    assert (await lab.land("pay")).outcome is Outcome.LANDED
    assert lab.landings() == 1


async def test_a_node_that_is_away_delays_nothing(lab: LandingLab) -> None:
    for method in ("sendTransaction", "getSignatureStatuses", "simulateTransaction", "getLatestBlockhash"):
        lab.svm.fail(method, "behind", port=0, times=None)
    assert (await lab.land("pay")).outcome is Outcome.LANDED
    assert lab.landings() == 1


async def test_a_node_that_forgets_does_not_make_it_expire(lab: LandingLab) -> None:
    """Nor final, on the word of the other alone."""
    lab.svm.view(port=0, forgets=True)
    async with lab.meanwhile(lab.land("pay", finalized=True)) as landing:
        await lab.seen()
        lab.svm.warp(slots=400)
        await asyncio.sleep(1.5)
        assert (landing.done(), await lab.attempts("pay")) == (False, ["signed"])
        lab.svm.heal()
    assert (landing.result().outcome, await lab.attempts("pay"), lab.landings()) == (Outcome.LANDED, ["landed"], 1)


async def test_a_node_that_vouches_for_what_never_landed_is_not_believed(lab: LandingLab) -> None:
    lab.svm.view(port=0, vouches=True)
    both(lab, "drop", times=2)
    landing = await lab.land("pay")
    assert (landing.outcome, lab.landings()) == (Outcome.LANDED, 1)
    assert lab.svm.landed(str(landing.signature)) is None


async def test_nodes_that_contradict_each_other_for_ever_call_an_operator(lab: LandingLab) -> None:
    """One vouches for what the other never heard of: neither landed nor expired, and nothing is signed anew."""
    lab.svm.view(port=0, vouches=True)
    both(lab, "drop", times=None)
    lab.patience_s = 5
    signed = await lab.sign("pay")
    lab.svm.warp(slots=400)
    broken = await refused(lab.send(signed))
    assert broken.code == "transaction_not_landing"
    assert "unknown" in broken.detail
    assert "confirmed" in broken.detail
    assert await lab.attempts("pay") == ["signed"]


async def test_a_node_that_hides_errors_does_not_make_a_success_of_a_failure(lab: LandingLab) -> None:
    lab.svm.view(port=0, hides_errors=True)
    both(lab, "fails", custom=1)
    lab.patience_s = 8
    async with lab.meanwhile(lab.land("pay")) as landing:
        await lab.seen()
        lab.svm.finalize()
        lab.svm.heal()
    assert landing.result().outcome is Outcome.FAILED


async def test_a_node_that_calls_everything_final_is_not_believed(lab: LandingLab) -> None:
    lab.svm.view(port=0, finalizes=True)
    async with lab.meanwhile(lab.land("pay", finalized=True)) as landing:
        await lab.seen(port=1)
        lab.svm.warp(slots=5)
        await lab.taken_back()
        assert not landing.done()
        await lab.seen(2)
        lab.svm.warp(slots=40)
    assert (landing.result().finalized, lab.landings()) == (True, 1)


async def test_a_node_that_is_ahead_does_not_make_it_expire(lab: LandingLab) -> None:
    lab.svm.view(port=0, ahead=1_000)
    both(lab, "drop", times=3)
    assert (await lab.land("pay")).number == 1
    assert (await lab.attempts("pay"), lab.landings()) == (["landed"], 1)


async def test_the_only_node_ahead_of_itself_does_not_make_it_expire(lab: LandingLab) -> None:
    lab.nodes = lab.connected(lab.svm.urls[:1])
    signed = await lab.sign("pay")
    lab.svm.view(port=0, ahead=1_000)
    lab.svm.fail("sendTransaction", "drop", times=3)
    assert (await lab.send(signed)).outcome is Outcome.LANDED
    assert (await lab.attempts("pay"), lab.landings()) == (["signed"], 1)


async def test_a_blind_node_hides_nothing(lab: LandingLab) -> None:
    lab.svm.view(port=0, blind=True)
    assert (await lab.land("pay")).outcome is Outcome.LANDED
    account = await lab.nodes.account(str(lab.payee))
    assert account is not None
    assert account.lamports == lab.svm.lamports(lab.payee)


# --- a worker that is gone --------------------------------------------------------------------------------------------


async def test_a_signer_asked_again_answers_with_the_attempt_there_is(lab: LandingLab) -> None:
    assert await lab.sign("pay") == await lab.sign("pay")
    assert (await lab.land("pay")).number == 1
    assert (await lab.attempts("pay"), lab.landings()) == (["landed"], 1)


async def test_sent_and_not_recorded_is_found_again(lab: LandingLab) -> None:
    signed = await lab.sign("pay")
    first = await lab.send(signed)
    second = await lab.send(await lab.sign("pay"))
    assert (second.signature, lab.landings()) == (first.signature, 1)
    await lab.store.record(second)
    await lab.store.record(second)
    assert (await lab.attempts("pay"), await lab.status("pay")) == (["landed"], "landed")
