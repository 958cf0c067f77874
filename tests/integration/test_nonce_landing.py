"""What was signed on a durable nonce: it lands once, or can never land, and one node alone says neither."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from solders.pubkey import Pubkey

from domain.launchpad.launch_messages import Lent
from domain.launchpad.nonces import RENT, address_of, void
from domain.launchpad.transactions import Outcome
from domain.shared.errors import Rejected, Unavailable
from storage.database import transaction
from storage.launchpad import transactions
from tests.landing_lab import LandingLab, open_landing_lab
from tests.nonce_lab import HOURS, Desk, both


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[LandingLab]:
    async with open_landing_lab(database) as opened:
        yield opened


@pytest.fixture
def desk(lab: LandingLab) -> Desk:
    return Desk(lab)


async def test_dropped_for_hours_it_is_sent_on_and_lands(lab: LandingLab, desk: Desk) -> None:
    signed = await desk.signed(await desk.ask(await desk.lent()))
    both(lab, "sendTransaction", "drop")
    async with lab.meanwhile(lab.send(signed)) as landing:
        await lab.seen(3)
        lab.svm.warp(slots=HOURS)
        await lab.seen(lab.sent() + 2)
        assert not landing.done()
        lab.svm.heal()
    assert (landing.result().outcome, lab.landings()) == (Outcome.LANDED, 1)


async def stuck(lab: LandingLab, desk: Desk) -> str:
    """Signed by all, and no node takes it; the key of the plan that ends that."""
    signed = await desk.signed(await desk.ask(await desk.lent()))
    both(lab, "sendTransaction", "drop")
    lab.patience_s = 2
    landing = await lab.send(signed)
    assert landing.outcome is Outcome.STUCK
    recorded = await lab.store.record(landing)
    assert recorded == await lab.store.record(landing)
    assert (recorded.again, await lab.attempts("trade")) == (True, ["signed"])
    assert recorded.void is not None
    lab.patience_s = 60
    lab.svm.heal()
    return recorded.void


async def test_ended_by_the_process_the_wallet_is_asked_anew(lab: LandingLab, desk: Desk) -> None:
    ends = await stuck(lab, desk)
    raw = await desk.raw()
    assert (await desk.final(ends)).outcome is Outcome.LANDED
    assert (await lab.land("trade")).outcome is Outcome.EXPIRED
    await lab.nodes.send(raw)
    assert (lab.landings(), await lab.attempts("trade")) == (0, ["expired"])
    plan = (await lab.store.get("trade")).plan
    issued = await desk.ask(plan)  # on the same nonce
    assert len(await desk.loans()) == 1
    await desk.signed(issued)
    assert (await lab.land("trade")).outcome is Outcome.LANDED
    assert lab.landings() == 1


async def test_it_may_land_before_it_is_ended(lab: LandingLab, desk: Desk) -> None:
    """Somebody else sends the bytes at the last moment."""
    ends = await stuck(lab, desk)
    await lab.nodes.send(await desk.raw())
    lab.svm.warp(slots=2)
    assert (await desk.final(ends)).outcome is Outcome.LANDED
    assert (await desk.final("trade")).outcome is Outcome.LANDED
    assert (lab.landings(), await desk.loans()) == (1, {})


async def test_a_fork_drops_it_and_the_same_bytes_land_again(lab: LandingLab, desk: Desk) -> None:
    signed = await desk.signed(await desk.ask(await desk.lent()))
    lab.svm.warp(slots=40)
    before = lab.sent()
    async with lab.meanwhile(lab.send(signed, finalized=True)) as landing:
        await lab.seen(before + 1)
        await lab.taken_back()
        await lab.seen(lab.sent() + 1)
        lab.svm.warp(slots=4)
        assert not landing.done()
        lab.svm.finalize()
    assert (landing.result().outcome, lab.landings()) == (Outcome.LANDED, 1)


async def test_one_node_alone_does_not_say_what_the_nonce_is(lab: LandingLab, desk: Desk) -> None:
    plan = await desk.lent()
    [nonce] = (await desk.loans()).values()
    account = lab.svm.account(Pubkey.from_string(address_of(lab.platform, nonce)))
    assert account is not None
    lie = bytes(account.data[:40]) + bytes(32) + bytes(account.data[72:])
    shown = {"lamports": RENT, "owner": "1" * 32, "executable": False, "rentEpoch": 0, "space": 80}
    told = {"context": {"slot": 10**6}, "value": {**shown, "data": [base64.b64encode(lie).decode(), "base64"]}}
    lab.svm.fail("getAccountInfo", "result", port=0, times=None, value=told)
    with pytest.raises(Unavailable, match="do not agree"):
        await desk.ask(plan)
    lab.svm.heal()
    signed = await desk.signed(await desk.ask(plan))
    lab.svm.fail("getAccountInfo", "result", port=0, times=None, value=told)
    both(lab, "sendTransaction", "drop")
    async with lab.meanwhile(lab.send(signed)) as landing:
        await lab.seen(3)
        assert not landing.done()  # not expired, whatever the one says
        lab.svm.heal()
    assert (landing.result().outcome, lab.landings()) == (Outcome.LANDED, 1)


def said(lab: LandingLab, account: Any, slot: int) -> dict[str, Any]:
    """How a node in this slot tells of a nonce account."""
    shown = {"lamports": RENT, "owner": "1" * 32, "executable": False, "rentEpoch": 0, "space": 80}
    data = [base64.b64encode(bytes(account.data)).decode(), "base64"]
    return {"context": {"slot": slot}, "value": {**shown, "data": data}}


async def test_nodes_that_fall_back_behind_the_nonce_do_not_say_that_it_is_used_up(lab: LandingLab, desk: Desk) -> None:
    """They show the value it had before: another than ours, and older."""
    plan = await desk.lent("first")
    [nonce] = (await desk.loans()).values()
    address = Pubkey.from_string(address_of(lab.platform, nonce))
    before, slot = lab.svm.account(address), min(epoch.slot for epoch in await lab.nodes.epochs())
    await desk.signed(await desk.ask(plan))
    await desk.final("first")
    signed = await desk.signed(await desk.ask(await desk.lent()))
    both(lab, "getAccountInfo", "result", value=said(lab, before, slot))
    both(lab, "sendTransaction", "drop")
    already = lab.sent()
    async with lab.meanwhile(lab.send(signed)) as landing:
        await lab.seen(already + 3)
        assert not landing.done()  # nor is another signed beside it
        lab.svm.heal()
    assert (landing.result().outcome, lab.landings()) == (Outcome.LANDED, 2)


async def test_used_up_before_the_platform_signed_it_is_asked_for_anew(lab: LandingLab, desk: Desk) -> None:
    issued = await desk.ask(await desk.lent())
    await desk.hand_in(issued, desk.sign(issued))
    tried: dict[str, Any] = {"err": "BlockhashNotFound", "logs": [], "accounts": None, "unitsConsumed": 0}
    both(lab, "simulateTransaction", "result", value={"context": {"slot": 10**6}, "value": tried})
    with pytest.raises(Unavailable, match="still good"):
        await lab.sign("trade")  # a node's word is not enough
    lab.svm.heal()
    [nonce] = (await desk.loans()).values()
    plan = void(lab.platform, nonce, "trade", 1)
    async with transaction(lab.books.pool) as connection:
        await transactions.plan(connection, plan)
    assert (await desk.final(plan.key)).outcome is Outcome.LANDED
    assert ((await lab.land("trade")).outcome, await lab.attempts("trade")) == (Outcome.EXPIRED, ["expired"])
    with pytest.raises(Rejected, match="transaction_expired"):
        await desk.hand_in(issued, desk.sign(issued))


async def test_what_would_fail_is_dropped_and_another_message_issued(lab: LandingLab, desk: Desk) -> None:
    """It would not run out by itself."""
    plan = await desk.lent()
    issued = await desk.ask(plan)
    await desk.hand_in(issued, desk.sign(issued))
    lab.svm.fund(desk.key.pubkey(), 1_000_000)
    landing = await lab.land("trade")
    assert (landing.outcome, landing.signature, await lab.attempts("trade")) == (Outcome.FAILED, None, ["expired"])
    lab.svm.fund(desk.key.pubkey(), 10**9)
    await desk.signed(await desk.ask(plan))
    assert (await lab.land("trade")).outcome is Outcome.LANDED


async def test_a_failure_on_the_chain_uses_the_nonce_up(lab: LandingLab, desk: Desk) -> None:
    plan = await desk.lent()
    await desk.signed(await desk.ask(plan))
    for port in (0, 1):
        lab.svm.fail("sendTransaction", "fails", port=port, custom=7)
    assert (await desk.final("trade")).outcome is Outcome.FAILED
    assert (await desk.loans(), await lab.status("trade")) == ({}, "failed")
    again = await desk.store.lend("trade")
    assert again == Lent()  # on the same, which has another value
    issued = await desk.ask(plan)
    assert await desk.ask(plan) == issued
    await desk.signed(issued)
    assert (await desk.final("trade")).outcome is Outcome.LANDED
    await desk.lent("next")
    await desk.signed(await desk.ask((await lab.store.get("next")).plan))
    assert (await lab.land("next")).outcome is Outcome.LANDED
    assert (lab.landings(), await desk.count()) == (2, 1)
