"""The feed of sales against a real node and real Postgres: everything once, in order, and the truth of the chain."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from domain.launchpad.trade_tax import split
from domain.shared.errors import Unavailable
from tests.sale_feed_lab import FeedWorld, feed_world
from tests.sale_lab import MILLION


@pytest.fixture
async def world(database: str) -> AsyncIterator[FeedWorld]:
    async with feed_world(database) as opened:
        yield opened


async def test_a_sale_is_told_once_and_in_order(world: FeedWorld) -> None:
    keys, sale = await world.sale()
    buyer = world.wallet()
    await world.desk.buy(keys, buyer, 20 * MILLION)
    await world.desk.buy(keys, buyer, 130 * MILLION)
    await world.desk.claim(keys, buyer)
    await world.desk.sell(keys, buyer, 10 * MILLION)
    await world.look()
    assert await world.kinds() == ["SaleCreated", "Traded", "Traded", "Claimed", "Traded"]
    await world.look()
    assert len(await world.kinds()) == 5, "looking again must not tell it again"
    state, row = await world.desk.state(keys), await world.figures(sale)
    assert (row["sold"], row["raised_lamports"], row["held"]) == (state.sold, state.raised, 0)
    assert row["latched_at"] is not None
    assert row["counters"]["sold"] == state.sold
    position = await world.row("SELECT * FROM launchpad.sale_positions")
    assert (position["bought"], position["sold"], position["claimed"]) == (150 * MILLION, 10 * MILLION, 150 * MILLION)
    told = await world.rows("SELECT type, payload FROM platform.outbox WHERE topic = 'launchpad' ORDER BY id")
    assert [row["type"] for row in told] == [
        "sale_opened", "sale_traded", "sale_traded", "sale_changed", "tokens_claimed", "sale_traded"
    ]  # fmt: skip
    assert not await world.rows("SELECT 1 FROM platform.alerts WHERE resolved_at IS NULL")


async def test_nothing_is_told_before_it_is_final(world: FeedWorld) -> None:
    keys, _ = await world.sale()
    await world.look()
    await world.desk.buy(keys, world.wallet(), MILLION)
    world.svm.confirm()
    async with world.turn() as turn:
        await turn.look()
    assert await world.kinds() == ["SaleCreated"]
    undone = world.svm.unconfirm(slots=3)
    assert undone, "the fork must have taken the buy back"
    await world.look()
    assert await world.kinds() == ["SaleCreated"]


async def test_uplines_earn_level_by_level(world: FeedWorld) -> None:
    keys, sale = await world.sale(soft_cap=1)
    chain = [world.wallet() for _ in range(6)]
    for number, who in enumerate(chain):
        await world.desk.register(who, chain[number - 1] if number else None)
    trader = chain[-1]
    await world.desk.buy(keys, trader, 50 * MILLION)
    await world.look()
    tax = (await world.figures(sale))["tax_total_lamports"]
    found = await world.rows("SELECT * FROM launchpad.referrals ORDER BY level")
    assert [row["referrer_address"] for row in found] == [str(who.pubkey()) for who in chain[4::-1]]
    assert tuple(row["earned_lamports"] for row in found) == split(tax, 5).referral
    uplines = tuple(str(who.pubkey()) for who in chain[4::-1])
    await world.desk.send(world.platform, world.desk.program.settle_referral(keys, str(trader.pubkey()), uplines))
    await world.look()
    found = await world.rows("SELECT * FROM launchpad.referrals ORDER BY level")
    assert all(row["claimed_lamports"] == row["earned_lamports"] > 0 for row in found)


async def test_a_turn_that_dies_in_between_loses_and_doubles_nothing(world: FeedWorld) -> None:
    keys, sale = await world.sale()
    buyer = world.wallet()
    for number in range(5):
        await world.desk.buy(keys, buyer, MILLION + number)
    world.svm.finalize()
    for skip in range(3):
        world.svm.fail("getTransaction", "plain_5xx", port=0, times=None, skip=skip)
        world.svm.fail("getTransaction", "plain_5xx", port=1, times=None, skip=skip)
        async with world.turn() as turn:
            with contextlib.suppress(Unavailable):
                await turn.look()
        world.svm.heal()
    await world.look()
    assert await world.kinds() == ["SaleCreated", *["Traded"] * 5]
    state, row = await world.desk.state(keys), await world.figures(sale)
    assert (row["sold"], row["raised_lamports"]) == (state.sold, state.raised)


async def test_a_long_history_is_read_page_by_page(world: FeedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.launchpad.sale_turn.PAGE", 3)
    monkeypatch.setattr("activities.launchpad.sale_turn.BATCH", 2)
    keys, _ = await world.sale()
    buyer = world.wallet()
    for number in range(7):
        await world.desk.buy(keys, buyer, MILLION + number)
    await world.look()
    tokens = await world.rows("SELECT tokens FROM launchpad.sale_events WHERE kind = 'Traded' ORDER BY id")
    assert [row["tokens"] for row in tokens] == [MILLION + number for number in range(7)]


async def test_what_failed_on_the_chain_is_nothing(world: FeedWorld) -> None:
    keys, _ = await world.sale()
    buyer = world.wallet()
    with pytest.raises(AssertionError):
        await world.desk.buy(keys, buyer, MILLION, 1)
    await world.look()
    assert await world.kinds() == ["SaleCreated"]
    assert (await world.rows("SELECT cursor FROM launchpad.sales"))[0]["cursor"]


async def test_a_node_that_is_behind_takes_nothing_back(world: FeedWorld) -> None:
    keys, sale = await world.sale()
    buyer = world.wallet()
    await world.desk.buy(keys, buyer, MILLION)
    await world.look()
    world.svm.warp(slots=100)
    await world.desk.buy(keys, buyer, MILLION + 1)
    await world.look()
    before = await world.figures(sale)
    for port in (0, 1):
        world.svm.view(port=port, lag=60)
    async with world.turn() as turn:
        await turn.look()
        await turn.look()
    after = await world.figures(sale)
    names = ("sold", "raised_lamports", "cursor", "read_slot", "counters")
    assert [after[name] for name in names] == [before[name] for name in names]
    assert not await world.rows("SELECT 1 FROM platform.alerts WHERE resolved_at IS NULL")


async def test_a_buy_before_the_latch_that_is_found_after_it_adds_up(
    world: FeedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.launchpad.sale_turn.DIFFERS_REREAD_S", 0)
    keys, sale = await world.sale()
    early, late = world.wallet(), world.wallet()
    await world.desk.buy(keys, early, MILLION)
    world.svm.finalize()
    newest = (await world.nodes.signatures_for(keys.address))[0]
    await world.rows(
        "UPDATE launchpad.sales SET cursor = %s, cursor_slot = %s WHERE id = %s",
        newest.signature, newest.slot, sale.sale_id,
    )  # fmt: skip
    await world.desk.buy(keys, late, 150 * MILLION)
    await world.desk.buy(keys, late, MILLION)
    world.svm.finalize()
    async with world.turn() as turn:
        await turn.look()
        before = await world.figures(sale)
        assert (before["held"], before["latched_at"] is None) == (150 * MILLION, False)
        for _ in range(3):
            await turn.look()
    after, state = await world.figures(sale), await world.desk.state(keys)
    assert (after["sold"], after["held"]) == (state.sold, state.held) == (152 * MILLION, 151 * MILLION)
    assert after["latched_at"] == before["latched_at"]
    [position] = await world.rows("SELECT held FROM launchpad.sale_positions WHERE wallet = %s", str(early.pubkey()))
    assert position["held"] == MILLION
    assert not await world.rows("SELECT 1 FROM platform.alerts WHERE resolved_at IS NULL")


async def test_a_node_that_forgot_where_a_page_ended_does_not_end_the_history(
    world: FeedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.launchpad.sale_turn.PAGE", 3)
    keys, _ = await world.sale()
    buyer = world.wallet()
    for number in range(7):
        await world.desk.buy(keys, buyer, MILLION + number)
    world.svm.finalize()
    world.svm.fail("getSignaturesForAddress", "result", port=0, times=2, skip=1, value=[])
    await world.look()
    assert await world.kinds() == ["SaleCreated", *["Traded"] * 7]


async def test_a_refund_takes_what_the_uplines_had_earned(world: FeedWorld) -> None:
    keys, _ = await world.sale(seconds=600)
    root, buyer = world.wallet(), world.wallet()
    await world.desk.register(root, None)
    await world.desk.register(buyer, root)
    for number in range(3):
        await world.desk.buy(keys, buyer, MILLION + number)
    await world.look()
    row = await world.row("SELECT earned_lamports, transaction_count FROM launchpad.referrals")
    assert row["earned_lamports"] > 0
    assert row["transaction_count"] == 3
    world.svm.warp(seconds=700)
    await world.desk.send(world.platform, world.desk.program.refund(keys, str(buyer.pubkey())))
    await world.look()
    row = await world.row("SELECT earned_lamports, transaction_count FROM launchpad.referrals")
    assert (row["earned_lamports"], row["transaction_count"]) == (0, 0)


async def test_what_is_booked_is_not_fetched_again(world: FeedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.launchpad.sale_turn.DIFFERS_REREAD_S", 0)
    keys, sale = await world.sale()
    bought = await world.desk.buy(keys, world.wallet(), MILLION)
    await world.look()
    await world.rows("UPDATE launchpad.sales SET sold = 5 WHERE id = %s", sale.sale_id)
    fetched: list[str] = []
    real = world.nodes.transaction

    async def counted(signature: str, **more: Any) -> Any:
        fetched.append(signature)
        return await real(signature, **more)

    monkeypatch.setattr(world.nodes, "transaction", counted)
    async with world.turn() as turn:
        for _ in range(3):
            await turn.look()
    assert fetched, "the history is looked through again: the transaction of the mint names the sale too"
    assert bought not in fetched
