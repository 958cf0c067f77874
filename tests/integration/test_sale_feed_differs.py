"""Histories that do not add up, sales that cannot be read or booked: an operator is told, and no other is held up."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from domain.shared import base58
from domain.shared.errors import Unavailable
from programs.interface import EVENT
from tests.sale_feed_lab import FeedWorld, alerted, feed_world
from tests.sale_lab import MILLION
from tests.svm_lab import call


@pytest.fixture
async def world(database: str) -> AsyncIterator[FeedWorld]:
    async with feed_world(database) as opened:
        yield opened


async def test_events_that_do_not_add_up_to_the_account_call_an_operator(
    world: FeedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.launchpad.sale_turn.DIFFERS_REREAD_S", 0)
    monkeypatch.setattr("activities.launchpad.sale_turn.DIFFERS_ALERT_S", 0)
    keys, sale = await world.sale()
    await world.desk.buy(keys, world.wallet(), MILLION)
    world.svm.finalize()
    await world.rows("UPDATE launchpad.sales SET sold = 5 WHERE id = %s", sale.sale_id)
    async with world.turn() as turn:
        await turn.look()
        await turn.look()
    alert = await world.row("SELECT * FROM platform.alerts WHERE resolved_at IS NULL")
    assert (alert["code"], alert["subject"]) == ("chain_differs", sale.sale_id)
    await world.rows("UPDATE launchpad.sales SET sold = sold - 5 WHERE id = %s", sale.sale_id)
    await world.look()
    assert not await world.rows("SELECT 1 FROM platform.alerts WHERE resolved_at IS NULL")


async def test_a_history_that_was_not_told_whole_is_read_again(
    world: FeedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.launchpad.sale_turn.DIFFERS_REREAD_S", 0)
    keys, sale = await world.sale()
    await world.desk.buy(keys, world.wallet(), MILLION)
    world.svm.finalize()
    newest = (await world.nodes.signatures_for(keys.address))[0]
    await world.rows(
        "UPDATE launchpad.sales SET cursor = %s, cursor_slot = %s WHERE id = %s",
        newest.signature, newest.slot, sale.sale_id,
    )  # fmt: skip
    async with world.turn() as turn:
        await turn.look()
        assert await world.kinds() == []
        await turn.look()
        await turn.look()
    assert await world.kinds() == ["SaleCreated", "Traded"]


async def test_what_nobody_understands_is_kept(world: FeedWorld) -> None:
    keys, _ = await world.sale()
    await world.look()
    bought = await world.desk.buy(keys, world.wallet(), MILLION)
    world.svm.finalize()
    asked = {"encoding": "json", "commitment": "finalized", "maxSupportedTransactionVersion": 0}
    told = await call(world.svm.urls[0], "getTransaction", bought, asked)
    calls = told["meta"]["innerInstructions"][-1]["instructions"]
    calls.append({**calls[-1], "data": base58.encode(EVENT + b"12345678")})
    for port in (0, 1):
        world.svm.fail("getTransaction", "result", port=port, value=told)
    async with world.turn() as turn:
        await turn.look()
    held = await world.rows("SELECT kind FROM platform.quarantine ORDER BY kind")
    assert [row["kind"] for row in held] == ["sale_event"]
    assert await world.kinds() == ["SaleCreated", "Traded"]


async def test_a_sale_that_cannot_be_read_holds_up_no_other_and_is_told(
    world: FeedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.launchpad.sale_turn.UNREAD_ALERT_S", 0)
    first, sale = await world.sale()
    world.desk._made += 1
    second, _ = await world.sale()
    for keys in (first, second):
        await world.desk.buy(keys, world.wallet(), MILLION)
    world.svm.finalize()
    async with world.turn() as turn:
        for _ in range(2):
            for port in (0, 1):
                world.svm.fail("getSignaturesForAddress", "plain_5xx", port=port)
            with contextlib.suppress(Unavailable):
                await turn.look()
    assert await world.kinds() == ["SaleCreated", "Traded"]
    alert = await world.row("SELECT subject, detail FROM platform.alerts WHERE resolved_at IS NULL")
    assert alert["subject"] == sale.sale_id
    assert "cannot be read" in alert["detail"]
    await world.look()
    assert len(await world.kinds()) == 4
    assert not await world.rows("SELECT 1 FROM platform.alerts WHERE resolved_at IS NULL")


async def test_a_sale_that_cannot_be_booked_holds_up_no_other_and_is_told(world: FeedWorld) -> None:
    first, sale = await world.sale()
    world.desk._made += 1
    second, _ = await world.sale()
    for keys in (first, second):
        await world.desk.buy(keys, world.wallet(), MILLION)
    await world.rows(f"ALTER TABLE launchpad.sales ADD CONSTRAINT odd CHECK (sold = 0 OR id <> '{sale.sale_id}')")
    await world.look()
    assert await world.kinds() == ["SaleCreated", "Traded"]
    assert "cannot be booked: CheckViolation" in (await alerted(world))[sale.sale_id]
    await world.rows("ALTER TABLE launchpad.sales DROP CONSTRAINT odd")
    await world.look()
    assert len(await world.kinds()) == 4
    assert not await world.rows("SELECT 1 FROM platform.alerts WHERE resolved_at IS NULL")
