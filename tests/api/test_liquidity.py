"""Funding and liquidity over HTTP: what is refused at once, what is accepted, and what the processes make of it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest_asyncio

from domain.shared import ids
from localnet.running import running_temporal
from tests.api.lab import Api, problem
from tests.liquidity_lab import USDC, Lab, open_lab
from workflows import client as temporal


class Market(NamedTuple):
    api: Api
    lab: Lab


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def market(new_database: Callable[[], Awaitable[str]], tmp_path_factory: Any) -> AsyncIterator[Market]:
    """The API and a worker beside it."""
    dsn = await new_database()
    directory: Path = tmp_path_factory.mktemp("liquidity")
    async with running_temporal(directory / "temporal") as server:
        client = await temporal.connect(server.address, "default")
        async with (
            open_lab(dsn, client) as lab,
            lab.worker(),
            Api.open(dsn, address=server.address) as api,
        ):
            yield Market(api, lab)


async def send(api: Api, path: str, body: dict[str, Any], key: str = "admin", **headers: str) -> httpx.Response:
    headers.setdefault("Idempotency_Key", secrets.token_hex(8))
    return await api.post(f"/api/exchange/{path}", body, key, **headers)


async def contribute(
    api: Api, asset: str, account: str, amount: str, key: str = "admin", **headers: str
) -> httpx.Response:
    body = {"account_id": account, "amount_usdc": amount}
    return await send(api, f"assets/{asset}/contributions", body, key, **headers)


async def test_contributions_are_accepted_and_decided(market: Market) -> None:
    api, lab = market
    asset = await lab.round()
    account, key = await api.account()
    await api.fund(account, 150 * USDC)
    first = await contribute(api, asset, account, "60", key, Prefer="wait=10")
    assert first.status_code == 200, first.text
    body = first.json()
    assert (body["status"], body["amount_usdc"], body["asset_id"]) == ("accepted", "60", asset)
    assert first.headers["preference-applied"] == "wait"
    second = await contribute(api, asset, account, "40", key)
    assert second.status_code == 202
    assert second.json()["status"] == "requested"
    location = second.headers["location"]
    await lab.until(lambda: _status(api, location, key), lambda status: status == "accepted")
    assert (await api.get(f"/api/exchange/assets/{asset}")).json()["status"] == "active"
    closed = problem(await contribute(api, asset, account, "1", key), 409, "funding_closed")
    assert closed["detail"] == "the asset is active"
    listed = (await api.get(f"/api/exchange/assets/{asset}/contributions", key)).json()["items"]
    assert [item["amount_usdc"] for item in listed] == ["40", "60"]
    table = await api.get(f"/api/exchange/assets/{asset}/contributions", key, Accept="text/csv")
    assert table.text.splitlines()[0].startswith("id,asset_id,account_id,amount_usdc,status")


async def _status(api: Api, location: str, key: str) -> str:
    return str((await api.get(location, key)).json()["status"])


async def test_what_cannot_be_is_refused_at_once(market: Market) -> None:
    api, lab = market
    asset = await lab.round(soft_cap=100 * USDC, hard_cap=200 * USDC)
    account, key = await api.account()
    await api.fund(account, 150 * USDC)
    over = problem(await contribute(api, asset, account, "200.000001", key), 409, "hard_cap_exceeded")
    assert "200 USDC" in over["detail"]
    problem(await contribute(api, asset, account, "150.000001", key), 409, "insufficient_funds")
    problem(await contribute(api, asset, account, "0.009999", key), 409, "amount_below_minimum")
    problem(await contribute(api, asset, account, "0.0000001", key), 400, "amount_precision")
    problem(await send(api, f"assets/{asset}/contributions", {"account_id": account, "amount_usdc": 5}, key), 400,
            "validation_failed")  # fmt: skip
    problem(await contribute(api, secrets_uuid(), account, "5", key), 404, "not_found")
    keyless = {"account_id": account, "amount_usdc": "5"}
    answer = await api.post(f"/api/exchange/assets/{asset}/contributions", keyless, key)
    problem(answer, 400, "idempotency_key_required")
    assert await lab.contributions(asset) == {}


def secrets_uuid() -> str:
    return "01936e6c-7a10-7cc0-9d4e-" + secrets.token_hex(6)


async def test_contributions_of_others_are_not_shown(market: Market) -> None:
    api, lab = market
    asset = await lab.round()
    owner, owner_key = await api.account()
    stranger, key = await api.account()
    await api.fund(owner, 10 * USDC)
    made = await contribute(api, asset, owner, "5", owner_key)
    problem(await api.get(made.headers["location"], key), 404, "not_found")
    problem(await contribute(api, asset, owner, "5", key), 404, "not_found")
    assert (await api.get(f"/api/exchange/assets/{asset}/contributions", key)).json()["items"] == []
    problem(await api.get(f"/api/exchange/assets/{asset}/contributions?account_id={owner}", key), 404, "not_found")
    everything = (await api.get(f"/api/exchange/assets/{asset}/contributions")).json()["items"]
    assert [item["account_id"] for item in everything] == [owner]
    assert stranger != owner


async def test_the_same_key_contributes_once(market: Market) -> None:
    api, lab = market
    asset = await lab.round()
    account, key = await api.account()
    await api.fund(account, 50 * USDC)
    answers = await asyncio.gather(
        *(contribute(api, asset, account, "7", key, Idempotency_Key="once", Prefer="wait=10") for _ in range(4))
    )
    assert {a.status_code for a in answers} <= {200, 202, 409}
    again = await contribute(api, asset, account, "7", key, Idempotency_Key="once", Prefer="wait=10")
    assert again.headers["idempotency-hit"] == "true"
    problem(await contribute(api, asset, account, "8", key, Idempotency_Key="once"), 422, "idempotency_key_reused")
    assert await lab.available(account) == 43 * USDC


async def test_operators_cancel_a_round_and_traders_do_not(market: Market) -> None:
    api, lab = market
    asset = await lab.round()
    account, key = await api.account()
    await api.fund(account, 50 * USDC)
    await contribute(api, asset, account, "50", key, Prefer="wait=10")
    path = f"/api/exchange/assets/{asset}/cancel-funding"
    problem(await api.post(path, None, key), 403, "forbidden")
    answer = await api.post(path, {"note": "test"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "cancelled"
    await lab.until(lambda: lab.available(account), lambda micros: micros == 50 * USDC)
    problem(await api.post(path), 409, "not_cancellable")
    other = await lab.round()
    operation = (await lab.operation(other))["id"]
    problem(await api.post(f"/api/operations/{operation}/cancel", None, key), 404, "not_found")
    assert (await api.post(f"/api/operations/{operation}/cancel")).status_code == 200
    assert (await lab.asset(other))["status"] == "cancelled"


async def test_positions_show_what_may_be_withdrawn(market: Market) -> None:
    api, lab = market
    asset, account = await lab.provider((1_000 * USDC, 8))
    await lab.earn(asset, 4 * USDC)
    listed = (await api.get(f"/api/exchange/lp-positions?account_id={account}")).json()["items"]
    assert len(listed) == 1
    shown = {k: v for k, v in listed[0].items() if k.endswith("_usdc")}
    assert shown == {
        "vested_usdc": "250", "instant_available_usdc": "62.5", "queueable_usdc": "250", "queued_usdc": "0",
        "next_vesting_usdc": "250", "fees_owed_usdc": "4", "principal_usdc": "1000", "contributed_usdc": "1000",
        "withdrawn_usdc": "0", "fees_claimed_usdc": "0",
    }  # fmt: skip
    assert listed[0]["next_vesting_at"].endswith("Z")
    _, key = await api.account()
    problem(await api.get(f"/api/exchange/lp-positions?account_id={account}", key), 404, "not_found")
    assert (await api.get("/api/exchange/lp-positions", key)).json() == {"items": [], "next_cursor": None}


async def test_withdrawals_are_paid_queued_and_cancelled(market: Market) -> None:
    api, lab = market
    asset, account = await lab.provider((1_000 * USDC, 8))
    body = {"asset_id": asset, "account_id": account, "amount_usdc": "200"}
    refused = problem(await send(api, "lp-withdrawals", body | {"amount_usdc": "250.000001"}), 409, "not_vested")
    assert (refused["available_usdc"], refused["next_vesting_usdc"]) == ("250", "250")
    assert refused["next_vesting_at"] in refused["detail"]
    answer = await send(api, "lp-withdrawals", body, Prefer="wait=10")
    assert answer.status_code == 200, answer.text
    row = answer.json()
    assert (row["status"], row["paid_usdc"], row["ahead_in_queue"]) == ("queued", "62.5", 0)
    assert [(p["part"], p["amount_usdc"], p["instant"]) for p in row["payouts"]] == [(1, "62.5", True)]
    assert row["due_at"].endswith("Z")
    problem(await send(api, "lp-withdrawals", body | {"amount_usdc": "50.000001"}), 409, "not_vested")
    cancelled = await api.post(f"/api/exchange/lp-withdrawals/{row['id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    problem(await api.post(f"/api/exchange/lp-withdrawals/{row['id']}/cancel"), 409, "not_cancellable")
    listed = (await api.get(f"/api/exchange/lp-withdrawals?account_id={account}&status=cancelled")).json()["items"]
    assert [item["id"] for item in listed] == [row["id"]]
    assert (await api.get(f"/api/exchange/lp-withdrawals/{row['id']}")).json()["paid_usdc"] == "62.5"
    assert await lab.available(account) == 62_500_000


async def test_withdrawals_that_cannot_be_are_refused_at_once(market: Market) -> None:
    api, lab = market
    asset, account = await lab.provider((1_000 * USDC, 8))
    stranger, key = await api.account()
    body = {"asset_id": asset, "account_id": stranger, "amount_usdc": "1"}
    problem(await send(api, "lp-withdrawals", body, key), 409, "not_vested")
    problem(await send(api, "lp-withdrawals", body | {"amount_usdc": "0"}, key), 409, "amount_below_minimum")
    problem(await send(api, "lp-withdrawals", body | {"account_id": account}, key), 404, "not_found")
    problem(await send(api, "lp-withdrawals", body | {"asset_id": secrets_uuid()}, key), 404, "not_found")
    await lab.rows("UPDATE exchange.assets SET status = 'funding' WHERE id = %s", asset)
    problem(await send(api, "lp-withdrawals", body | {"account_id": account}), 409, "asset_not_active")


async def test_fees_are_claimed_once(market: Market) -> None:
    api, lab = market
    asset, account = await lab.provider((100 * USDC, 0))
    body = {"asset_id": asset, "account_id": account}
    problem(await send(api, "lp-fee-claims", body), 409, "nothing_to_claim")
    await lab.earn(asset, 9 * USDC)
    answers = await asyncio.gather(*(send(api, "lp-fee-claims", body, Prefer="wait=10") for _ in range(8)))
    paid = [a.json() for a in answers if a.status_code == 200 and a.json()["status"] == "paid"]
    assert [claim["amount_usdc"] for claim in paid] == ["9"]
    assert await lab.available(account) == 9 * USDC
    assert (await api.get(f"/api/exchange/lp-fee-claims/{paid[0]['id']}")).json()["status"] == "paid"
    listed = (await api.get(f"/api/exchange/lp-fee-claims?account_id={account}")).json()["items"]
    assert paid[0]["id"] in {item["id"] for item in listed}
    await lab.check_all()


async def test_intents_survive_a_temporal_that_is_away(fresh_api: Api) -> None:
    """202 without Temporal: the rows are there for the dispatcher and for upkeep."""
    async with open_lab(fresh_api.deps.database_url, fresh_api.deps.processes.client) as lab:
        asset = await lab.round()
        account, key = await fresh_api.account()
        await fresh_api.fund(account, 10 * USDC)
        answer = await contribute(fresh_api, asset, account, "5", key)
        assert (answer.status_code, answer.json()["status"]) == (202, "requested")
        pool, provider = await lab.provider((1_000 * USDC, 8))
        body = {"asset_id": pool, "account_id": provider, "amount_usdc": "1"}
        made = await send(fresh_api, "lp-withdrawals", body)
        assert made.status_code == 202
        waiting = await lab.rows("SELECT workflow_id FROM platform.operations WHERE dispatched_at IS NULL")
        assert ids.lp_withdrawal(made.json()["id"]) in {row["workflow_id"] for row in waiting}
