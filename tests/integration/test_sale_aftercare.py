"""What a graduated sale still needs, from a real chain and landed for real: slices to the team, rents to the buyers;
and what wallets never signed, which goes only when it can never land any more."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from temporalio.testing import ActivityEnvironment

from activities.launchpad.sales import GRADUATION_MOST
from domain.launchpad.aftercare import Aftercare, AftercareDone, AftercarePlanned, Forgotten, Refused
from domain.launchpad.sale import SaleKeys, VestingState
from domain.launchpad.sale_messages import OpenedSale
from domain.launchpad.tax_cycle import TaxCycle
from domain.launchpad.transactions import Draft, Plan
from storage.database import transaction
from storage.events import new_id
from storage.intents.solana import issue
from storage.launchpad.trades import KIND
from storage.launchpad.transactions import read
from tests.svm_lab import SOL
from tests.upkeep_lab import MORE_COMPUTE, Upkeep, upkeep_world
from tests.world.svm import RunningSvm

MONTH = 2_592_000
CLIFF, END = 15_552_000, 62_208_000


class World(Upkeep):
    svm: RunningSvm

    async def plan(self) -> list[str]:
        found: AftercarePlanned = await ActivityEnvironment().run(self.care.plan_aftercare, Aftercare(slice_s=MONTH))
        return [key.split(":", 2)[2] for key in found.keys]

    async def run(self) -> list[str]:
        """Plan, land, let the feed read: as the workflow does it."""
        planned = await self.plan()
        for row in await self.rows("SELECT key FROM launchpad.transactions WHERE status = 'planned' ORDER BY id"):
            async with transaction(self.pool) as connection:
                found = await read(connection, row["key"])
            await self.desk.send(self.platform, MORE_COMPUTE, *found.plan.instructions)
            await self.change("UPDATE launchpad.transactions SET status = 'finalized' WHERE key = %s", row["key"])
        await self.look()
        return planned

    async def graduated(self, buyers: int = 1, **change: int) -> tuple[SaleKeys, OpenedSale, list[Keypair]]:
        """A sale with its pool; these have a position in it, beside the one who sold it out."""
        keys, sale = await self.sale(**change)
        few = [await self.wallet() for _ in range(buyers)]
        for buyer in few:
            await self.buy(keys, buyer, SOL)
        await self.buy(keys, await self.wallet(), 60 * SOL)
        graduate = self.desk.program.graduate(keys, str(self.platform.pubkey()), GRADUATION_MOST)
        await self.desk.send(self.platform, MORE_COMPUTE, graduate)
        await self.look()
        return keys, sale, few

    async def vesting(self, keys: SaleKeys) -> VestingState:
        return self.desk.program.read_vesting(await self.desk.data(self.desk.program.addresses.vesting(keys.address)))

    def later(self, seconds: int) -> None:
        self.svm.warp(seconds=seconds)
        self.svm.finalize()

    async def lamports(self, who: Keypair) -> int:
        return await self.nodes.balance(str(who.pubkey()))


@pytest_asyncio.fixture
async def world(database: str) -> AsyncIterator[World]:
    async with upkeep_world(database) as (opened, svm):
        opened.__class__ = World
        assert isinstance(opened, World)
        opened.svm = svm
        yield opened


async def test_a_team_is_paid_month_by_month_and_once_more_at_the_end(world: World) -> None:
    keys, _, _ = await world.graduated()
    whole = await world.vesting(keys)
    assert await world.run() == [], "before the cliff"
    world.later(CLIFF + MONTH - 86_400)
    assert await world.run() == [], "a month's part is not due yet"
    world.later(2 * 86_400)
    creator, before = str(world.creator.pubkey()), await world.lamports(world.creator)
    assert await world.run() == ["vested:1"]
    first = await world.vesting(keys)
    assert await world.lamports(world.creator) - before == first.claimed_lamports > 0
    assert await world.desk.tokens(keys, creator) == first.claimed_tokens > 0
    assert whole.lamports // 18 <= first.claimed_lamports <= whole.lamports // 16
    assert await world.run() == [], "the same day again"
    world.later(MONTH + 86_400)
    assert await world.run() == ["vested:2"]
    world.later(END)
    assert await world.run() == ["vested:3"]
    last = await world.vesting(keys)
    assert (last.claimed_lamports, last.claimed_tokens) == (whole.lamports, whole.tokens)
    assert await world.desk.tokens(keys, creator) == whole.tokens
    assert await world.run() == []
    assert await world.care.store.graduated() != [], "positions are open"
    assert not any(sale.vesting for sale in await world.care.store.graduated())


async def test_what_somebody_else_claimed_is_not_claimed_again(world: World) -> None:
    keys, _, _ = await world.graduated()
    world.later(CLIFF + 2 * MONTH)
    assert await world.plan() == ["vested:1"]
    somebody = await world.wallet()
    steps = world.desk.program.claim_vested(keys, str(somebody.pubkey()), str(world.creator.pubkey()))
    await world.desk.send(somebody, MORE_COMPUTE, *steps)
    world.svm.finalize()
    assert await world.plan() == []


async def test_empty_positions_give_back_their_rents_and_others_stay(world: World) -> None:
    keys, _, buyers = await world.graduated(12, soft_cap=20 * SOL)
    *claimed, waiting = buyers
    assert await world.run() == [], "nobody has claimed"
    for buyer in claimed:
        await world.desk.claim(keys, buyer)
    await world.look()
    rent = await world.nodes.rent(144)
    before = [await world.lamports(buyer) for buyer in claimed]
    done = await world.run()
    assert [act.split("-")[0] for act in done] == ["close", "close"], "ten in a transaction"
    assert [await world.lamports(buyer) for buyer in claimed] == [had + rent for had in before]
    for buyer in claimed:
        assert await world.desk.position(keys, str(buyer.pubkey())) is None
    assert await world.desk.position(keys, str(waiting.pubkey())) is not None
    [sale] = await world.care.store.graduated()
    assert sale.open == 2, "the one who waits, and the one who sold it out"
    assert await world.run() == []
    assert (await world.reconcile.compared()).differs == {}


async def test_a_wallet_that_became_something_else_keeps_nobody_from_his_rent(world: World) -> None:
    keys, _, buyers = await world.graduated(3)
    odd, *others = buyers
    for buyer in buyers:
        await world.desk.claim(keys, buyer)
    world.svm.ledger.put(odd.pubkey(), Account(1, bytes(100_000), Pubkey.default(), False, 0))
    await world.look()
    assert len(await world.run()) == 1
    for buyer in others:
        assert await world.desk.position(keys, str(buyer.pubkey())) is None
    assert await world.desk.position(keys, str(odd.pubkey())) is not None


async def test_many_odd_wallets_keep_nobody_from_his_rent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """They stand before the others; a run closes two positions, and nodes tell two accounts at a time."""
    for name, number in {"CLOSINGS_MOST": 1, "CLOSED_AT_ONCE": 2, "_ACCOUNTS_MOST": 2}.items():
        monkeypatch.setattr(f"activities.launchpad.aftercare.{name}", number)
    keys, _, buyers = await world.graduated(6)
    for buyer in buyers:
        await world.desk.claim(keys, buyer)
    *odd, first, second, third = sorted(buyers, key=lambda buyer: str(buyer.pubkey()))
    for buyer in odd:
        world.svm.ledger.put(buyer.pubkey(), Account(1, bytes(100_000), Pubkey.default(), False, 0))
    await world.look()
    monkeypatch.setattr("activities.launchpad.aftercare._ODD_MOST", 0)
    assert await world.run() == [], "so many are looked at, and no more"
    monkeypatch.setattr("activities.launchpad.aftercare._ODD_MOST", 3)
    assert len(await world.run()) == 1
    assert await world.desk.position(keys, str(third.pubkey())) is not None
    assert len(await world.run()) == 1
    for buyer in (first, second, third):
        assert await world.desk.position(keys, str(buyer.pubkey())) is None


async def test_what_uplines_earned_is_settled_before_a_position_is_closed(world: World) -> None:
    """However little it is: it would keep the position, and its rent, for ever."""
    keys, _ = await world.sale()
    root, buyer = await world.wallet(), await world.wallet()
    await world.desk.register(root, None)
    await world.desk.register(buyer, root)
    await world.buy(keys, buyer, SOL // 1_000)
    await world.buy(keys, await world.wallet(), 60 * SOL)
    graduate = world.desk.program.graduate(keys, str(world.platform.pubkey()), GRADUATION_MOST)
    await world.desk.send(world.platform, MORE_COMPUTE, graduate)
    await world.desk.claim(keys, buyer)
    await world.look()
    position = await world.desk.position(keys, str(buyer.pubkey()))
    assert position is not None
    assert 0 < sum(position.earned) < 100_000
    assert await world.run() == []
    await ActivityEnvironment().run(world.tax.plan_tax_cycle, TaxCycle(least_lamports=SOL))
    acts = await world.rows("SELECT key FROM launchpad.transactions WHERE key LIKE '%%:settle-%%'")
    assert len(acts) == 1
    await world.run()
    assert len(await world.run()) == 1
    assert await world.desk.position(keys, str(buyer.pubkey())) is None


async def test_a_team_that_cannot_be_paid_calls_an_operator_until_it_can(world: World) -> None:
    _, sale, _ = await world.graduated()
    refused = Refused(key=f"sale:{sale.sale_id}:vested:1", why="insufficient_funds_for_rent")
    closing = Refused(key=f"sale:{sale.sale_id}:close-x:1", why="wrong_address")
    run = ActivityEnvironment().run
    await run(world.care.record_aftercare, AftercareDone(refused=(refused, closing), summary="2 failed"))
    (alert,) = await world.rows("SELECT code, subject, detail FROM platform.alerts WHERE resolved_at IS NULL")
    assert (alert["code"], alert["subject"]) == ("vesting_stuck", sale.sale_id)
    assert "insufficient_funds_for_rent" in alert["detail"]
    await run(world.care.record_aftercare, AftercareDone(landed=1, summary="1 of 1"))
    assert not await world.rows("SELECT 1 FROM platform.alerts WHERE resolved_at IS NULL")


class Trades(World):
    async def issued(self, height: int, *, days: int, raw: bytes | None = None) -> str:
        """A trade whose message can land until this height; `raw`: as its wallet signed it."""
        plan = Plan(
            key=f"trade:buy:{new_id()}", subject_kind=KIND, subject_id=new_id(), payer=str(Keypair().pubkey()),
            instructions=(), most_lamports=0,
        )  # fmt: skip
        draft = Draft(
            message=b"\x80\x01" + plan.key.encode(), blockhash="b", last_valid_height=height, height=0,
            finalized_height=0, compute_limit=1, compute_price_micro_lamports=0, fee_lamports=5_000,
        )  # fmt: skip
        async with transaction(self.pool) as connection:
            made = await issue(connection, plan, draft, platform=str(self.platform.pubkey()))
        await self.change(
            "UPDATE launchpad.transactions SET created_at = now() - make_interval(days => %s) WHERE key = %s",
            days, plan.key,
        )  # fmt: skip
        if raw is not None:
            await self.change(
                """UPDATE launchpad.transaction_attempts SET raw = %s, status = 'expired' WHERE transaction_id = %s""",
                raw, made.transaction_id,
            )  # fmt: skip
        return made.transaction_id


async def test_only_what_was_never_signed_and_can_never_land_is_forgotten(world: World) -> None:
    world.__class__ = Trades
    assert isinstance(world, Trades)
    world.svm.warp(slots=500)
    world.svm.finalize()
    height = min(one.height for one in await world.nodes.epochs(commitment="finalized"))
    gone = await world.issued(height - 1, days=8)
    stays = {
        await world.issued(height - 1, days=6),
        await world.issued(height + 50, days=8),
        await world.issued(2**63 - 1, days=400),
        await world.issued(height - 1, days=8, raw=b"signed"),
    }
    found: Forgotten = await ActivityEnvironment().run(world.care.forget_unsigned)
    assert found.transactions == 1
    left = {row["id"] for row in await world.rows("SELECT id FROM launchpad.transactions")}
    assert left == stays
    assert gone not in left
    assert not await world.rows("SELECT 1 FROM launchpad.transaction_attempts WHERE transaction_id = %s", gone)
    again: Forgotten = await ActivityEnvironment().run(world.care.forget_unsigned)
    assert again.transactions == 0


async def test_a_node_that_is_behind_keeps_what_it_would_still_take(world: World) -> None:
    world.__class__ = Trades
    assert isinstance(world, Trades)
    world.svm.warp(slots=500)
    world.svm.finalize()
    height = min(one.height for one in await world.nodes.epochs(commitment="finalized"))
    kept = await world.issued(height - 10, days=8)
    world.svm.view(port=1, lag=60)
    await ActivityEnvironment().run(world.care.forget_unsigned)
    assert [row["id"] for row in await world.rows("SELECT id FROM launchpad.transactions")] == [kept]
