"""Reports over HTTP: the figures of a copied leader, null where nothing was measured."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from storage.events import new_id
from tests.api.lab import Api, problem
from tests.portfolio_lab import USDC, around, portfolio_lab
from tests.world import copytrade as world


async def test_report_of_a_copied_leader_and_of_all(api: Api) -> None:
    dsn = api.deps.database_url
    async with portfolio_lab(dsn) as lab:
        user = await lab.leader()
        condition, [yes, _] = await world.market(dsn)
        await world.mark(dsn, yes, 500_000, datetime.now(UTC))
        key = await lab.copy(user, condition, yes, "BUY", around(yes, condition, 500_000), shares=4_000 * USDC)
        shadow, event, now = await world.portfolio(dsn, "SHADOW_USER", user), new_id(), datetime.now(UTC)
        lot: dict[str, Any] = {"shares": 4_000 * USDC, "cash": -2_000 * USDC, "cost": 2_000 * USDC, "price": 500_000}
        await world.line(dsn, shadow, "TRADE_FILL", token_id=yes, ref=event, at=now, **lot)
        await world.rows(dsn, "INSERT INTO copytrade.group_members (event_id, group_key) VALUES (%s, %s)", event, key)
    answer = await api.get(f"/api/copytrade/users/{user}/report")
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert report["copying"]["executed"] == 1
    assert report["copying"]["win_rate_bps"] is None
    assert report["earned"][0]["pnl_today_usdc"] is None
    assert report["tracking_gap"]["explained"] is True
    assert report["exposure"]["by_market"][0]["market_id"] == condition
    everybody = (await api.get("/api/copytrade/portfolio/global/report?days=1")).json()
    assert everybody["exposure"]["by_user"][0]["followed_user_id"] == user
    board = (await api.get("/api/copytrade/leaderboard")).json()
    assert user in [entry["followed_user_id"] for entry in board["items"]]


async def test_report_of_nobody_is_not_found(api: Api) -> None:
    problem(await api.get("/api/copytrade/users/01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f/report"), 404, "not_found")
    problem(await api.get("/api/copytrade/portfolio/global/report?days=0"), 400, "validation_failed")
