"""Books against a real node: what is behind is left to the feed, what differs is told with its numbers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from solders.pubkey import Pubkey
from temporalio.testing import ActivityEnvironment

from activities.launchpad.sales import GRADUATION_MOST
from domain.launchpad.reconcile import Reconcile, Reconciled
from domain.launchpad.sale import SaleKeys
from domain.shared.errors import Unavailable
from tests.svm_lab import SOL
from tests.upkeep_lab import MORE_COMPUTE, Upkeep, altered, upkeep_world
from tests.world.svm import RunningSvm


class World(Upkeep):
    svm: RunningSvm

    async def round(self) -> Reconciled:
        found: Reconciled = await ActivityEnvironment().run(self.reconcile.reconcile_launchpad, Reconcile())
        return found

    async def differs(self, sale_id: str) -> str:
        """What a round says of it, which an alert says too."""
        text = (await self.round()).differs[sale_id]
        (alert,) = await self.rows(
            "SELECT detail, severity FROM platform.alerts WHERE subject = %s AND resolved_at IS NULL",
            f"reconcile:{sale_id}",
        )
        assert (alert["detail"], alert["severity"]) == (text, "critical")
        return text

    async def alerts(self) -> list[dict[str, Any]]:
        return await self.rows("SELECT subject FROM platform.alerts WHERE resolved_at IS NULL")

    def alter(self, address: str, **change: Any) -> None:
        key = Pubkey.from_string(address)
        account = self.svm.account(key)
        assert account is not None
        self.svm.ledger.put(key, altered(account, **change))
        self.svm.warp(slots=1)
        self.svm.finalize()

    def data(self, address: str) -> bytearray:
        account = self.svm.account(Pubkey.from_string(address))
        assert account is not None
        return bytearray(account.data)


@pytest_asyncio.fixture
async def world(database: str) -> AsyncIterator[World]:
    async with upkeep_world(database) as (opened, svm):
        opened.__class__ = World
        assert isinstance(opened, World)
        opened.svm = svm
        yield opened


async def test_books_that_are_kept_agree_through_a_sale_s_whole_life(world: World) -> None:
    keys, sale = await world.sale()
    await world.look()
    buyer = await world.wallet()
    for act in (3, 20, 40):
        await world.buy(keys, buyer, act * SOL)
        await world.look()
        assert (await world.round()).differs == {}
    await world.desk.claim(keys, buyer)
    await world.look()
    assert (await world.round()).differs == {}
    assert (await world.desk.state(keys)).sold == (await world.desk.state(keys)).terms.most
    graduate = world.desk.program.graduate(keys, str(world.platform.pubkey()), GRADUATION_MOST)
    await world.desk.send(world.platform, MORE_COMPUTE, graduate)
    await world.look()
    assert (await world.desk.state(keys)).pooled_lamports > 0
    found = await world.round()
    assert (found.differs, found.behind, found.sales) == ({}, 0, 1)
    runs = await world.rows("SELECT ok FROM platform.job_runs WHERE job = 'launchpad_reconcile'")
    assert [run["ok"] for run in runs] == [True] * 5
    assert await world.alerts() == []
    assert sale.sale_id


async def test_what_the_feed_has_not_read_is_behind_and_wakes_it(world: World) -> None:
    keys, _ = await world.latched()
    await world.buy(keys, await world.wallet(), SOL)
    await world.chain.finalize()
    async with await psycopg.AsyncConnection.connect(world.dsn, autocommit=True) as listening:
        await listening.execute("LISTEN launchpad_sales")
        found = await world.round()
        assert (found.behind, found.differs) == (1, {})
        assert [one.channel async for one in listening.notifies(timeout=5, stop_after=1)] == ["launchpad_sales"]
    await world.look()
    assert (await world.round()).behind == 0
    assert await world.alerts() == []


async def test_an_event_that_was_never_booked_is_told_and_forgotten_when_it_is_mended(world: World) -> None:
    keys, sale = await world.latched()
    state = await world.desk.state(keys)
    await world.change("UPDATE launchpad.sales SET sold = sold - 7 WHERE id = %s", sale.sale_id)
    told = await world.differs(sale.sale_id)
    assert told == f"sold: events {state.sold - 7}, account {state.sold}"
    again = await world.differs(sale.sale_id)
    assert again == told
    await world.change("UPDATE launchpad.sales SET sold = sold + 7 WHERE id = %s", sale.sale_id)
    assert (await world.round()).differs == {}
    assert await world.alerts() == []


async def test_positions_must_add_up(world: World) -> None:
    _, sale = await world.latched()
    await world.change("UPDATE launchpad.sale_positions SET held = held + 5")
    assert (await world.differs(sale.sale_id)).startswith("positions wait for: ")


async def test_a_donation_is_no_difference(world: World) -> None:
    keys, _ = await world.latched()
    account = world.svm.account(Pubkey.from_string(keys.address))
    assert account is not None
    world.alter(keys.address, lamports=account.lamports + SOL)
    assert (await world.round()).differs == {}


async def _missing_lamports(world: World, keys: SaleKeys) -> None:
    state = await world.desk.state(keys)
    world.alter(keys.address, lamports=state.rent + state.raised + state.tax_held - 1)


async def _missing_tokens(world: World, keys: SaleKeys) -> None:
    data = world.data(keys.vault)
    amount = int.from_bytes(data[64:72], "little") - 1
    data[64:72] = amount.to_bytes(8, "little")
    world.alter(keys.vault, data=bytes(data))


async def _strange_vault(world: World, keys: SaleKeys) -> None:
    data = world.data(keys.vault)
    data[32:64] = bytes(range(32))
    world.alter(keys.vault, data=bytes(data))


async def _more_supply(world: World, keys: SaleKeys) -> None:
    data = world.data(keys.mint)
    data[36:44] = (int.from_bytes(data[36:44], "little") + 1).to_bytes(8, "little")
    world.alter(keys.mint, data=bytes(data))


async def _authority(world: World, keys: SaleKeys) -> None:
    data = world.data(keys.mint)
    data[0:36] = b"\x01\x00\x00\x00" + bytes(world.platform.pubkey())
    world.alter(keys.mint, data=bytes(data))


async def _no_mint(world: World, keys: SaleKeys) -> None:
    world.alter(keys.mint, data=b"")


async def _no_sale(world: World, keys: SaleKeys) -> None:
    world.alter(keys.address, data=b"\x00" * 8)


@pytest.mark.parametrize(
    ("happens", "text"),
    [
        (_missing_lamports, "lamports of the sale: "),
        (_missing_tokens, "tokens in the vault: "),
        (_strange_vault, "the vault is no token account of the sale"),
        (_more_supply, "supply: "),
        (_authority, "the mint has an authority again: "),
        (_no_mint, "the mint is no mint"),
        (_no_sale, "the chain has no such sale"),
    ],
)
async def test_what_no_transaction_could_do_is_told(world: World, happens: Any, text: str) -> None:
    keys, sale = await world.latched()
    other, _ = await world.sale()
    await world.look()
    await happens(world, keys)
    assert (await world.differs(sale.sale_id)).startswith(text)
    assert len((await world.round()).differs) == 1, "the other sale is as it was"
    assert other


async def test_a_project_that_is_shown_without_a_sale_is_told(world: World) -> None:
    _, sale = await world.sale()
    await world.look()
    (project,) = await world.rows("SELECT project_id FROM launchpad.sales WHERE id = %s", sale.sale_id)
    await world.change(
        """INSERT INTO launchpad.launches (id, account_id, request, cluster, signing, creator_wallet, budget_lamports)
           SELECT gen_random_uuid(), account_id, '{}', 'localnet', 'platform', 'c', 0 FROM launchpad.launches"""
    )
    await world.change(
        """INSERT INTO launchpad.projects (id, name, symbol, logo_uri, total_supply, decimals, allocation_bps,
             bonding_curve_type, initial_price, target_price, soft_cap_lamports, hard_cap_lamports, creator_wallet,
             cluster, status, starts_at, ends_at)
           SELECT l.id, 'Lost', 'L', '', 1, 6, '{}', 'linear', 1, 2, 1, 2, 'c', 'localnet', 'active', now(),
             now() + interval '1 day' FROM launchpad.launches l WHERE l.id <> %s""",
        project["project_id"],
    )
    (text,) = (await world.round()).differs.values()
    assert text == "Lost is shown without a sale"
    await world.change("UPDATE launchpad.projects SET status = 'undone' WHERE name = 'Lost'")
    assert (await world.round()).differs == {}
    assert await world.alerts() == []


async def test_without_a_node_nothing_is_said(world: World) -> None:
    await world.latched()
    for port in (0, 1):
        world.svm.fail("getMultipleAccounts", "plain_5xx", port=port, times=None)
    with pytest.raises(Unavailable):
        await world.reconcile.compared()
    assert await world.alerts() == []


async def test_a_node_that_is_behind_the_books_is_not_believed(world: World) -> None:
    """It shows the sale as it was before what the books have read: another is asked, or it is later."""
    keys, _ = await world.latched()
    await world.buy(keys, await world.wallet(), SOL)
    await world.look()
    world.svm.view(port=0, lag=60)
    assert (await world.reconcile.compared()).differs == {}
    world.svm.view(port=1, lag=60)
    with pytest.raises(Unavailable):
        await world.reconcile.compared()
