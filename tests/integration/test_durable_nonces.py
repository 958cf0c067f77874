"""Durable nonces lent and given back: what a wallet signs may land hours later, on a nonce that nobody else has."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from solders.keypair import Keypair

from domain.launchpad.launch_messages import Lent
from domain.launchpad.nonces import RENT
from domain.launchpad.transactions import Outcome
from domain.shared.errors import Rejected
from storage.database import transaction
from storage.events import new_id
from storage.launchpad.nonces import NonceStore
from tests.landing_lab import LandingLab, open_landing_lab, refused
from tests.nonce_lab import HOURS, Desk, both


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[LandingLab]:
    async with open_landing_lab(database) as opened:
        yield opened


@pytest.fixture
def desk(lab: LandingLab) -> Desk:
    return Desk(lab)


async def test_a_wallet_has_hours_and_the_message_stays_the_same(lab: LandingLab, desk: Desk) -> None:
    before = lab.svm.lamports(lab.key.pubkey())
    plan = await desk.lent()
    issued = await desk.ask(plan)
    lab.svm.warp(slots=HOURS)
    assert await desk.ask(plan) == issued
    await desk.hand_in(issued, desk.sign(issued))
    landing = await desk.final("trade")
    assert (landing.outcome, landing.finalized, lab.landings()) == (Outcome.LANDED, True, 1)
    made = (await lab.store.get((await lab.row("SELECT 'nonce:' || id AS key FROM launchpad.nonces"))["key"])).newest
    assert made is not None
    fee = 5_000 + -(-made.compute_limit * made.compute_price_micro_lamports // 10**6)
    assert before - lab.svm.lamports(lab.key.pubkey()) == RENT + fee


async def test_a_nonce_that_landed_is_lent_again_and_the_old_message_is_dead(lab: LandingLab, desk: Desk) -> None:
    await desk.signed(await desk.ask(await desk.lent()))
    [nonce] = (await desk.loans()).values()
    await desk.final("trade")
    assert await desk.loans() == {}
    issued = await desk.ask(await desk.lent("next"))
    assert (await desk.loans(), await desk.count()) == ({"next": nonce}, 1)
    both(lab, "sendTransaction", "duplicate")
    await lab.nodes.send(await desk.raw())
    assert lab.landings() == 1
    await desk.signed(issued)
    assert (await desk.final("next")).outcome is Outcome.LANDED
    assert lab.landings() == 2


async def test_two_never_share_a_nonce_and_there_are_so_many_and_no_more(desk: Desk) -> None:
    keys = [f"trade-{number}" for number in range(8)]
    for key in keys:
        await desk.planned(key)
    lent = await asyncio.gather(*(desk.store.lend(key) for key in [*keys, *keys]))
    loans = await desk.loans()
    assert (len(loans), len(set(loans.values())), await desk.count()) == (3, 3, 3)
    assert {one.makes for one in lent} - {None} == {f"nonce:{nonce}" for nonce in loans.values()}
    [without, *_] = set(keys) - set(loans)
    holder = next(iter(loans))
    await desk.store.give_back(holder)
    assert await desk.store.lend(without) == Lent(makes=f"nonce:{loans[holder]}")


async def test_without_a_nonce_the_message_is_on_a_blockhash(desk: Desk) -> None:
    plan = await desk.planned()
    assert await NonceStore(desk.lab.books, desk.lab.platform, most=0).lend("trade") == Lent()
    issued = await desk.ask(plan)
    assert issued.last_valid_block_height < 2**32
    lent = await desk.store.lend("trade")
    assert await desk.ask(plan) == issued  # the nonce does not stand yet
    assert lent.makes is not None
    await desk.final(lent.makes)
    assert (await desk.ask(plan)).transaction_base64 != issued.transaction_base64


async def test_what_was_altered_or_signed_by_a_thief_is_refused(lab: LandingLab, desk: Desk) -> None:
    plan = await desk.lent()
    issued = await desk.ask(plan)
    whole = base64.b64decode(issued.transaction_base64)
    other = whole.replace((1_000_000).to_bytes(8, "little"), (2_000_000).to_bytes(8, "little"))
    assert other != whole
    changed = issued.model_copy(update={"transaction_base64": base64.b64encode(other).decode()})
    for raw in (desk.sign(changed), desk.sign(issued, Keypair()), whole):
        with pytest.raises(Rejected, match="transaction_altered"):
            await desk.hand_in(issued, raw)
    await desk.hand_in(issued, desk.sign(issued))
    async with transaction(lab.books.pool) as connection:  # by an attacker in the API
        [nonce] = (await desk.loans()).values()
        foreign = new_id()
        await connection.execute(
            "INSERT INTO launchpad.nonces (id, address, authority) VALUES (%s, %s, 'thief')", [foreign, foreign]
        )
        await connection.execute(
            "UPDATE launchpad.transaction_attempts SET nonce_id = %s WHERE nonce_id = %s", [foreign, nonce]
        )
    assert "is not what was planned" in (await refused(lab.land("trade"))).detail
    assert lab.landings() == 0


async def test_a_nonce_that_could_not_be_made_is_made_for_the_next(lab: LandingLab, desk: Desk) -> None:
    await desk.planned()
    lent = await desk.store.lend("trade")
    assert lent.makes is not None
    lab.svm.fund(lab.key.pubkey(), 1_000_000)
    assert (await lab.land(lent.makes, again=True)).outcome is Outcome.FAILED
    assert lent == await desk.store.lend("trade")
    await desk.store.give_back("trade")
    await desk.planned("next")
    assert lent == await desk.store.lend("next")
    lab.svm.fund(lab.key.pubkey(), 10**9)
    assert (await desk.final(lent.makes)).outcome is Outcome.LANDED
    assert await desk.store.lend("next") == Lent()
    assert await desk.count() == 1


async def test_given_back_its_message_ends_unless_a_wallet_has_signed_it(lab: LandingLab, desk: Desk) -> None:
    issued = await desk.ask(await desk.lent())
    await desk.store.give_back("trade")
    with pytest.raises(Rejected, match="transaction_expired"):
        await desk.hand_in(issued, desk.sign(issued))
    plan = await desk.lent("next")
    again = await desk.ask(plan)
    await desk.hand_in(again, desk.sign(again))
    await desk.store.give_back("next")
    assert set(await desk.loans()) == {"next"}
    assert (await lab.land("next")).outcome is Outcome.LANDED
