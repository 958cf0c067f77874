"""Quotes foresee the trade, and positions tell what trades have made of an account."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from storage.events import new_id
from tests.api.lab import Api, problem
from tests.api.market_lab import asset, engine, order, trader

PATH = "/api/exchange/quotes"
POSITIONS = "/api/exchange/positions"


async def _quote(api: Api, key: str, asset_id: str, **fields: Any) -> httpx.Response:
    return await api.post(PATH, {"asset_id": asset_id, "side": "sell" if "shares" in fields else "buy"} | fields, key)


async def test_a_quote_is_what_the_trade_then_does(fresh_api: Api) -> None:
    api = fresh_api
    asset_id = await asset(api)
    account_id, key = await trader(api)
    async with engine(api):
        for fields in ({"amount_usdc": "100"}, {"amount_usdc": "0.37"}, {"shares": "20.000000000000000001"}):
            quoted = await _quote(api, key, asset_id, **fields)
            assert quoted.status_code == 200, quoted.text
            body = quoted.json()
            limit = {k: body[k] for k in ("min_shares_out", "min_usdc_out") if k in body}
            assert len(limit) == 1
            filled = (await order(api, key, asset_id, account_id, wait=10, **fields, **limit)).json()
            assert filled["status"] == "filled"
            for name in ("shares", "amount_usdc", "fee_usdc", "price_usdc"):
                assert filled[name] == body[name], name
            assert filled["spot_before_usdc"] == body["price_before_usdc"]
            assert filled["spot_after_usdc"] == body["price_after_usdc"]
        late = {"amount_usdc": "100", "min_shares_out": "72.9"}
        problem(await order(api, key, asset_id, account_id, **late), 409, "slippage_exceeded")


async def test_what_a_quote_suggests(api: Api) -> None:
    asset_id = await asset(api)
    _, key = await api.account()
    before = datetime.now(UTC)
    body = (await _quote(api, key, asset_id, amount_usdc="100")).json()
    assert body["slippage_bps"] == 50
    assert (body["price_before_usdc"], body["fee_usdc"]) == ("1", "0.5")
    assert body["price_impact_bps"] == 7292
    assert body["price_after_usdc"] == "1.729161"
    assert 0 < float(body["min_shares_out"]) < float(body["shares"])
    expires = datetime.fromisoformat(body["expires_at"])
    assert before + timedelta(seconds=9) < expires < datetime.now(UTC) + timedelta(seconds=11)
    assert body["expires_at"].endswith("Z")
    exact = (await _quote(api, key, asset_id, amount_usdc="100", slippage_bps=0)).json()
    assert exact["min_shares_out"] == exact["shares"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"amount_usdc": "0.000001"}, "amount_too_small"),
        ({"amount_usdc": "0"}, "amount_too_small"),
        ({"shares": "0"}, "amount_too_small"),
        ({"shares": "1"}, "insufficient_funds"),
    ],
)
async def test_what_cannot_be_quoted(api: Api, fields: dict[str, str], code: str) -> None:
    asset_id = await asset(api)
    _, key = await api.account()
    problem(await _quote(api, key, asset_id, **fields), 409, code)


async def test_closed_markets_have_no_quotes(fresh_api: Api) -> None:
    api = fresh_api
    _, key = await api.account()
    for status, code in (("funding", "asset_not_active"), ("halted", "asset_halted")):
        problem(await _quote(api, key, await asset(api, status=status), amount_usdc="1"), 409, code)
    problem(await _quote(api, key, new_id(), amount_usdc="1"), 404, "not_found")
    asset_id = await asset(api)
    await api.post("/api/system/controls", {"name": "exchange.trading", "enabled": False, "reason": "test"})
    problem(await _quote(api, key, asset_id, amount_usdc="1"), 409, "trading_disabled")


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({}, "/amount_usdc"),
        ({"side": "sell"}, "/shares"),
        ({"side": "buy", "shares": "1"}, "/amount_usdc"),
        ({"amount_usdc": "1", "slippage_bps": 5_001}, "/slippage_bps"),
        ({"amount_usdc": "1", "slippage_bps": "50"}, "/slippage_bps"),
        ({"amount_usdc": "1", "slippage_bps": -1}, "/slippage_bps"),
    ],
)
async def test_what_is_not_a_question(api: Api, fields: dict[str, Any], pointer: str) -> None:
    _, key = await api.account()
    found = problem(await _quote(api, key, new_id(), **fields), 400, "validation_failed")
    assert found["errors"][0]["pointer"] == pointer


async def test_positions_follow_the_trades(fresh_api: Api) -> None:
    api = fresh_api
    first, second = await asset(api, k_atto=0), await asset(api)
    account_id, key = await trader(api)
    _, stranger = await trader(api, 0)
    async with engine(api):
        await order(api, key, first, account_id, amount_usdc="100", wait=10)
        await order(api, key, first, account_id, shares="39.5", wait=10)
        bought = (await order(api, key, second, account_id, amount_usdc="10", wait=10)).json()
        await order(api, key, second, account_id, shares=bought["shares"], wait=10)
    sold_out, held = (await api.get(POSITIONS, key)).json()["items"]
    # 99.5 shares for 100; 39.5 of them sold at 1 for 39.5 less 0.1975; what they cost: 39.698492
    assert held["asset_id"] == first
    assert (held["shares"], held["cost_usdc"], held["average_cost_usdc"]) == ("60", "60.301508", "1.005025")
    assert held["realised_pnl_usdc"] == "-0.395992"
    assert (held["spot_price_usdc"], held["value_usdc"], held["unrealised_pnl_usdc"]) == ("1", "60", "-0.301508")
    assert (sold_out["asset_id"], sold_out["shares"], sold_out["cost_usdc"]) == (second, "0", "0")
    assert (sold_out["average_cost_usdc"], sold_out["unrealised_pnl_usdc"]) == (None, "0")
    assert sold_out["realised_pnl_usdc"].startswith("-0.")
    page = (await api.get(f"{POSITIONS}?account_id={account_id}&limit=1")).json()
    assert [p["asset_id"] for p in page["items"]] == [second]
    rest = (await api.get(f"{POSITIONS}?account_id={account_id}&limit=1&cursor={page['next_cursor']}")).json()
    assert [p["asset_id"] for p in rest["items"]] == [first]
    assert (await api.get(POSITIONS)).json()["items"] == [], "an operator's own"
    assert (await api.get(POSITIONS, stranger)).json()["items"] == []
    problem(await api.get(f"{POSITIONS}?account_id={account_id}", stranger), 404, "not_found")
    table = (await api.get(POSITIONS, key, Accept="text/csv")).text.splitlines()
    assert table[0].startswith("spot_price_usdc,value_usdc,unrealised_pnl_usdc,account_id,asset_id,")
    assert table[2].startswith("1,60,-0.301508,")
    assert len(table) == 3
