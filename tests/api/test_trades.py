"""Orders over HTTP: accepted, refused at once, waited for, read, listed."""

from __future__ import annotations

import pytest

from domain.exchange import curve
from domain.exchange.curve import SHARE, Curve
from domain.shared.money import USDC_ONE, format_amount, format_usdc
from tests.api.lab import Api, problem
from tests.api.market_lab import PATH, asset, engine, order, trader
from tests.world.market import open_market

CURVE = Curve(USDC_ONE, 10**16)


async def test_an_order_is_accepted_durably(api: Api) -> None:
    asset_id = await asset(api)
    account_id, key = await trader(api)
    answer = await order(api, key, asset_id, account_id, amount_usdc="12.5", min_shares_out="1.000000000000000001")
    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert answer.headers["location"] == f"{PATH}/{body['id']}"
    assert "idempotency-hit" not in answer.headers
    assert "preference-applied" not in answer.headers
    assert body | {"id": "", "created_at": ""} == {
        "id": "",
        "asset_id": asset_id,
        "account_id": account_id,
        "side": "buy",
        "status": "pending",
        "shares": None,
        "amount_usdc": "12.5",
        "fee_usdc": None,
        "price_usdc": None,
        "min_shares_out": "1.000000000000000001",
        "min_usdc_out": None,
        "spot_before_usdc": None,
        "spot_after_usdc": None,
        "realised_pnl_usdc": None,
        "reject_code": None,
        "created_at": "",
        "executed_at": None,
    }
    assert (await api.get(answer.headers["location"], key)).json() == body
    [row] = await api.rows("SELECT * FROM exchange.trades WHERE id = %s", body["id"])
    assert (row["asked"], row["min_out"], row["status"]) == (12_500_000, SHARE + 1, "pending")


async def test_waiting_gives_the_verdict(fresh_api: Api) -> None:
    api = fresh_api
    asset_id = await asset(api)
    account_id, key = await trader(api)
    async with engine(api):
        bought = await order(api, key, asset_id, account_id, amount_usdc="100", wait=10)
        assert bought.status_code == 200, bought.text
        assert bought.headers["preference-applied"] == "wait"
        body = bought.json()
        shares = curve.shares_for(CURVE, 0, 99_500_000)
        assert body["status"] == "filled"
        assert body["shares"] == format_amount(shares, 18)
        assert (body["amount_usdc"], body["fee_usdc"]) == ("100", "0.5")
        assert body["price_usdc"] == format_usdc(99_500_000 * SHARE // shares)
        assert (body["spot_before_usdc"], body["spot_after_usdc"]) == ("1", format_usdc(curve.spot(CURVE, shares)))
        assert (await api.get(bought.headers["location"], key)).json() == body
        sold = await order(api, key, asset_id, account_id, shares=body["shares"], wait=10)
        gone = sold.json()
        assert (gone["status"], gone["shares"], gone["amount_usdc"]) == ("filled", body["shares"], "99.002499")
        assert gone["realised_pnl_usdc"] == "-0.997501"
        rejected = await order(api, key, asset_id, account_id, amount_usdc="100", min_shares_out="90", wait=10)
        problem(rejected, 409, "slippage_exceeded")
    listed = (await api.get(f"{PATH}?asset_id={asset_id}", key)).json()["items"]
    assert [t["id"] for t in listed] == [gone["id"], body["id"]]


async def test_the_engine_decides_again(fresh_api: Api) -> None:
    """Both fit the balance when they are accepted; only one does when its turn comes."""
    api = fresh_api
    asset_id = await asset(api)
    account_id, key = await trader(api, 100)
    placed = [await order(api, key, asset_id, account_id, amount_usdc="100") for _ in range(2)]
    assert [p.status_code for p in placed] == [202, 202]
    async with open_market(api.deps.database_url) as market:
        await market.drain()
    first, second = [(await api.get(p.headers["location"], key)).json() for p in placed]
    assert (first["status"], first["reject_code"]) == ("filled", None)
    assert (second["status"], second["reject_code"]) == ("rejected", "insufficient_funds")
    assert second["shares"] is None
    assert second["executed_at"]
    only = (await api.get(f"{PATH}?status=rejected", key)).json()["items"]
    assert [t["id"] for t in only] == [second["id"]]


async def test_a_rejection_is_waited_for_too(fresh_api: Api) -> None:
    """The circuit breaker is the engine's alone: the order is accepted and comes back rejected, with 200."""
    api = fresh_api
    asset_id = await asset(api, breaker_bps=10)
    account_id, key = await trader(api)
    async with engine(api):
        first = await order(api, key, asset_id, account_id, amount_usdc="10", wait=10)
        assert first.json()["status"] == "filled"
        second = await order(api, key, asset_id, account_id, amount_usdc="100", wait=10)
    assert second.status_code == 200
    assert (second.json()["status"], second.json()["reject_code"]) == ("rejected", "circuit_breaker")


async def test_prefer_wait_needs_no_number(fresh_api: Api) -> None:
    api = fresh_api
    asset_id = await asset(api)
    account_id, key = await trader(api)
    body = {"asset_id": asset_id, "account_id": account_id, "side": "buy", "amount_usdc": "1"}
    async with engine(api):
        for prefer in ("wait", "respond-async, wait"):
            answer = await api.post(PATH, body, key, Idempotency_Key=prefer.replace(" ", ""), Prefer=prefer)
            assert (answer.status_code, answer.json()["status"]) == (200, "filled")


async def test_waiting_gives_up_in_time(api: Api) -> None:
    asset_id = await asset(api)
    account_id, key = await trader(api)
    answer = await order(api, key, asset_id, account_id, amount_usdc="1", wait=1)
    assert answer.status_code == 202
    assert answer.json()["status"] == "pending"
    assert "preference-applied" not in answer.headers


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"side": "buy"}, "/amount_usdc"),
        ({"side": "buy", "shares": "1"}, "/amount_usdc"),
        ({"side": "buy", "amount_usdc": "1", "shares": "1"}, "/shares"),
        ({"side": "buy", "amount_usdc": "1", "min_usdc_out": "1"}, "/min_usdc_out"),
        ({"side": "sell"}, "/shares"),
        ({"side": "sell", "amount_usdc": "1"}, "/shares"),
        ({"side": "sell", "shares": "1", "amount_usdc": "1"}, "/amount_usdc"),
        ({"side": "sell", "shares": "1", "min_shares_out": "1"}, "/min_shares_out"),
        ({"side": "hold", "amount_usdc": "1"}, "/side"),
        ({"side": "buy", "amount_usdc": 1}, "/amount_usdc"),
        ({"side": "buy", "amount_usdc": "-1"}, "/amount_usdc"),
        ({"side": "buy", "amount_usdc": "1e3"}, "/amount_usdc"),
        ({"side": "buy", "amount_usdc": "9223372036854.775808"}, "/amount_usdc"),
        ({"side": "sell", "shares": "1000000000000000000"}, "/shares"),
        ({"side": "buy", "amount_usdc": "1", "kind": "limit"}, "/kind"),
        ({"side": "buy", "amount_usdc": "1", "asset_id": "x"}, "/asset_id"),
    ],
)
async def test_what_is_not_an_order(api: Api, fields: dict[str, str], pointer: str) -> None:
    account_id, key = await api.account()
    body = {"asset_id": account_id, "account_id": account_id, **fields}
    found = problem(await api.post(PATH, body, key, Idempotency_Key="k"), 400, "validation_failed")
    assert pointer in [e["pointer"] for e in found["errors"]]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"side": "buy", "amount_usdc": "1.0000001"}, "/amount_usdc"),
        ({"side": "sell", "shares": "1.0000000000000000001"}, "/shares"),
        ({"side": "buy", "amount_usdc": "1", "min_shares_out": "0.1234567890123456789"}, "/min_shares_out"),
        ({"side": "sell", "shares": "1", "min_usdc_out": "0.0000001"}, "/min_usdc_out"),
    ],
)
async def test_more_decimals_than_the_unit_has(api: Api, fields: dict[str, str], pointer: str) -> None:
    account_id, key = await api.account()
    body = {"asset_id": account_id, "account_id": account_id, **fields}
    found = problem(await api.post(PATH, body, key, Idempotency_Key="k"), 400, "amount_precision")
    assert found["errors"][0]["pointer"] == pointer


async def test_d12_orders_for_nothing_are_refused(api: Api) -> None:
    """D12: what buys or brings nothing after fee is not carried out for free."""
    asset_id = await asset(api, p0_micros=50_000)
    account_id, key = await trader(api)
    for fields in ({"amount_usdc": "0"}, {"amount_usdc": "0.000001"}, {"shares": "0"}):
        problem(await order(api, key, asset_id, account_id, **fields), 409, "amount_too_small")
    # two micros: one is the fee, one buys what it pays for
    assert (await order(api, key, asset_id, account_id, amount_usdc="0.000002")).status_code == 202
    problem(await order(api, key, asset_id, account_id, shares="0.000000000000000001"), 409, "insufficient_funds")


async def test_what_would_be_rejected_now_is_refused_at_once(fresh_api: Api) -> None:
    api = fresh_api
    account_id, key = await trader(api, 10)
    for status, code in (
        ("funding", "asset_not_active"),
        ("cancelled", "asset_not_active"),
        ("halted", "asset_halted"),
    ):
        closed = await asset(api, status=status)
        problem(await order(api, key, closed, account_id, amount_usdc="1"), 409, code)
    asset_id = await asset(api)
    problem(await order(api, key, asset_id, account_id, amount_usdc="10.000001"), 409, "insufficient_funds")
    problem(await order(api, key, asset_id, account_id, shares="1"), 409, "insufficient_funds")
    limited = await order(api, key, asset_id, account_id, amount_usdc="10", min_shares_out="10")
    problem(limited, 409, "slippage_exceeded")
    off = {"name": "exchange.trading", "enabled": False, "reason": "test"}
    assert (await api.post("/api/system/controls", off)).status_code == 200
    problem(await order(api, key, asset_id, account_id, amount_usdc="1"), 409, "trading_disabled")
    await api.post("/api/system/controls", off | {"enabled": True})
    assert (await order(api, key, asset_id, account_id, amount_usdc="1")).status_code == 202
    assert len(await api.rows("SELECT * FROM exchange.trades")) == 1


async def test_who_may_trade_for_whom(api: Api) -> None:
    asset_id = await asset(api)
    account_id, key = await trader(api)
    _, stranger = await trader(api)
    _, reader = await api.account(scopes=["exchange:read"])
    _, creator = await api.account("creator")
    _, operator = await api.account("operator")
    problem(await order(api, stranger, asset_id, account_id, amount_usdc="1"), 404, "not_found")
    problem(await order(api, reader, asset_id, account_id, amount_usdc="1"), 403, "forbidden")
    problem(await order(api, creator, asset_id, account_id, amount_usdc="1"), 403, "forbidden")
    nobody = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"
    problem(await order(api, operator, asset_id, nobody, amount_usdc="1"), 404, "not_found")
    problem(await order(api, key, nobody, account_id, amount_usdc="1"), 404, "not_found")
    placed = await order(api, operator, asset_id, account_id, amount_usdc="1")
    assert placed.status_code == 202
    mine = await order(api, key, asset_id, account_id, amount_usdc="2")
    location = placed.headers["location"]
    assert (await api.get(location, key)).json()["account_id"] == account_id
    problem(await api.get(location, stranger), 404, "not_found")
    problem(await api.get(f"{PATH}/{nobody}", key), 404, "not_found")
    problem(await api.get(f"{PATH}?account_id={account_id}", stranger), 404, "not_found")
    assert (await api.get(f"{PATH}?asset_id={asset_id}", stranger)).json()["items"] == []
    seen = (await api.get(f"{PATH}?account_id={account_id}&asset_id={asset_id}", operator)).json()["items"]
    assert [t["id"] for t in seen] == [mine.json()["id"], placed.json()["id"]]


async def test_orders_are_paged_and_exported(api: Api) -> None:
    asset_id = await asset(api)
    account_id, key = await trader(api)
    ids = [(await order(api, key, asset_id, account_id, amount_usdc=str(n))).json()["id"] for n in range(1, 6)]
    found: list[str] = []
    path = f"{PATH}?limit=2&account_id={account_id}"
    page = (await api.get(path, key)).json()
    while True:
        found += [t["id"] for t in page["items"]]
        if page["next_cursor"] is None:
            break
        page = (await api.get(f"{path}&cursor={page['next_cursor']}", key)).json()
    assert found == ids[::-1]
    table = (await api.get(PATH, key, Accept="text/csv")).text.splitlines()
    assert table[0].startswith("id,asset_id,account_id,side,status,shares,amount_usdc,fee_usdc,")
    assert len(table) == 6
    problem(await api.get(f"{PATH}?status=lost", key), 400, "validation_failed")
    problem(await api.get(f"{PATH}?cursor=x", key), 400, "invalid_cursor")
