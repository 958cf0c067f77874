"""Listing assets: defaults, bounds, the funding round that begins, what is told about one."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from domain.exchange.assets import AssetDefaults, shard_of
from storage.events import new_id
from tests.api.lab import Api, problem
from tests.api.market_lab import asset, engine, order, trader

PATH = "/api/exchange/assets"


def _symbol() -> str:
    return "T" + secrets.token_hex(5).upper()


async def _create(api: Api, key: str = "admin", *, idem: str | None = None, **fields: Any) -> httpx.Response:
    body = {"symbol": _symbol(), "name": "An asset", **fields}
    return await api.post(PATH, body, key, Idempotency_Key=idem or secrets.token_hex(8))


async def test_an_asset_begins_with_its_funding_round(api: Api) -> None:
    deadline = (datetime.now(UTC) + timedelta(days=3)).replace(microsecond=0)
    symbol = _symbol()
    made = await _create(
        api,
        symbol=symbol.lower(),
        name="Acme Observatory",
        p0_usdc="0.05",
        k_usdc="0.000000000000000001",
        soft_cap_usdc="100.5",
        hard_cap_usdc="200",
        funding_deadline=deadline.isoformat().replace("+00:00", "Z"),
        oracle_queries=["acme news", "acme results"],
        breaker_bps=0,
        fee_bps=200,
    )
    assert made.status_code == 202, made.text
    body = made.json()
    assert made.headers["location"] == f"{PATH}/{body['id']}"
    expected = {
        "symbol": symbol,
        "name": "Acme Observatory",
        "status": "funding",
        "p0_usdc": "0.05",
        "k_usdc": "0.000000000000000001",
        "soft_cap_usdc": "100.5",
        "hard_cap_usdc": "200",
        "contributed_usdc": "0",
        "funding_deadline": deadline.strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
        "oracle_queries": ["acme news", "acme results"],
        "breaker_bps": 0,
        "fee_bps": 200,
        "lp_part_bps": 9000,
        "total_supply": "0",
        "spot_price_usdc": "0.05",
        "display_price_usdc": "0.05",
        "reserve_usdc": "0",
        "lp_principal_usdc": "0",
        "lp_fees_usdc": "0",
        "volume_24h_usdc": "0",
        "trades": 0,
        "halted_until": None,
        "activated_at": None,
        "cancelled_at": None,
        "created_by": api.admin_id,
    }
    assert {k: body[k] for k in expected} == expected
    _, reader = await api.account(scopes=["exchange:read"])
    assert (await api.get(made.headers["location"], reader)).json() == body
    operation = (await api.get(f"/api/operations/{body['operation_id']}")).json()
    assert (operation["kind"], operation["subject_id"], operation["status"]) == ("funding_round", body["id"], "running")
    assert operation["temporal_ui_url"].endswith(f"/workflows/lp-funding%3A{body['id']}")
    [event] = await api.rows("SELECT * FROM platform.outbox WHERE payload->>'asset_id' = %s", body["id"])
    assert (event["topic"], event["type"]) == ("assets", "asset_created")
    [intent] = await api.rows(
        "SELECT workflow_id, dispatched_at FROM platform.operations WHERE id = %s", body["operation_id"]
    )
    assert intent == {"workflow_id": f"lp-funding:{body['id']}", "dispatched_at": None}
    [row] = await api.rows("SELECT shard FROM exchange.assets WHERE id = %s", body["id"])
    assert row["shard"] == shard_of(body["id"])


async def test_what_is_left_out_gets_the_defaults(api: Api) -> None:
    before = datetime.now(UTC)
    body = (await _create(api)).json()
    assert (body["p0_usdc"], body["k_usdc"]) == ("1", "0.01")
    assert (body["soft_cap_usdc"], body["hard_cap_usdc"]) == ("2500", "25000")
    assert (body["fee_bps"], body["lp_part_bps"], body["breaker_bps"]) == (50, 9000, 1500)
    assert body["oracle_queries"] == []
    deadline = datetime.fromisoformat(body["funding_deadline"])
    assert before + timedelta(days=7) <= deadline <= datetime.now(UTC) + timedelta(days=7)


async def test_defaults_are_the_installation_s(database: str) -> None:
    defaults = AssetDefaults(p0_micros=5, k_atto=0, fee_bps=30, lp_part_bps=8_000, funding_days=90)
    async with Api.open(database, asset_defaults=defaults) as api:
        body = (await _create(api)).json()
    assert (body["p0_usdc"], body["k_usdc"], body["fee_bps"], body["lp_part_bps"]) == ("0.000005", "0", 30, 8000)


async def test_only_operators_list_assets(api: Api) -> None:
    _, trader_key = await api.account()
    _, operator = await api.account("operator")
    _, narrow = await api.account("operator", scopes=["exchange:read", "exchange:trade"])
    problem(await _create(api, trader_key), 403, "forbidden")
    problem(await _create(api, narrow), 403, "forbidden")
    assert (await _create(api, operator)).status_code == 202


async def test_a_symbol_is_given_once(api: Api) -> None:
    symbol = _symbol()
    answers = await asyncio.gather(*(_create(api, symbol=s) for s in (symbol, symbol.lower(), symbol)))
    assert sorted(a.status_code for a in answers) == [202, 409, 409]
    for lost in (a for a in answers if a.status_code == 409):
        problem(lost, 409, "symbol_taken")
    problem(await _create(api, symbol="usdc"), 409, "symbol_taken")
    orphans = await api.rows(
        """SELECT o.id FROM platform.operations o LEFT JOIN exchange.assets a ON a.operation_id = o.id
           WHERE o.kind = 'funding_round' AND a.id IS NULL"""
    )
    assert orphans == []


async def test_a_repeated_request_makes_no_second_asset(api: Api) -> None:
    idem, symbol = secrets.token_hex(8), _symbol()
    first = await _create(api, symbol=symbol, idem=idem)
    again = await _create(api, symbol=symbol, idem=idem)
    assert again.json() == first.json()
    assert again.headers["idempotency-hit"] == "true"
    problem(await api.post(PATH, {"symbol": _symbol(), "name": "x"}), 400, "idempotency_key_required")


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"symbol": ""}, "/symbol"),
        ({"symbol": "A B"}, "/symbol"),
        ({"symbol": "=A"}, "/symbol"),
        ({"symbol": "ÄB"}, "/symbol"),
        ({"symbol": "A" * 17}, "/symbol"),
        ({"name": ""}, "/name"),
        ({"p0_usdc": "0"}, "/p0_usdc"),
        ({"p0_usdc": "1000000"}, "/p0_usdc"),
        ({"p0_usdc": 1}, "/p0_usdc"),
        ({"k_usdc": "1000000"}, "/k_usdc"),
        ({"k_usdc": "-0.1"}, "/k_usdc"),
        ({"soft_cap_usdc": "0"}, "/soft_cap_usdc"),
        ({"hard_cap_usdc": "0.000000"}, "/hard_cap_usdc"),
        ({"soft_cap_usdc": "100", "hard_cap_usdc": "99.999999"}, "/hard_cap_usdc"),
        ({"soft_cap_usdc": "25000.000001"}, "/hard_cap_usdc"),
        ({"funding_deadline": "2020-01-01T00:00:00Z"}, "/funding_deadline"),
        ({"funding_deadline": "2099-01-01T00:00:00Z"}, "/funding_deadline"),
        ({"funding_deadline": "2099-01-01T00:00:00"}, "/funding_deadline"),
        ({"funding_deadline": 5}, "/funding_deadline"),
        ({"fee_bps": 29}, "/fee_bps"),
        ({"fee_bps": 201}, "/fee_bps"),
        ({"fee_bps": "50"}, "/fee_bps"),
        ({"fee_bps": 50.5}, "/fee_bps"),
        ({"breaker_bps": -1}, "/breaker_bps"),
        ({"breaker_bps": 10_001}, "/breaker_bps"),
        ({"breaker_bps": True}, "/breaker_bps"),
        ({"oracle_queries": ["ab"]}, "/oracle_queries/0"),
        ({"oracle_queries": ["a" * 201]}, "/oracle_queries/0"),
        ({"oracle_queries": ["abc"] * 11}, "/oracle_queries"),
        ({"oracle_queries": "abc"}, "/oracle_queries"),
        ({"oracle_queries": ["a\u0000bc"]}, "/oracle_queries/0"),
        ({"lp_part_bps": 1}, "/lp_part_bps"),
    ],
)
async def test_what_is_not_an_asset(api: Api, fields: dict[str, Any], pointer: str) -> None:
    found = problem(await _create(api, **fields), 400, "validation_failed")
    assert any(e["pointer"].startswith(pointer) for e in found["errors"]), found["errors"]


@pytest.mark.parametrize(
    "fields", [{"p0_usdc": "0.0000001"}, {"k_usdc": "0.0000000000000000001"}, {"soft_cap_usdc": "1.1234567"}]
)
async def test_more_decimals_than_the_unit_has(api: Api, fields: dict[str, str]) -> None:
    problem(await _create(api, **fields), 400, "amount_precision")


async def test_bounds_are_inclusive(api: Api) -> None:
    body = (await _create(api, p0_usdc="0.000001", k_usdc="0", fee_bps=30, breaker_bps=10_000)).json()
    assert (body["p0_usdc"], body["k_usdc"], body["fee_bps"], body["breaker_bps"]) == ("0.000001", "0", 30, 10_000)
    body = (await _create(api, p0_usdc="999999.999999", k_usdc="999999.999999999999999999", fee_bps=200)).json()
    assert (body["p0_usdc"], body["k_usdc"]) == ("999999.999999", "999999.999999999999999999")
    same = await _create(api, soft_cap_usdc="5", hard_cap_usdc="5", name="x" * 120, symbol="A.b-C_9" + _symbol()[:9])
    assert same.status_code == 202
    soon = (datetime.now(UTC) + timedelta(seconds=5)).isoformat()
    assert (await _create(api, funding_deadline=soon)).status_code == 202
    late = (datetime.now(UTC) + timedelta(days=90)).isoformat()
    assert (await _create(api, funding_deadline=late)).status_code == 202


async def test_the_numbers_of_a_market(fresh_api: Api) -> None:
    api = fresh_api
    asset_id = await asset(api)
    account_id, key = await trader(api)
    async with engine(api):
        filled = await order(api, key, asset_id, account_id, amount_usdc="100", wait=10)
    body = (await api.get(f"{PATH}/{asset_id}", key)).json()
    trade = filled.json()
    assert body["status"] == "active"
    assert body["total_supply"] == trade["shares"]
    assert body["spot_price_usdc"] == body["display_price_usdc"] == trade["spot_after_usdc"]
    assert (body["reserve_usdc"], body["lp_fees_usdc"]) == ("99.5", "0.45")
    assert (body["lp_principal_usdc"], body["contributed_usdc"]) == ("2500", "2500")
    assert (body["volume_24h_usdc"], body["trades"]) == ("99.5", 1)
    await api.rows(
        """INSERT INTO exchange.asset_prices (asset_id, fundamental_pico, display_micros, market_micros, weight_bps,
             ticked_at) VALUES (%s, 10000000000000, 1234567, 1, 5000, now())""",
        asset_id,
    )
    await api.rows("UPDATE exchange.trades SET executed_at = now() - interval '25 hours'")
    await api.rows("UPDATE exchange.assets SET status = 'halted'")
    await api.rows(
        """INSERT INTO exchange.asset_halts (id, asset_id, cause, started_by, until)
           VALUES (%s, %s, 'circuit_breaker', 'test', '2030-01-02T03:04:05Z')""",
        new_id(),
        asset_id,
    )
    body = (await api.get(f"{PATH}/{asset_id}", key)).json()
    assert (body["status"], body["halted_until"]) == ("halted", "2030-01-02T03:04:05.000000Z")
    assert (body["display_price_usdc"], body["volume_24h_usdc"]) == ("1.234567", "0")
    assert body["spot_price_usdc"] == trade["spot_after_usdc"]


async def test_assets_are_listed_newest_first(fresh_api: Api) -> None:
    api = fresh_api
    ids = [await asset(api, symbol=f"S{n}", status=s) for n, s in enumerate(("active", "funding", "cancelled"))]
    _, key = await api.account()
    listed = (await api.get(PATH, key)).json()["items"]
    assert [a["id"] for a in listed] == ids[::-1]
    assert [a["symbol"] for a in (await api.get(f"{PATH}?status=funding", key)).json()["items"]] == ["S1"]
    assert [a["id"] for a in (await api.get(f"{PATH}?symbol=s2", key)).json()["items"]] == [ids[2]]
    page = (await api.get(f"{PATH}?limit=2", key)).json()
    rest = (await api.get(f"{PATH}?limit=2&cursor={page['next_cursor']}", key)).json()
    assert [a["id"] for a in page["items"] + rest["items"]] == ids[::-1]
    assert rest["next_cursor"] is None
    problem(await api.get(f"{PATH}?status=lost", key), 400, "validation_failed")
    problem(await api.get(f"{PATH}/{new_id()}", key), 404, "not_found")
    problem(await api.get(PATH, None), 401, "unauthorized")
