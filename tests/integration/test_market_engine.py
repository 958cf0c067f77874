"""The engine against a real Postgres: verdicts, books, replay, what others may do meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import psycopg
import pytest
import pytest_asyncio

from domain.exchange.batch import Position
from domain.exchange.curve import SHARE
from domain.exchange.positions import Done, position_of
from domain.shared.money import USDC_ONE, format_usdc
from storage.database import make_pool
from storage.reads.market_log import differences
from tests.patience import PATIENCE_S
from tests.world.assets import funded_asset, give, trader
from tests.world.market import Asked, Market, open_market


@pytest_asyncio.fixture(loop_scope="session")
async def market(database: str) -> AsyncIterator[Market]:
    """One engine; every rule of the books must hold at the end, and a replay must give the same again."""
    async with open_market(database) as opened:
        yield opened
        await sound(opened)


async def sound(market: Market) -> None:
    assert await market.broken_rules() == {}
    async with make_pool(market.dsn, size=1, name="test-replay") as pool:
        for row in await market.rows("SELECT id FROM exchange.assets"):
            assert await differences(pool, row["id"]) == []


async def test_a_fill_moves_money_shares_and_fees(market: Market) -> None:
    asset, buyer = await funded_asset(market.dsn), await trader(market.dsn, 100 * USDC_ONE)
    [bought] = await market.carry_out([Asked(asset, buyer, "buy", 10 * USDC_ONE)])
    assert (bought["status"], bought["amount_micros"], bought["fee_micros"], bought["lp_fee_micros"]) == (
        "filled", 10_000_000, 50_000, 45_000,
    )  # fmt: skip
    shares = int(bought["shares_atto"])
    assert await market.available(buyer) == 90 * USDC_ONE
    assert await market.shares_of(buyer, asset) == shares
    assert await market.ledger(f"assets:{asset}:reserve") == 9_950_000
    assert await market.ledger(f"assets:{asset}:lp_fees") == 45_000
    assert await market.ledger("platform:fees") == 5_000
    lines = await market.rows(
        """SELECT p.amount FROM platform.postings p JOIN platform.transfers t ON t.id = p.transfer_id
           WHERE t.key = %s""",
        f"trade:{bought['id']}",
    )
    assert len(lines) == 6
    [sold] = await market.carry_out([Asked(asset, buyer, "sell", shares)])
    assert sold["status"] == "filled"
    assert await market.shares_of(buyer, asset) == 0
    assert await market.available(buyer) < 100 * USDC_ONE


async def test_every_rejection_is_a_verdict_and_moves_nothing(market: Market) -> None:
    asset = await funded_asset(market.dsn, breaker_bps=1_500)
    rich, poor = await trader(market.dsn, 10_000 * USDC_ONE), await trader(market.dsn, USDC_ONE)
    rows = await market.carry_out(
        [
            Asked(asset, rich, "buy", 10 * USDC_ONE),
            Asked(asset, poor, "buy", 10 * USDC_ONE),
            Asked(asset, poor, "sell", SHARE),
            Asked(asset, rich, "buy", 1),
            Asked(asset, rich, "buy", 10 * USDC_ONE, min_out=10 * SHARE),
            Asked(asset, rich, "buy", 5_000 * USDC_ONE),
        ]
    )
    assert [row["reject_code"] for row in rows] == [
        None, "insufficient_funds", "insufficient_funds", "amount_too_small", "slippage_exceeded", "circuit_breaker",
    ]  # fmt: skip
    assert [row["verdict"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert await market.available(rich) == 9_990 * USDC_ONE
    assert await market.available(poor) == USDC_ONE


async def test_d10_nobody_trades_while_an_asset_is_funded_or_after_it_was_cancelled(market: Market) -> None:
    buyer = await trader(market.dsn, 100 * USDC_ONE)
    assets = [await funded_asset(market.dsn, status=status) for status in ("funding", "cancelled")]
    rows = await market.carry_out(Asked(asset, buyer) for asset in assets)
    assert [row["reject_code"] for row in rows] == ["asset_not_active"] * 2
    assert await market.available(buyer) == 100 * USDC_ONE


async def test_d12_dust_buys_nothing_and_costs_nothing(market: Market) -> None:
    asset, buyer = await funded_asset(market.dsn, p0_micros=50_000), await trader(market.dsn, 50)
    rows = await market.carry_out(Asked(asset, buyer, "buy", 1) for _ in range(50))
    assert {row["reject_code"] for row in rows} == {"amount_too_small"}
    assert (await market.available(buyer), await market.shares_of(buyer, asset)) == (50, 0)


async def test_d19_sixty_four_buyers_at_once_all_get_a_verdict(market: Market) -> None:
    asset = await funded_asset(market.dsn)
    buyers = [await trader(market.dsn, 100 * USDC_ONE) for _ in range(64)]
    ids = await asyncio.gather(*(market.buy(asset, buyer, 10 * USDC_ONE) for buyer in buyers))
    await market.drain()
    rows = [await market.trade(trade_id) for trade_id in ids]
    assert {row["status"] for row in rows} == {"filled"}
    assert sorted(row["verdict"] for row in rows) == list(range(1, 65))


async def test_d21_every_verdict_is_told_once_and_in_order(market: Market) -> None:
    asset, buyer = await funded_asset(market.dsn), await trader(market.dsn, 10_000 * USDC_ONE)
    await market.carry_out(Asked(asset, buyer, "buy", (n % 3) * 4_000_000 + 1) for n in range(300))
    told = await market.rows("SELECT type, account_id, payload FROM platform.outbox WHERE topic = 'trades' ORDER BY id")
    assert [row["payload"]["verdict"] for row in told] == list(range(1, 301))
    assert {row["account_id"] for row in told} == {buyer}
    fills = [row["payload"] for row in told if row["type"] == "trade"]
    assert {row["payload"]["reject_code"] for row in told if row["type"] == "trade_rejected"} == {"amount_too_small"}
    assert all(f["buyer_id"] == buyer and f["seller_id"] is None and f["side"] == "buy" for f in fills)
    pools = await market.row("SELECT sum(pool_micros)::bigint AS total FROM exchange.trades WHERE status = 'filled'")
    assert fills[-1]["volume5m"] == format_usdc(pools["total"])


async def test_random_traffic_replays_bit_for_bit(market: Market) -> None:
    """Several assets and accounts, every verdict there is, money coming and going, halts and the kill switch."""
    dice = random.Random(20_261_121)
    assets = [
        await funded_asset(market.dsn, breaker_bps=800, k_atto=10**16, fee_bps=200),
        await funded_asset(market.dsn, k_atto=0, fee_bps=30),
        await funded_asset(market.dsn, p0_micros=18_000_000, k_atto=10**8, principal=0),
    ]
    accounts = [await trader(market.dsn, dice.randrange(200 * USDC_ONE)) for _ in range(8)]
    for _ in range(25):
        await market.carry_out([await _any_order(market, dice, assets, accounts) for _ in range(dice.randrange(1, 40))])
        await _something_else(market, dice, assets, accounts)
    codes = {row["code"] for row in await market.rows("SELECT DISTINCT reject_code AS code FROM exchange.trades")}
    assert codes >= {None, "insufficient_funds", "slippage_exceeded", "circuit_breaker", "asset_halted",
                     "amount_too_small", "trading_disabled"}  # fmt: skip
    await _positions_follow_from_fills(market)


async def _any_order(market: Market, dice: random.Random, assets: list[str], accounts: list[str]) -> Asked:
    asset, account = dice.choice(assets), dice.choice(accounts)
    if dice.random() < 0.55:
        micros = dice.choice([1, dice.randrange(1, 30 * USDC_ONE), dice.randrange(1, 300 * USDC_ONE)])
        return Asked(asset, account, "buy", micros, dice.choice([0, 0, dice.randrange(10 * SHARE)]))
    held = await market.shares_of(account, asset)
    atto = dice.choice([1, held or 1, dice.randrange(1, held + 2), dice.randrange(1, 2 * held + 2)])
    return Asked(asset, account, "sell", atto, dice.choice([0, 0, dice.randrange(USDC_ONE)]))


async def _something_else(market: Market, dice: random.Random, assets: list[str], accounts: list[str]) -> None:
    act = dice.randrange(5)
    if act == 0:
        await give(market.dsn, dice.choice(accounts), dice.randrange(1, 100 * USDC_ONE))
    if act == 1:
        status = dice.choice(["active", "halted"])
        await market.rows("UPDATE exchange.assets SET status = %s WHERE id = %s", status, dice.choice(assets))
    if act == 2:
        await switch(market, dice.random() < 0.5)
    if act == 3:
        await market.rows("UPDATE exchange.assets SET status = 'active'")
        await switch(market, True)


async def switch(market: Market, on: bool) -> None:
    await market.rows(
        """INSERT INTO platform.controls (name, enabled, changed_by) VALUES ('exchange.trading', %s, 'test')
           ON CONFLICT (name) DO UPDATE SET enabled = excluded.enabled""",
        on,
    )


async def _positions_follow_from_fills(market: Market) -> None:
    fills: dict[tuple[str, str], list[Done]] = {}
    for row in await market.rows("SELECT * FROM exchange.trades WHERE status = 'filled' ORDER BY asset_id, verdict"):
        done = Done(row["side"], int(row["shares_atto"]), row["amount_micros"])
        fills.setdefault((row["account_id"], row["asset_id"]), []).append(done)
    kept = {
        (row["account_id"], row["asset_id"]): Position(
            int(row["shares_atto"]), row["cost_micros"], row["realised_micros"]
        )
        for row in await market.rows("SELECT * FROM exchange.positions")
    }
    assert kept == {key: position_of(done) for key, done in fills.items()}


async def test_two_engines_share_the_money_of_an_account(database: str) -> None:
    """One account, two assets on two engines, money for half of what it asks: never more than it has."""
    async with open_market(database, 0, 2) as first, open_market(database, 1, 2) as second:
        assets = [await funded_asset(database, shard=0), await funded_asset(database, shard=1)]
        accounts = [await trader(database, 20 * USDC_ONE) for _ in range(4)]
        await first.place(Asked(asset, account, "buy", USDC_ONE) for _ in range(20) for account in accounts
                          for asset in assets)  # fmt: skip
        given = await asyncio.gather(first.drain(), second.drain())
        assert tuple(given) == (80, 80)
        verdicts = await first.rows("SELECT account_id, status::text, count(*) AS n FROM exchange.trades GROUP BY 1, 2")
        assert all(row["n"] == 20 for row in verdicts)
        assert [await first.available(account) for account in accounts] == [0] * 4
        await sound(first)


async def test_a_halt_that_is_being_written_is_waited_for(market: Market) -> None:
    """Whoever changes an asset holds its row; the engine decides after that, not beside it."""
    asset, buyer = await funded_asset(market.dsn), await trader(market.dsn, 100 * USDC_ONE)
    trade_id = await market.buy(asset, buyer, USDC_ONE)
    async with await psycopg.AsyncConnection.connect(market.dsn) as other:
        await other.execute("SELECT 1 FROM exchange.assets WHERE id = %s FOR NO KEY UPDATE", [asset])
        draining = asyncio.create_task(market.drain())
        await asyncio.sleep(0.2)
        assert (await market.trade(trade_id))["status"] == "pending"
        await other.execute("UPDATE exchange.assets SET status = 'halted' WHERE id = %s", [asset])
        await other.commit()
    await draining
    assert (await market.trade(trade_id))["reject_code"] == "asset_halted"


async def test_the_kill_switch_counts_from_its_commit(market: Market) -> None:
    asset, buyer = await funded_asset(market.dsn), await trader(market.dsn, 100 * USDC_ONE)
    async with await psycopg.AsyncConnection.connect(market.dsn) as other:
        await other.execute("SELECT 1 FROM exchange.assets WHERE id = %s FOR NO KEY UPDATE", [asset])
        trade_id = await market.buy(asset, buyer, USDC_ONE)
        draining = asyncio.create_task(market.drain())
        await asyncio.sleep(0.2)
        await switch(market, False)
        await other.commit()
    await draining
    assert (await market.trade(trade_id))["reject_code"] == "trading_disabled"
    assert await market.available(buyer) == 100 * USDC_ONE
    await switch(market, True)
    assert [row["status"] for row in await market.carry_out([Asked(asset, buyer)])] == ["filled"]


async def test_orders_come_in_while_a_batch_holds_its_locks(market: Market) -> None:
    asset, buyer = await funded_asset(market.dsn), await trader(market.dsn, 100 * USDC_ONE)
    async with await psycopg.AsyncConnection.connect(market.dsn) as other:
        await other.execute("SELECT 1 FROM exchange.assets WHERE id = %s FOR NO KEY UPDATE", [asset])
        await asyncio.wait_for(market.buy(asset, buyer, USDC_ONE), PATIENCE_S)
    assert await market.drain() == 1


async def test_a_line_without_a_transfer_is_refused(database: str) -> None:
    """The ledger has no foreign key there (decision 0016): the trigger does its work."""
    async with await psycopg.AsyncConnection.connect(database) as connection:
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            await connection.execute(
                """INSERT INTO platform.postings (transfer_id, account, unit, amount)
                   VALUES (4711, 'world', 'USDC', -1), (4711, 'platform:fees', 'USDC', 1)"""
            )
