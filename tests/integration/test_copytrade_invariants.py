"""The rules of paper portfolios hold over everything the product does, and each notices what it is for."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from domain.copytrade.entries import Scope
from storage.checks import LedgerCheckStore
from storage.copytrade import bankroll
from storage.database import transaction
from storage.reads.copytrade_rules import COPYTRADE_RULES
from storage.reads.invariants import RULES, check
from tests.portfolio_lab import USDC, PortfolioLab, around, portfolio_lab
from tests.world import copytrade as world

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[PortfolioLab]:
    async with portfolio_lab(database) as made:
        yield made


async def broken(lab: PortfolioLab) -> set[str]:
    return {verdict.name for verdict in [await check(lab.pool, rule) for rule in RULES] if not verdict.ok}


async def history(lab: PortfolioLab) -> dict[str, Any]:
    """Executed and skipped, bought and sold, paid in, reset."""
    chance, user = random.Random(1), await lab.leader()
    condition, [yes, no] = await world.market(lab.dsn, fee_ppm=40_000)
    for number in range(12):
        token = chance.choice((yes, no))
        await world.rows(lab.dsn, "DELETE FROM copytrade.mark_prices")
        await world.mark(lab.dsn, token, 500_000, datetime.now(UTC))
        kind = "SELL" if number % 4 == 3 else "BUY"
        book = around(token, condition, 500_000, chance.choice((10_000, 40_000)), size=40)
        await lab.copy(user, condition, token, kind, book, shares=8_000 * USDC, number=number)
    async with transaction(lab.pool) as connection:
        await bankroll.move_cash(connection, Scope.EXEC_GLOBAL, None, -100 * USDC, principal="test", reason="less")
        await bankroll.reset(connection, Scope.EXEC_USER, user, 300 * USDC, principal="test", reason="anew")
    await lab.copy(user, condition, yes, "BUY", around(yes, condition, 500_000), number=99)
    return await lab.portfolio("EXEC_GLOBAL")


async def test_every_rule_holds_after_a_history(lab: PortfolioLab) -> None:
    await history(lab)
    assert await broken(lab) == set()
    figures = {rule.name: await check(lab.pool, rule) for rule in RULES if rule.paper}
    assert len(figures) == len(COPYTRADE_RULES)
    assert figures["copytrade_one_book_per_group"].expected == "13"
    assert int(figures["copytrade_fills_equal_attempts"].actual) > 0


@pytest.mark.parametrize(
    ("rule", "damage"),
    [
        ("copytrade_positions_equal_ledger", "UPDATE copytrade.positions SET share_micros = share_micros + 1"),
        ("copytrade_positions_equal_ledger", "DELETE FROM copytrade.positions"),
        ("copytrade_portfolios_equal_ledger", "UPDATE copytrade.portfolios SET cash_micros = cash_micros + 1"),
        ("copytrade_portfolios_equal_ledger", "UPDATE copytrade.portfolios SET contributed_micros = 0"),
        (
            "copytrade_only_deposits_contribute",
            "UPDATE copytrade.ledger_entries SET realized_micros = 1 WHERE entry_type = 'TRADE_FILL'",
        ),
        (
            "copytrade_cash_never_negative",
            "UPDATE copytrade.ledger_entries SET cash_delta_micros = -10000000000000 WHERE entry_type = 'TRADE_FILL'",
        ),
        ("copytrade_skips_have_reasons", "UPDATE copytrade.copy_attempts SET reason_codes = '{BUFFERED}'"),
        ("copytrade_one_book_per_group", "DELETE FROM copytrade.group_inputs"),
        ("copytrade_fills_equal_attempts", "DELETE FROM copytrade.executable_fills WHERE level = 0"),
        ("copytrade_fills_equal_attempts", "UPDATE copytrade.copy_attempts SET filled_notional_micros = 7"),
    ],
)
async def test_a_rule_notices_its_damage(lab: PortfolioLab, rule: str, damage: str) -> None:
    await history(lab)
    for table in ("ledger_entries", "copy_attempts", "group_inputs", "executable_fills"):
        await world.rows(lab.dsn, f"ALTER TABLE copytrade.{table} DISABLE TRIGGER append_only")
    await world.rows(lab.dsn, damage)
    assert rule in await broken(lab)


async def test_a_breach_on_paper_stops_copying_and_not_withdrawals(lab: PortfolioLab) -> None:
    await history(lab)
    await world.rows(lab.dsn, "UPDATE copytrade.positions SET cost_micros = cost_micros + 1")
    store = LedgerCheckStore(lab.books, lab.dsn)
    found = await store.check()
    assert found.ok
    assert "copytrade_positions_equal_ledger" in found.paper
    await store.record(found)
    controls = await world.rows(lab.dsn, "SELECT name, enabled FROM platform.controls WHERE NOT enabled")
    assert [row["name"] for row in controls] == ["copytrade.engine"]
    alerts = await world.rows(lab.dsn, "SELECT code, severity::text AS severity FROM platform.alerts")
    assert alerts == [{"code": "paper_ledger_mismatch", "severity": "warning"}]
