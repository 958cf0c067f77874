"""The feed of sales against a real node and real Postgres: everything once, in order, and the truth of the chain."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from temporalio.testing import ActivityEnvironment

from activities.launchpad.sale_feed import SaleFeedActivities, Waking
from activities.launchpad.sale_turn import Collaborators, SaleTurn
from domain.launchpad.sale import SaleKeys
from domain.launchpad.sale_messages import OpenedSale, RunSales, SaleNews
from domain.launchpad.trade_tax import split
from domain.shared.errors import Unavailable
from gateways.solana.everywhere import Everywhere
from gateways.solana.nodes import RpcNodes
from gateways.solana.sale_hints import sale_hints
from gateways.solana.sale_logs import read_logs
from localnet.svm.programs import PROGRAMS, configure_pools
from storage.books import Books
from storage.database import make_pool
from storage.fence import Fence, fenced
from storage.jobs import JobStore
from storage.launchpad.sale_feed import SaleFeedStore
from storage.listen import Listener
from tests.sale_lab import LAUNCH, MILLION, SaleDesk, book_sale
from tests.svm_lab import SOL, call
from tests.world.books import BooksSide
from tests.world.svm import RunningSvm, running_svm

FENCE = Fence("sales-test", 7_299_050)


class FeedWorld(BooksSide):
    """`signals`: processes that were woken."""

    def __init__(self, dsn: str, books: Books, svm: RunningSvm, nodes: RpcNodes) -> None:
        super().__init__(dsn)
        self.books, self.svm, self.nodes, self.jobs = books, svm, nodes, JobStore(books)
        self.platform, self.creator = Keypair(), Keypair()
        self.desk = SaleDesk(svm.urls[0], self.platform)
        self.signals: list[tuple[str, str]] = []

    def wallet(self) -> Keypair:
        keys = Keypair()
        self.svm.fund(keys.pubkey(), 1_000 * SOL)
        return keys

    async def sale(self, **change: Any) -> tuple[SaleKeys, OpenedSale]:
        """On the chain and in the books; the feed has not looked yet."""
        keys, terms = await self.desk.create(self.creator, await self.desk.now(), **change)
        return keys, await book_sale(self.books.pool, keys, terms)

    def parts(self) -> Collaborators:
        async def signal(workflow_id: str, name: str, news: SaleNews) -> bool:
            self.signals.append((workflow_id, name))
            return True

        return Collaborators(
            self.nodes,
            self.desk.program,
            read_logs,
            self.jobs.quarantine,
            signal,
            self.jobs.redispatch,
            Everywhere(self.nodes, quarantine=self.jobs.quarantine).older,
        )

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[SaleTurn]:
        async with fenced(self.dsn, FENCE, 1) as connection:
            yield SaleTurn(SaleFeedStore(connection, LAUNCH), self.parts())

    async def look(self) -> None:
        """Everything that happened becomes final, and the feed looks once."""
        self.svm.finalize()
        async with self.turn() as turn:
            await turn.look()

    async def kinds(self) -> list[str]:
        return [row["kind"] for row in await self.rows("SELECT kind FROM launchpad.sale_events ORDER BY id")]

    async def figures(self, sale: OpenedSale) -> dict[str, Any]:
        return await self.row("SELECT * FROM launchpad.sales WHERE id = %s", sale.sale_id)


@pytest.fixture
async def world(database: str) -> AsyncIterator[FeedWorld]:
    programs = {Pubkey.from_string(program.address): program.elf for program in PROGRAMS.values()}
    async with contextlib.AsyncExitStack() as stack:
        svm = await stack.enter_async_context(running_svm(programs=programs))
        pool = await stack.enter_async_context(make_pool(database, size=4, name="test"))
        books = Books(pool)
        nodes = RpcNodes.connect(svm.urls, calls_per_s=1_000, quarantine=JobStore(books).quarantine)
        stack.push_async_callback(nodes.aclose)
        found = FeedWorld(database, books, svm, nodes)
        for keys in (found.platform, found.creator):
            svm.fund(keys.pubkey(), 1_000 * SOL)
        await configure_pools(svm.urls[0])
        yield found


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


async def test_logs_nobody_understands_are_kept(world: FeedWorld) -> None:
    keys, _ = await world.sale()
    await world.look()
    bought = await world.desk.buy(keys, world.wallet(), MILLION)
    world.svm.finalize()
    asked = {"encoding": "json", "commitment": "finalized", "maxSupportedTransactionVersion": 0}
    told = await call(world.svm.urls[0], "getTransaction", bought, asked)
    odd = [f"Program {LAUNCH} invoke [1]", "Program data: AAAA", f"Program {LAUNCH} success"]
    told["meta"]["logMessages"] = [*odd, *told["meta"]["logMessages"], "Log truncated"]
    for port in (0, 1):
        world.svm.fail("getTransaction", "result", port=port, value=told)
    async with world.turn() as turn:
        await turn.look()
    held = await world.rows("SELECT kind FROM platform.quarantine ORDER BY kind")
    assert [row["kind"] for row in held] == ["sale_event", "sale_logs"]
    assert await world.kinds() == ["SaleCreated", "Traded"]


async def test_the_process_is_woken_when_the_chain_is_further(world: FeedWorld) -> None:
    keys, _ = await world.sale(seconds=600)
    await world.look()
    assert [name for _, name in world.signals] == ["look"], "it is active and its row says upcoming"
    await world.rows("UPDATE launchpad.sales SET status = 'active'")
    await world.look()
    assert len(world.signals) == 1
    await world.desk.buy(keys, world.wallet(), MILLION)
    world.svm.warp(seconds=700)
    world.svm.warp(slots=40)
    await world.look()
    assert len(world.signals) == 2


@asynccontextmanager
async def following(world: FeedWorld, *, poll_s: float = 60) -> AsyncIterator[asyncio.Task[Any]]:
    """The activity as a worker runs it; its timer would be too late for these tests."""

    @asynccontextmanager
    async def fence() -> AsyncIterator[SaleFeedStore]:
        async with fenced(world.dsn, FENCE, 1) as connection:
            yield SaleFeedStore(connection, LAUNCH)

    hints = sale_hints(world.svm.ws_urls[0], LAUNCH, poll_s=poll_s)
    waking = Waking(hints.ticks, Listener(world.dsn), silence_s=60)
    acts = SaleFeedActivities(fence, world.parts(), waking)
    task = asyncio.create_task(ActivityEnvironment().run(acts.follow_sales, RunSales()))
    try:
        await world.until(lambda: asyncio.sleep(0, hints.connections), bool)
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_socket_and_a_new_sale_wake_the_feed(world: FeedWorld) -> None:
    async with following(world):
        keys, _ = await world.sale()
        world.svm.finalize()
        await world.until(world.kinds, lambda kinds: kinds == ["SaleCreated"], 10)
        await world.desk.buy(keys, world.wallet(), MILLION)
        world.svm.finalize()
        await world.until(world.kinds, lambda kinds: kinds == ["SaleCreated", "Traded"], 10)


async def test_a_socket_that_drops_costs_nothing(world: FeedWorld) -> None:
    async with following(world):
        keys, _ = await world.sale()
        world.svm.finalize()
        for connection in list(world.svm.ports[0].sockets.connections):
            connection.drop(1006)
        await world.desk.buy(keys, world.wallet(), MILLION)
        world.svm.finalize()
        await world.until(world.kinds, lambda kinds: kinds == ["SaleCreated", "Traded"], 10)


async def test_two_feeds_are_one(world: FeedWorld) -> None:
    """A worker that was frozen and thinks it is the feed: the newer one ends its session, and it writes nothing."""
    keys, _ = await world.sale()
    async with following(world) as old:
        async with following(world):
            await world.desk.buy(keys, world.wallet(), MILLION)
            world.svm.finalize()
            await world.until(world.kinds, lambda kinds: kinds == ["SaleCreated", "Traded"], 10)
            await world.until(lambda: asyncio.sleep(0, old.done()), bool, 10)
    with pytest.raises(Unavailable):
        old.result()


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


async def alerted(world: FeedWorld) -> dict[str, str]:
    rows = await world.rows("SELECT subject, detail FROM platform.alerts WHERE code = 'chain_differs'")
    return {row["subject"]: row["detail"] for row in rows}


async def test_a_trade_hidden_by_long_logs_stops_no_sale_and_is_told(world: FeedWorld) -> None:
    hidden, first = await world.sale(seconds=600)
    world.desk._made += 1
    other, _ = await world.sale()
    await world.look()
    buyer = world.wallet()
    bought = await world.desk.buy(hidden, buyer, MILLION)
    world.svm.finalize()
    asked = {"encoding": "json", "commitment": "finalized", "maxSupportedTransactionVersion": 0}
    told = await call(world.svm.urls[0], "getTransaction", bought, asked)
    told["meta"]["logMessages"] = ["Log truncated"]
    for port in (0, 1):
        world.svm.fail("getTransaction", "result", port=port, value=told)
    await world.look()
    world.svm.heal()
    assert "cut the logs" in (await alerted(world))[f"logs:{first.sale_id}"]
    world.svm.warp(seconds=700)
    refund = world.desk.program.refund(hidden, str(buyer.pubkey()))
    await world.desk.send(world.platform, refund)
    await world.desk.buy(other, world.wallet(), MILLION)
    await world.look()
    assert (await world.kinds())[2:] == ["Refunded", "Traded"]
    assert (await world.figures(first))["sold"] == -MILLION, "what was not read is missing, and nothing stops"


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
