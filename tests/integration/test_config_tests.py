"""Test config: the decisions of a time made again under proposed rules, from nothing but what was stored (B4 32)."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from domain.shared.errors import Rejected
from storage.copytrade.config_tests import ConfigTestStore
from storage.intents.copytrade_portfolios import open_config_test
from tests.portfolio_lab import USDC, PortfolioLab, around, portfolio_lab
from tests.world import copytrade as world
from tests.world import groups

pytestmark = pytest.mark.asyncio(loop_scope="session")
YESTERDAY = timedelta(hours=24)


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[PortfolioLab]:
    async with portfolio_lab(database) as made:
        yield made


async def asked(
    lab: PortfolioLab, proposed: dict[str, Any], user: str | None = None, until: datetime | None = None
) -> str:
    operator = (await world.rows(lab.dsn, "SELECT id FROM platform.accounts LIMIT 1"))[0]["id"]
    now = until or datetime.now(UTC)
    async with lab.books.begin() as book:
        opened = await open_config_test(
            book.connection,
            proposed=proposed,
            user_id=user,
            from_at=now - YESTERDAY,
            until_at=now,
            principal=operator,
        )
    return opened.subject_id


async def tried(lab: PortfolioLab, proposed: dict[str, Any], **how: Any) -> dict[str, Any]:
    return await ConfigTestStore(lab.books).evaluate(await asked(lab, proposed, **how))


async def busy(lab: PortfolioLab, seed: int, count: int = 40) -> tuple[list[str], list[str]]:
    """Two leaders, three markets; trades copied and not, a deposit, a settlement, a reset drawdown."""
    chance = random.Random(seed)
    users = [await lab.leader() for _ in range(2)]
    markets = [await world.market(lab.dsn, fee_ppm=chance.choice((None, 40_000))) for _ in range(3)]
    begun = datetime.now(UTC) - timedelta(hours=20)
    for number in range(count):
        condition, tokens = chance.choice(markets[1:] if number > count // 2 else markets)
        token, mid = chance.choice(tokens), 10_000 * chance.randrange(20, 80)
        book = around(token, condition, mid, spread=chance.choice((10_000, 10_000, 40_000)), size=500)
        await world.rows(lab.dsn, "DELETE FROM copytrade.mark_prices WHERE token_id = %s", token)
        await world.mark(lab.dsn, token, mid, datetime.now(UTC))
        await lab.copy(
            chance.choice(users),
            condition,
            token,
            chance.choice(("BUY", "BUY", "SELL")),
            None if chance.random() < 0.1 else book,
            price=mid + chance.choice((0, 5_000, -20_000)),
            shares=chance.randrange(100, 30_000) * USDC,
            due_at=begun + timedelta(minutes=20 * number),
            event_time=begun + timedelta(minutes=20 * number, seconds=-chance.choice((2, 2, 2, 90))),
        )
        if number == count // 4:
            row = await lab.portfolio("EXEC_GLOBAL")
            await world.line(lab.dsn, row["id"], "DEPOSIT", cash=250 * USDC, at=datetime.now(UTC))
        if number == count // 2:
            await settle(lab, *markets[0])
    return users, [token for _, tokens in markets for token in tokens]


async def settle(lab: PortfolioLab, condition: str, tokens: list[str]) -> None:
    """The market pays 1 and 0; every executable position of it is settled."""
    await world.rows(
        lab.dsn,
        "UPDATE copytrade.markets SET payouts = '{1000000,0}', resolved_at = %s WHERE condition_id = %s",
        *(datetime.now(UTC), condition),
    )
    held = "SELECT * FROM copytrade.positions WHERE token_id = ANY(%s) AND share_micros <> 0"
    for row in await world.rows(lab.dsn, held, tokens):
        cash = row["share_micros"] if row["token_id"] == tokens[0] else 0
        await world.line(
            lab.dsn,
            row["portfolio_id"],
            "SETTLEMENT",
            cash=cash,
            token_id=row["token_id"],
            condition_id=condition,
            shares=-row["share_micros"],
            cost=-row["cost_micros"],
            realized=cash - row["cost_micros"],
            at=datetime.now(UTC),
            price=USDC if row["token_id"] == tokens[0] else 0,
        )


def of(result: dict[str, Any], scope: str, user: str | None = None) -> dict[str, Any]:
    [found] = [
        dict(one) for one in result["portfolios"] if one["portfolio_scope"] == scope and one["followed_user_id"] == user
    ]
    return found


async def test_the_rules_in_force_change_nothing(lab: PortfolioLab) -> None:
    """Re-deciding everything under the same rules comes to the same decisions, positions and profit."""
    users, _ = await busy(lab, seed=3)
    result = await tried(lab, {})
    assert result["evaluable"]
    assert result["changed_total"] == 0, result["changed"][:2]
    for one in result["portfolios"]:
        assert one["pnl_difference_micros"] == 0
        assert one["reasons_before"] == one["reasons_after"]
    whole = of(result, "EXEC_GLOBAL")
    assert whole["groups"] == 40
    assert whole["executed_before"] == whole["executed_after"] > 3
    assert whole["skipped_after"] > 3
    assert sum(of(result, "EXEC_USER", user)["groups"] for user in users) == 40


async def test_other_rules_decide_skips_again_and_carry_their_own_portfolio(lab: PortfolioLab) -> None:
    await busy(lab, seed=8)
    open_wide = {"guardrails": {"max_spread_micros": 100_000, "max_worsening_vs_their_fill_micros": 100_000,
                                "max_over_mid_micros": 100_000}}  # fmt: skip
    result = await tried(lab, open_wide)
    whole = of(result, "EXEC_GLOBAL")
    assert whole["executed_after"] > whole["executed_before"]
    assert "SPREAD_TOO_WIDE" in whole["reasons_before"]
    assert "SPREAD_TOO_WIDE" not in whole["reasons_after"]
    assert {change["after"]["decision"] for change in result["changed"]} >= {"EXECUTE"}

    nothing = await tried(lab, {"sizing": {"min_leader_trade_notional_micros": 10**12}})
    whole = of(nothing, "EXEC_GLOBAL")
    assert whole["executed_after"] == 0
    # who never buys has lost and won nothing; a deposit is no profit
    assert whole["pnl_after_micros"] == 0
    assert whole["pnl_difference_micros"] == -whole["pnl_before_micros"]
    assert await tried(lab, open_wide) | {"until": 0} == result | {"until": 0}


async def test_rules_of_one_user_touch_his_portfolio_and_the_global_one(lab: PortfolioLab) -> None:
    [one, other], _ = await busy(lab, seed=5, count=16)
    result = await tried(lab, {"sizing": {"copy_pct_notional_bps": 400}}, user=one)
    assert {entry["followed_user_id"] for entry in result["portfolios"]} == {one, None}
    assert result["changed_total"] > 0
    assert all(
        change["group_key"].startswith(one)
        for change in result["changed"]
        if change["before"]["decision"] == "EXECUTE"
        and change["after"]["decision"] == "EXECUTE"
        and change["portfolio_scope"] == "EXEC_USER"
    )
    assert other not in str(result["portfolios"])


async def test_changes_of_delay_jitter_or_window_are_not_evaluable(lab: PortfolioLab) -> None:
    await busy(lab, seed=1, count=2)
    result = await tried(
        lab, {"guardrails": {"decision_latency_ms": 0, "jitter_ms_max": 10, "aggregation_window_ms": 250}}
    )
    assert result == {
        "evaluable": False,
        "not_evaluable": [
            "guardrails.decision_latency_ms",
            "guardrails.jitter_ms_max",
            "guardrails.aggregation_window_ms",
        ],
    }
    with pytest.raises(Rejected, match="validation_failed"):
        await asked(lab, {"guardrails": {"max_spread_micros": "wide"}})


async def test_groups_without_stored_inputs_are_labelled_and_never_guessed(lab: PortfolioLab) -> None:
    users, tokens = await busy(lab, seed=2, count=4)
    condition, _ = await world.market(lab.dsn)
    lost = await groups.group(lab.dsn, users[0], condition, tokens[0], detect_time=datetime.now(UTC))
    result = await tried(lab, {"guardrails": {"max_spread_micros": 10_000}})
    assert (result["without_inputs_total"], result["without_inputs"]) == (1, [lost])
    assert of(result, "EXEC_GLOBAL")["groups"] == 4


async def test_nothing_later_than_a_group_is_looked_at(lab: PortfolioLab) -> None:
    """Marks, resolutions and decisions of after the range change nothing in its report."""
    _, tokens = await busy(lab, seed=6, count=12)
    until = datetime.now(UTC)
    proposed = {"sizing": {"copy_pct_notional_bps": 300}}
    before = await tried(lab, proposed, until=until)
    for token in tokens:
        await world.mark(lab.dsn, token, 990_000, until + timedelta(seconds=40))
    await world.rows(lab.dsn, "UPDATE copytrade.markets SET payouts = '{0,1000000}', resolved_at = %s",
                     until + timedelta(seconds=1))  # fmt: skip
    assert await tried(lab, proposed, until=until) == before


async def test_the_result_is_kept_once(lab: PortfolioLab) -> None:
    await busy(lab, seed=4, count=6)
    test = await asked(lab, {"guardrails": {"max_spread_micros": 100_000}})
    store = ConfigTestStore(lab.books)
    done = await store.finish(test, await store.evaluate(test))
    again = await store.finish(test, {"evaluable": False, "not_evaluable": ["other"]})
    assert again == done
    assert done.groups == 12
    [row] = await world.rows(
        lab.dsn,
        """SELECT t.done, o.status::text AS status, o.summary FROM copytrade.config_tests t
           JOIN platform.operations o ON o.id = t.operation_id WHERE t.id = %s""",
        test,
    )
    assert (row["done"], row["status"], row["summary"]) == (True, "completed", done.summary)
