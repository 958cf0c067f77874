"""Paper cash, resets, the drawdown's latch, and closes by hand: rows of the ledger that move no profit of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from domain.copytrade.entries import Scope
from domain.copytrade.venue import Book
from domain.shared.errors import Rejected
from storage.copytrade import bankroll, drawdown
from storage.copytrade.closes import CloseStore
from storage.copytrade.snapshots import SnapshotStore
from storage.database import transaction
from storage.intents.copytrade_portfolios import open_close
from tests.portfolio_lab import USDC, PortfolioLab, around, book_of, portfolio_lab
from tests.world import copytrade as world

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[PortfolioLab]:
    async with portfolio_lab(database) as made:
        yield made


async def operator(lab: PortfolioLab) -> str:
    return str((await world.rows(lab.dsn, "SELECT id FROM platform.accounts LIMIT 1"))[0]["id"])


async def worth(lab: PortfolioLab, portfolio: str) -> dict[str, Any]:
    """Its newest snapshot, as if it were taken at the next minute."""
    row = await world.rows(
        lab.dsn, "SELECT *, clock_timestamp() AS now FROM copytrade.portfolios WHERE id = %s", portfolio
    )
    async with transaction(lab.pool) as connection:
        return (await drawdown.current(connection, row[0]))._asdict()


async def invested(lab: PortfolioLab) -> tuple[str, str, str]:
    """A leader who was copied: 20 shares or so at 0.50 in both portfolios; returns him, the market and the token."""
    user = await lab.leader()
    condition, [yes, _] = await world.market(lab.dsn)
    await world.mark(lab.dsn, yes, 500_000, datetime.now(UTC))
    await lab.copy(user, condition, yes, "BUY", around(yes, condition, 500_000), price=500_000, shares=10_000 * USDC)
    return user, condition, yes


async def test_deposits_and_withdrawals_move_neither_profit_nor_drawdown(lab: PortfolioLab) -> None:
    user, _, yes = await invested(lab)
    row = await lab.portfolio("EXEC_USER", user)
    await world.mark(lab.dsn, yes, 470_000, datetime.now(UTC) + timedelta(seconds=31))
    before = await worth(lab, row["id"])
    for amount in (5_000 * USDC, -9_000 * USDC):
        async with transaction(lab.pool) as connection:
            await bankroll.move_cash(
                connection, Scope.EXEC_USER, user, amount, principal=await operator(lab), reason="more to play with"
            )
    after = await worth(lab, row["id"])
    assert after["contributed_micros"] == before["contributed_micros"] - 4_000 * USDC
    assert after["equity_micros"] == before["equity_micros"] - 4_000 * USDC
    profit = [one["equity_micros"] - one["contributed_micros"] for one in (before, after)]
    assert profit[0] == profit[1]
    assert after["realized_pnl_micros"] == before["realized_pnl_micros"]
    with pytest.raises(Rejected, match="insufficient_funds"):
        async with transaction(lab.pool) as connection:
            await bankroll.move_cash(connection, Scope.EXEC_USER, user, -(10**13), principal="x", reason="")
    lines = await world.rows(
        lab.dsn, "SELECT count(*) AS n FROM copytrade.ledger_entries WHERE ref_id LIKE 'cash:%%' AND portfolio_id = %s",
        row["id"],
    )  # fmt: skip
    assert lines[0]["n"] == 2


async def test_a_reset_portfolio_begins_anew_and_keeps_its_history(lab: PortfolioLab) -> None:
    user, condition, yes = await invested(lab)
    row = await lab.portfolio("EXEC_USER", user)
    async with transaction(lab.pool) as connection:
        epoch = await bankroll.reset(
            connection, Scope.EXEC_USER, user, 700 * USDC, principal=await operator(lab), reason="again"
        )
    again = await lab.portfolio("EXEC_USER", user)
    assert (epoch, again["cash_micros"], again["contributed_micros"], again["realized_micros"]) == (
        *(1, 700 * USDC, 700 * USDC, 0),
    )
    held = await world.rows(
        lab.dsn, "SELECT sum(share_micros) AS n FROM copytrade.positions WHERE portfolio_id = %s", row["id"]
    )
    assert held[0]["n"] == 0
    kept = await world.rows(
        lab.dsn, "SELECT epoch, count(*) n FROM copytrade.ledger_entries WHERE portfolio_id = %s GROUP BY 1 ORDER BY 1",
        row["id"],
    )  # fmt: skip
    assert [(one["epoch"], one["n"]) for one in kept] == [(0, 2), (1, 1)]
    # it copies on, from its own cash
    await lab.copy(user, condition, yes, "BUY", around(yes, condition, 500_000), price=500_000, number=1)
    fills = await world.rows(
        lab.dsn,
        "SELECT epoch FROM copytrade.ledger_entries WHERE portfolio_id = %s AND entry_type = 'TRADE_FILL' ORDER BY id",
        row["id"],
    )
    assert [one["epoch"] for one in fills] == [0, 1]


async def fallen(lab: PortfolioLab, portfolio: str, yes: str) -> None:
    """Twelve percent down from its peak, seen by a snapshot of the last full minute."""
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    await world.line(
        lab.dsn, portfolio, "TRADE_FILL", cash=-2_000 * USDC, token_id=yes, shares=4_000 * USDC, cost=2_000 * USDC,
        at=minute - timedelta(minutes=3),
    )  # fmt: skip
    await world.rows(lab.dsn, "DELETE FROM copytrade.mark_prices")
    await world.mark(lab.dsn, yes, 600_000, minute - timedelta(minutes=2, seconds=30))
    await world.mark(lab.dsn, yes, 100_000, minute - timedelta(seconds=30))


async def test_a_drawdown_latches_until_somebody_resets_it(lab: PortfolioLab) -> None:
    user = await lab.leader()
    condition, [yes, _] = await world.market(lab.dsn)
    row = await lab.portfolio("EXEC_USER", user)
    await fallen(lab, row["id"], yes)
    while (taken := await SnapshotStore(lab.books).take(row["id"])).more:
        assert not taken.latched
    assert taken.latched
    now = await lab.portfolio("EXEC_USER", user)
    assert now["watched_latched_at"] is not None
    assert now["drawdown_latched_at"] is None
    assert now["watched_peak_micros"] == 400 * USDC
    alerts = "SELECT count(*) AS n FROM platform.alerts WHERE code = 'drawdown_latched' AND resolved_at IS NULL"
    assert (await world.rows(lab.dsn, alerts))[0]["n"] == 1

    # a group whose inputs are read now is refused, and its refusal is kept with what it saw
    key = await lab.copy(user, condition, yes, "BUY", around(yes, condition, 500_000), price=500_000)
    [attempt] = await world.rows(
        lab.dsn,
        "SELECT * FROM copytrade.copy_attempts WHERE group_key = %s AND portfolio_scope = 'EXEC_USER'",
        key,
    )
    assert attempt["reason_codes"][0] == "CIRCUIT_BREAKER_TRIPPED"
    assert attempt["portfolio"]["peak_pnl"] == 400 * USDC
    inputs = await world.rows(lab.dsn, "SELECT facts FROM copytrade.group_inputs WHERE group_key = %s", key)
    assert inputs[0]["facts"]["windows"]["EXEC_USER"]["latched"] is True

    async with transaction(lab.pool) as connection:
        peak = await drawdown.reset(connection, row["id"], principal=await operator(lab), reason="seen, go on")
    assert peak == -1_600 * USDC
    assert (await world.rows(lab.dsn, alerts))[0]["n"] == 0
    key = await lab.copy(user, condition, yes, "BUY", around(yes, condition, 500_000), price=500_000, number=1)
    [attempt] = await world.rows(
        lab.dsn,
        "SELECT guards FROM copytrade.copy_attempts WHERE group_key = %s AND portfolio_scope = 'EXEC_USER'",
        key,
    )
    [guard] = [one for one in attempt["guards"] if one["name"] == "drawdown"]
    assert guard["passed"], guard


async def test_loss_windows_begin_at_midnight_and_seven_days_ago(lab: PortfolioLab) -> None:
    """3 % since midnight, or 8 % in seven days, stop what opens (B4 3); a deposit since then changes nothing."""
    user = await lab.leader()
    condition, [yes, _] = await world.market(lab.dsn)
    row = await lab.portfolio("EXEC_USER", user)
    due = datetime(2026, 11, 19, 15, tzinfo=UTC)
    for at, equity in ((due - timedelta(days=7), 10_300), (due.replace(hour=0), 10_000), (due.replace(hour=14), 1)):
        await world.rows(
            lab.dsn,
            """INSERT INTO copytrade.portfolio_snapshots (portfolio_id, bucket_time, equity_micros, cash_micros,
                 exposure_micros, unrealized_pnl_micros, realized_pnl_micros, contributed_micros, epoch, ledger_id)
               VALUES (%s, %s, %s, 0, 0, 0, 0, %s, 0, 0)""",
            *(row["id"], at, equity * USDC, 10_000 * USDC),
        )
    await world.line(lab.dsn, row["id"], "FEE", cash=-301 * USDC, realized=-301 * USDC)
    await world.line(lab.dsn, row["id"], "DEPOSIT", cash=2_000 * USDC)
    key = await lab.copy(user, condition, yes, "BUY", around(yes, condition, 500_000), price=500_000, due_at=due)
    [attempt] = await world.rows(
        lab.dsn, "SELECT * FROM copytrade.copy_attempts WHERE group_key = %s AND portfolio_scope = 'EXEC_USER'", key
    )
    limits = {one["name"]: (one["limit"], one["actual"], one["passed"]) for one in attempt["guards"]}
    assert limits["daily_loss"] == (300 * USDC, 301 * USDC, False)
    assert limits["weekly_loss"] == (824 * USDC, 601 * USDC, True)
    assert attempt["reason_codes"] == ["CIRCUIT_BREAKER_TRIPPED"]
    sold = await lab.copy(user, condition, yes, "SELL", around(yes, condition, 500_000), price=500_000, due_at=due)
    [attempt] = await world.rows(
        lab.dsn, "SELECT * FROM copytrade.copy_attempts WHERE group_key = %s AND portfolio_scope = 'EXEC_USER'", sold
    )
    assert "CIRCUIT_BREAKER_TRIPPED" not in attempt["reason_codes"]


async def close(lab: PortfolioLab, scope: Scope, user: str | None, token: str, book: Book, **how: Any) -> Any:
    async with transaction(lab.pool) as connection:
        opened = await open_close(
            connection,
            scope=scope,
            user_id=user,
            token_id=token,
            shares=how.get("shares"),
            reason="enough",
            principal=await operator(lab),
        )
    store = CloseStore(lab.books)
    assert await store.needs_book(opened.subject_id) == token
    await store.keep_book(opened.subject_id, book, {}, datetime.now(UTC))
    assert await store.needs_book(opened.subject_id) is None
    done = await store.close(opened.subject_id)
    assert (await store.close(opened.subject_id)).status == done.status  # again: nothing more
    return done


async def test_a_close_sells_at_one_book_and_shares_out_what_copies_several_leaders(lab: PortfolioLab) -> None:
    one, other = await lab.leader(), await lab.leader()
    condition, [yes, _] = await world.market(lab.dsn, fee_ppm=40_000)
    await world.mark(lab.dsn, yes, 500_000, datetime.now(UTC))
    for user, shares in ((one, 10_000), (other, 5_000)):
        await lab.copy(user, condition, yes, "BUY", around(yes, condition, 500_000), shares=shares * USDC)
    whole = await lab.portfolio("EXEC_GLOBAL")
    held = "SELECT * FROM copytrade.positions WHERE portfolio_id = %s AND token_id = %s"
    [before] = await world.rows(lab.dsn, held, whole["id"], yes)
    assert before["share_micros"] > 0

    thin = book_of(yes, condition, [(480_000, 40), (450_000, 20)], [(500_000, 10)])
    done = await close(lab, Scope.EXEC_GLOBAL, None, yes, thin)
    [after] = await world.rows(lab.dsn, held, whole["id"], yes)
    assert done.status == "closed"
    assert before["share_micros"] - after["share_micros"] == 60 * USDC
    lines = await world.rows(
        lab.dsn,
        """SELECT source_followed_user_id AS who, entry_type::text AS kind, share_delta_micros AS shares,
             cash_delta_micros AS cash FROM copytrade.ledger_entries
           WHERE ref_id LIKE 'close:%%' AND portfolio_id = %s ORDER BY id""",
        whole["id"],
    )
    assert {line["who"] for line in lines} == {one, other}
    assert sum(line["shares"] for line in lines) == -60 * USDC
    assert sum(line["cash"] for line in lines if line["kind"] == "CLOSE") == 40 * 480_000 + 20 * 450_000
    now = await lab.portfolio("EXEC_GLOBAL")
    assert now["cash_micros"] - whole["cash_micros"] == sum(line["cash"] for line in lines)
    # what is left still copies its leader, so his sale sells it
    await world.rows(lab.dsn, "DELETE FROM copytrade.mark_prices")
    key = await lab.copy(one, condition, yes, "SELL", around(yes, condition, 500_000), shares=10_000 * USDC)
    [sold] = await world.rows(
        lab.dsn, "SELECT * FROM copytrade.copy_attempts WHERE group_key = %s AND portfolio_scope = 'EXEC_GLOBAL'", key
    )
    assert sold["decision"] == "EXECUTE"

    row = await lab.portfolio("EXEC_USER", other)
    empty = await close(lab, Scope.EXEC_USER, other, yes, book_of(yes, condition, [], [(500_000, 1)]))
    assert (empty.status, empty.code) == ("rejected", "NO_LIQUIDITY_WITHIN_BOUNDS")
    everything = await close(lab, Scope.EXEC_USER, other, yes, around(yes, condition, 500_000))
    assert everything.status == "closed"
    [gone] = await world.rows(lab.dsn, held, row["id"], yes)
    assert (gone["share_micros"], gone["cost_micros"]) == (0, 0)
    with pytest.raises(Rejected, match="position_not_held"):
        await close(lab, Scope.EXEC_USER, other, yes, thin)
