"""The preview: the rules of a launch with their fields, sums that fit, and nothing changed."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from solders.keypair import Keypair

from api.launchpad.asked import REQUEST_EXAMPLE
from gateways.solana.drafting import Drafting
from gateways.solana.nodes import RpcNodes
from tests.api.lab import Api, problem
from tests.picture_lab import png
from tests.world.svm import running_svm

PATH = "/api/launchpad/preview"
MEMO = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"


def body(**changes: Any) -> dict[str, Any]:
    """The documented example without its picture, ending in a week; None takes a field away."""
    ends = (datetime.now(UTC) + timedelta(days=7)).isoformat()
    made = {k: v for k, v in REQUEST_EXAMPLE.items() if k != "logo"} | {"ends_at": ends} | changes
    return {k: v for k, v in made.items() if v is not None or k == "promo_tier_sol"}


def curve(**changes: Any) -> dict[str, Any]:
    return {"type": "linear", "initial_price_sol": "0.00000001", "target_price_sol": "0.0000001"} | changes


async def preview(api: Api, **changes: Any) -> dict[str, Any]:
    answer = await api.post(PATH, body(**changes))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("shape", ["linear", "exponential", "logarithmic"])
async def test_the_figures_fit_together(api: Api, shape: str) -> None:
    found = await preview(api, curve=curve(type=shape), signing="creator")
    items = found["cost"]["items"]
    for payer in ("creator", "platform"):
        paid = sum(Decimal(item["sol"]) for item in items if item["paid_by"] == payer)
        assert paid == Decimal(found["cost"][f"{payer}_sol"])
    assert sum(Decimal(share["tokens"]) for share in found["allocation"]) == Decimal("1000000000")
    assert [share["bps"] for share in found["allocation"]] == [4000, 2000, 1500, 1500, 1000]
    points, sale = found["curve"], found["sale"]
    assert len(points) == 11
    assert points[-1]["sold"] == sale["most_tokens"]
    assert points[-1]["price_sol"] == sale["final_price_sol"]
    assert Decimal(sale["pool_sol"]) + Decimal(sale["team_sol"]) == Decimal(sale["raised_sol"]) <= 15
    assert Decimal(sale["market_cap_sol"]) == Decimal(sale["final_price_sol"]) * 10**9
    assert {entry["step"] for entry in found["irreversible"]} >= {"mint", "create_sale", "graduation"}
    assert {"no_logo", "no_chain"} <= {warning["code"] for warning in found["warnings"]}


async def test_a_promotion_and_a_listing_cost(api: Api) -> None:
    account_id, key = await api.account("creator")
    sent = await api.client.post(
        "/api/launchpad/assets", files={"file": ("x", png())}, headers={"Authorization": f"Bearer {key}"}
    )
    asked = body(logo=sent.json()["id"], promo_tier_sol="0.5", listing=True)
    answer = await api.post(PATH, asked, key)
    assert answer.status_code == 200, answer.text
    costs = {item["name"]: item["sol"] for item in answer.json()["cost"]["items"]}
    assert (costs["promotion"], costs["listing"]) == ("0.5", "5")
    assert answer.json()["promo_memo"] == f"holdfast:{account_id}"
    refused = problem(await api.post(PATH, asked), 409, "launch_refused")
    assert refused["errors"][0]["pointer"] == "/logo", "another account's picture"


async def test_defaults_and_numbers_of_any_form(api: Api) -> None:
    found = await preview(api, allocation_bps=None, decimals=None, total_supply=1_000_000_000, max_wallet_tokens="5")
    assert [share["bps"] for share in found["allocation"]] == [4000, 2000, 1500, 1500, 1000]
    assert "no_wallet_limit" not in {warning["code"] for warning in found["warnings"]}


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "é" * 20}, "/name"),
        ({"name": "a\u0000b"}, "/name"),
        ({"symbol": "TOO LONG"}, "/symbol"),
        ({"total_supply": "1.5"}, "/total_supply"),
        ({"total_supply": "0"}, "/total_supply"),
        ({"total_supply": -5}, "/total_supply"),
        ({"total_supply": True}, "/total_supply"),
        ({"total_supply": "18446744074"}, "/total_supply"),
        ({"decimals": 10}, "/decimals"),
        ({"logo": "nonsense"}, "/logo"),
        ({"links": {"website": "javascript:alert(1)"}}, "/links/website"),
        ({"links": {"myspace": "https://a.example"}}, "/links/myspace"),
        ({"allocation_bps": {"public": 10_000}}, "/allocation_bps/team"),
        ({"allocation_bps": {"public": 5000, "team": 2000, "liquidity": 1500, "ecosystem": 1500, "reserve": 1000}},
         "/allocation_bps"),
        ({"allocation_bps": {"public": 4000, "team": 2500, "liquidity": 1500, "ecosystem": 1500, "reserve": 500}},
         "/allocation_bps/team"),
        ({"curve": curve(type="sigmoid")}, "/curve/type"),
        ({"curve": curve(initial_price_sol="1e-8")}, "/curve/initial_price_sol"),
        ({"curve": curve(initial_price_sol=0.1)}, "/curve/initial_price_sol"),
        ({"curve": curve(target_price_sol="10.1")}, "/curve/target_price_sol"),
        ({"curve": curve(target_price_sol="0.00000001")}, "/curve"),
        ({"curve": curve(initial_price_sol="0.000000000000000999")}, "/curve"),
        ({"soft_cap_sol": "-1"}, "/soft_cap_sol"),
        ({"soft_cap_sol": "20"}, "/hard_cap_sol"),
        ({"hard_cap_sol": "100000001"}, "/hard_cap_sol"),
        ({"curve": curve(), "hard_cap_sol": "22"}, "/allocation_bps/liquidity"),
        ({"ends_at": "2026-01-01T00:00:00Z"}, "/ends_at"),
        ({"ends_at": "2099-01-01T00:00:00Z"}, "/ends_at"),
        ({"ends_at": "2026-12-01T00:00:00"}, "/ends_at"),
        ({"transfer_fee_bps": 501}, "/transfer_fee_bps"),
        ({"promo_tier_sol": "1"}, "/promo_tier_sol"),
        ({"promo_tier_sol": "5"}, "/logo"),
        ({"listing": "yes"}, "/listing"),
        ({"creator_wallet": "0x" + "11" * 20}, "/creator_wallet"),
        ({"creator_wallet": "z" * 44}, "/creator_wallet"),
        ({"signing": "nobody"}, "/signing"),
        ({"surprise": 1}, "/surprise"),
    ],
)  # fmt: skip
async def test_a_refusal_points_at_the_field(api: Api, changes: dict[str, Any], pointer: str) -> None:
    found = problem(await api.post(PATH, body(**changes)), 400, "validation_failed")
    assert pointer in {error["pointer"] for error in found["errors"]}, found


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"soft_cap_sol": "1.0000000001"}, "/soft_cap_sol"),
        ({"curve": curve(initial_price_sol="0.0000000100000000001")}, "/curve/initial_price_sol"),
    ],
)
async def test_more_decimals_than_the_unit_has(api: Api, changes: dict[str, Any], pointer: str) -> None:
    found = problem(await api.post(PATH, body(**changes)), 400, "amount_precision")
    assert found["errors"][0]["pointer"] == pointer


async def test_it_needs_no_chain_and_changes_nothing(api: Api) -> None:
    tables = ("launchpad.launches", "launchpad.projects", "launchpad.pins", "platform.operations", "platform.outbox")
    count = " UNION ALL ".join(f"SELECT count(*) AS n FROM {table}" for table in tables)
    before = await api.rows(count)
    await preview(api)
    assert await api.rows(count) == before


async def test_who_may_look(api: Api) -> None:
    _, key = await api.account("trader", ["exchange:read"])
    problem(await api.post(PATH, body(), key), 403, "forbidden")
    problem(await api.post(PATH, body(), None), 401, "unauthorized")


async def test_the_creators_balance_is_looked_at_and_a_silent_chain_is_a_warning(database: str) -> None:
    wallet = Keypair().pubkey()

    async def kept(source: str, kind: str, reason: str, payload: Any) -> None:
        raise AssertionError(f"{source} {kind}: {reason}")

    async with running_svm() as svm, contextlib.AsyncExitStack() as stack:
        nodes = RpcNodes.connect(svm.urls, calls_per_s=100, quarantine=kept)
        stack.push_async_callback(nodes.aclose)
        solana = Drafting(nodes, platform=str(Keypair().pubkey()), price_most=1_000_000)
        api = await stack.enter_async_context(Api.open(database, solana=solana))

        async def codes() -> set[str]:
            found = await preview(api, creator_wallet=str(wallet), signing="creator")
            return {warning["code"] for warning in found["warnings"]}

        assert "wallet_low" in await codes()
        svm.fund(wallet, 10**9)
        svm.warp(slots=100)
        assert not {"wallet_low", "chain_silent", "no_chain"} & await codes()
        found = problem(await api.post(PATH, body(creator_wallet=MEMO)), 409, "launch_refused")
        assert (found["errors"][0]["pointer"], "no wallet" in found["detail"]) == ("/creator_wallet", True)
        for port in range(len(svm.ports)):
            svm.fail("getMultipleAccounts", "cut", port=port, times=None)
        assert "chain_silent" in await codes()
