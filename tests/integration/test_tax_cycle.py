"""What a tax cycle plans from a real chain, landed for real: everything due is paid once, to whom the chain says."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from solders.keypair import Keypair
from temporalio.testing import ActivityEnvironment

from activities.launchpad.sales import GRADUATION_MOST
from domain.launchpad.sale import ReferralState, SaleKeys
from domain.launchpad.tax_cycle import TaxCycle, TaxPlanned
from storage.database import transaction
from storage.launchpad.transactions import read
from tests.svm_lab import SOL
from tests.upkeep_lab import MORE_COMPUTE, Upkeep, upkeep_world

LEAST = 10_000_000


class World(Upkeep):
    async def plan(self, least: int = LEAST) -> list[str]:
        """The acts of a cycle, in order."""
        command = TaxCycle(least_lamports=least)
        found: TaxPlanned = await ActivityEnvironment().run(self.tax.plan_tax_cycle, command)
        return [key.split(":", 2)[2] for key in found.keys]

    async def cycle(self, least: int = LEAST) -> list[str]:
        """Plan, land, let the feed read: as the workflow does it."""
        planned = await self.plan(least)
        for row in await self.rows("SELECT key FROM launchpad.transactions WHERE status = 'planned' ORDER BY id"):
            async with transaction(self.pool) as connection:
                found = await read(connection, row["key"])
            await self.desk.send(self.platform, MORE_COMPUTE, *found.plan.instructions)
            await self.change("UPDATE launchpad.transactions SET status = 'finalized' WHERE key = %s", row["key"])
        await self.look()
        return planned

    async def referral(self, who: Keypair) -> ReferralState:
        address = self.desk.program.addresses.referral(str(who.pubkey()))
        return self.desk.program.read_referral(await self.desk.data(address))

    async def graduated(self, keys: SaleKeys) -> None:
        whale = await self.wallet()
        await self.buy(keys, whale, 45 * SOL)
        platform = str(self.platform.pubkey())
        graduate = self.desk.program.graduate(keys, platform, GRADUATION_MOST)
        await self.desk.send(self.platform, MORE_COMPUTE, graduate)
        await self.look()


@pytest_asyncio.fixture
async def world(database: str) -> AsyncIterator[World]:
    async with upkeep_world(database) as (opened, _):
        opened.__class__ = World
        assert isinstance(opened, World)
        yield opened


async def test_before_the_soft_cap_nothing_is_due(world: World) -> None:
    keys, _ = await world.sale()
    await world.buy(keys, await world.wallet(), 5 * SOL)
    await world.look()
    assert await world.cycle(1) == []


async def test_everything_due_is_paid_once(world: World) -> None:
    keys, sale = await world.sale()
    root, middle, buyer = [await world.wallet() for _ in range(3)]
    await world.desk.register(root, None)
    await world.desk.register(middle, root)
    await world.desk.register(buyer, middle)
    await world.buy(keys, buyer, 20 * SOL)
    await world.look()
    before = await world.desk.state(keys)
    assert await world.cycle() == ["distribute:1", f"settle-{buyer.pubkey()}:1", "burn:1"]
    after = await world.desk.state(keys)
    assert (after.marketing_due, after.treasury_due, after.rewards_due, after.referral_due) == (0, 0, 0, 0)
    assert 0 <= after.burn_due <= before.burn_due * 3 // 100
    assert after.burned > 0
    assert after.tax_total == before.tax_total
    shares = (await world.referral(middle)).pending, (await world.referral(root)).pending
    assert sum(shares) == before.referral_due
    assert shares[0] > shares[1]
    booked = await world.rows("SELECT * FROM launchpad.tax_distributions ORDER BY id")
    assert [row["marketing_lamports"] for row in booked] == [before.marketing_due, 0]
    assert [row["burn_lamports"] for row in booked] == [0, before.burn_due - after.burn_due]
    assert booked[1]["burned"] == after.burned
    assert await world.cycle() == [], "a second cycle finds nothing due"
    assert (await world.reconcile.compared()).differs == {}, sale


async def test_too_little_waits_and_the_next_is_numbered_on(world: World) -> None:
    keys, _ = await world.latched()
    assert [act for act in await world.plan(SOL) if not act.startswith("settle")] == []
    assert "distribute:1" in await world.cycle()
    await world.buy(keys, await world.wallet(), 5 * SOL)
    await world.look()
    assert "distribute:2" in await world.cycle()


async def test_a_cycle_settles_so_much_and_the_next_one_the_rest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two positions go together; with room for one transaction the third waits, in another sale as well."""
    monkeypatch.setattr("activities.launchpad.tax.SETTLEMENTS_MOST", 1)
    keys, _ = await world.sale()
    root, *buyers = [await world.wallet() for _ in range(4)]
    await world.desk.register(root, None)
    for buyer in buyers:
        await world.desk.register(buyer, root)
        await world.buy(keys, buyer, 5 * SOL)
    await world.latched()
    settled = []
    for _ in range(3):
        settled.append([act for act in await world.cycle() if act.startswith("settle")])
    assert [len(acts) for acts in settled] == [1, 1, 1], settled
    assert [act for act in await world.cycle() if act.startswith("settle")] == []
    assert (await world.desk.state(keys)).referral_due == 0


async def test_what_is_on_its_way_is_not_planned_again_and_what_was_never_sent_is_renewed(world: World) -> None:
    """An attempt that may land stands; a plan that was never signed may say what is out of date."""
    await world.latched()
    first, second = await world.plan(), await world.plan()
    assert [act.replace(":1", ":2") for act in first] == second
    rows = await world.rows("SELECT key, status::text AS status FROM launchpad.transactions ORDER BY id")
    assert [row["status"] for row in rows] == ["abandoned"] * len(first) + ["planned"] * len(second)
    await world.change(
        """INSERT INTO launchpad.transaction_attempts (transaction_id, number, status, message, blockhash,
             compute_limit, compute_price_micro_lamports, fee_lamports)
           SELECT id, 1, 'signed', '', 'b', 1, 0, 0 FROM launchpad.transactions WHERE status = 'planned'"""
    )
    assert await world.plan() == second
    assert len(await world.rows("SELECT 1 FROM launchpad.transactions")) == len(rows)
    await world.change("UPDATE launchpad.transaction_attempts SET status = 'expired'")
    assert await world.plan() == [act.replace(":2", ":3") for act in second], "one that ran out stands in nobody's way"


async def test_the_account_says_whose_tax_is_due(world: World) -> None:
    """Not the feed: the buy that reached the soft cap may have been hidden from it."""
    await world.latched()
    await world.change("UPDATE launchpad.sales SET latched_at = NULL")
    assert "distribute:1" in await world.plan()


async def test_after_graduation_the_burn_buys_from_the_pool(world: World) -> None:
    keys, _ = await world.latched()
    await world.graduated(keys)
    before = await world.desk.state(keys)
    assert before.pooled_lamports > 0
    assert before.burn_due > LEAST
    assert "burn:1" in await world.cycle()
    after = await world.desk.state(keys)
    assert after.burn_due == 0
    assert after.burned > before.burned
    assert (await world.reconcile.compared()).differs == {}


async def test_a_sale_of_another_platform_is_paid_out_but_not_burned(world: World) -> None:
    """Whoever chooses the moment of a purchase could trade around it: only the platform's own signature burns."""
    await world.latched()
    world.platform = await world.wallet()
    assert {act.split(":")[0].split("-")[0] for act in await world.plan()} == {"distribute", "settle"}


async def test_what_a_token_withholds_from_transfers_goes_to_the_holders_rewards(world: World) -> None:
    keys, _ = await world.sale(fee_bps=100)
    buyer = await world.wallet()
    await world.buy(keys, buyer, 20 * SOL)
    await world.desk.claim(keys, buyer)
    await world.look()
    rewards = (await world.desk.state(keys)).rewards
    before = await world.desk.tokens(keys, rewards)
    bought = (await world.desk.state(keys)).sold - (await world.desk.state(keys)).burned
    assert "harvest:1" in await world.cycle()
    assert await world.desk.tokens(keys, rewards) - before == -(-bought // 100)
    assert [act for act in await world.cycle() if act.startswith("harvest")] == []
    assert "Harvested" in [row["kind"] for row in await world.rows("SELECT kind FROM launchpad.sale_events")]
    assert (await world.reconcile.compared()).differs == {}
