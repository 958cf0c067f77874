"""However many sales have ended, those that go on are looked at every time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from psycopg.types.json import Jsonb
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from activities.launchpad.sale_turn import QUIET_AT_ONCE, SaleTurn
from domain.launchpad.sale_messages import OpenedSale
from storage.events import new_id
from storage.fence import Fence, fenced
from storage.launchpad.sale_feed import SaleFeedStore
from tests.sale_lab import LAUNCH
from tests.svm_lab import SOL
from tests.upkeep_lab import Upkeep, altered, upkeep_world
from tests.world.svm import RunningSvm

FENCE = Fence("sales-pace-test", 7_299_061)


class World(Upkeep):
    svm: RunningSvm

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[SaleTurn]:
        async with fenced(self.dsn, FENCE, 1) as connection:
            yield SaleTurn(SaleFeedStore(connection, LAUNCH), self.parts())

    async def refunded(self) -> OpenedSale:
        """A sale that came to nothing, and nobody waits for anything."""
        keys, sale = await self.sale(seconds=600)
        self.svm.warp(seconds=700)
        await self.desk.send(self.platform, self.desk.program.reclaim(keys))
        await self.change("UPDATE launchpad.sales SET status = 'refunded' WHERE id = %s", sale.sale_id)
        await self.look()
        return sale

    async def like(self, sale: OpenedSale, count: int) -> None:
        """So many more like it, each with an account of its own."""
        [row] = await self.rows("SELECT address FROM launchpad.sales WHERE id = %s", sale.sale_id)
        account = self.svm.account(Pubkey.from_string(row["address"]))
        assert account is not None
        for _ in range(count):
            address = Keypair().pubkey()
            self.svm.ledger.put(address, altered(account))
            other = {"id": new_id(), "address": str(address), "mint": str(Keypair().pubkey()), "cursor": ""}
            await self.change(
                """INSERT INTO launchpad.sales SELECT (jsonb_populate_record(s, %s)).* FROM launchpad.sales s
                   WHERE id = %s""",
                Jsonb(other | {"cursor_slot": 0}), sale.sale_id,
            )  # fmt: skip
        self.svm.finalize()

    @property
    def histories(self) -> int:
        """How often a history was asked for."""
        return sum(port.port.calls["getSignaturesForAddress"] for port in self.svm.ports)


@pytest_asyncio.fixture
async def world(database: str) -> AsyncIterator[World]:
    async with upkeep_world(database) as (opened, svm):
        opened.__class__ = World
        assert isinstance(opened, World)
        opened.svm = svm
        yield opened


async def test_many_ended_sales_do_not_hold_up_one_that_goes_on(world: World) -> None:
    await world.like(await world.refunded(), 30)
    keys, sale = await world.sale()
    async with world.turn() as turn:
        for number in range(3):
            await world.buy(keys, await world.wallet(), SOL)
            world.svm.finalize()
            before = world.histories
            await turn.look()
            assert world.histories - before <= 2 * (QUIET_AT_ONCE + 1), "its end, of several nodes"
            told = await world.rows("SELECT 1 FROM launchpad.sale_events WHERE sale_id = %s", sale.sale_id)
            assert len(told) == 2 + number
        for _ in range(31 // QUIET_AT_ONCE):
            await turn.look()
        before = world.histories
        await turn.look()
        assert world.histories - before <= 3, "each was looked at once; it rests now"
    stale = await world.rows("SELECT 1 FROM launchpad.sales WHERE read_at < now() - interval '1 minute'")
    assert stale == []


async def test_an_ended_sale_that_differs_is_looked_at_every_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.launchpad.sale_turn.DIFFERS_REREAD_S", 0)
    monkeypatch.setattr("activities.launchpad.sale_turn.DIFFERS_ALERT_S", 0)
    sale = await world.refunded()
    await world.change("UPDATE launchpad.sales SET sold = 5 WHERE id = %s", sale.sale_id)
    async with world.turn() as turn:
        for _ in range(2):
            await turn.look()
        [alert] = await world.rows("SELECT subject FROM platform.alerts WHERE resolved_at IS NULL")
        assert alert["subject"] == sale.sale_id
        await world.change("UPDATE launchpad.sales SET sold = 0 WHERE id = %s", sale.sale_id)
        await turn.look()
    assert not await world.rows("SELECT 1 FROM platform.alerts WHERE resolved_at IS NULL")


async def test_a_sale_is_quiet_when_nobody_waits_for_anything(world: World) -> None:
    """What the account said, not the sums of events."""
    sale = await world.refunded()

    async def quiet(status: str, **counters: object) -> bool:
        await world.change(
            "UPDATE launchpad.sales SET status = %s, counters = %s WHERE id = %s", status, Jsonb(counters), sale.sale_id
        )
        async with fenced(world.dsn, FENCE, 1) as connection:
            [found] = await SaleFeedStore(connection, LAUNCH).followed()
        return found.quiet

    nothing = {"held": 0, "tax_held": 0, "other_due": 0}
    assert await quiet("graduated", **nothing)
    for name in nothing:
        assert not await quiet("graduated", **{**nothing, name: 1}), name
    assert not await quiet("graduated")
    assert await quiet("refunded", reclaimed=True)
    assert not await quiet("refunded", reclaimed=False)
    assert await quiet("cancelled", reclaimed=True)
    assert not await quiet("refunding", **nothing, reclaimed=True)
    assert not await quiet("active", **nothing)
    await world.change(
        """INSERT INTO launchpad.transactions (id, key, subject_kind, subject_id, payer, instructions, most_lamports)
           VALUES (%s, 'sale:x:vested:1', 'sale', %s, 'p', '[]', 0)""",
        new_id(), sale.sale_id,
    )  # fmt: skip
    assert not await quiet("graduated", **nothing), "what was sent for it is soon told"
    await world.change("UPDATE launchpad.transactions SET updated_at = now() - interval '3 minutes'")
    assert await quiet("graduated", **nothing)
