"""The API with everything behind it: Temporal, workers, a chain. Decisions reach processes, and money moves once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio

from composition.custody import make_solvency
from domain.shared.processes import QUEUES
from localnet.sink import WebhookSink
from storage.database import transaction
from storage.operations import set_operation
from tests.api.lab import POLICY, Api, problem
from tests.patience import PATIENCE_S
from tests.world import World

Opened = tuple[World, Api]


@asynccontextmanager
async def _api(world: World) -> AsyncIterator[Api]:
    proof = make_solvency(world.settings, world.parts.books, world.parts.chain)
    async with Api.open(
        world.dsn,
        address=world.temporal.address,
        addresses=world.wallets.addresses,
        solvency=proof.solvency,
        withdrawal_policy=POLICY.model_copy(update={"review_from_micros": 50_000_000}),
        usdc_address=world.token,
        own_addresses=frozenset({world.token, world.wallets.hot, world.wallets.gas}),
    ) as api:
        yield api


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def both(new_database: Callable[[], Awaitable[str]], directory: Path) -> AsyncIterator[Opened]:
    async with (
        World.open(
            await new_database(), directory / "api-world", block_time=0.2, withdrawal_review_from_micros=50_000_000
        ) as world,
        _api(world) as api,
    ):
        yield world, api


async def _funded(both: Opened, micros: int) -> tuple[str, str]:
    world, api = both
    account_id, key = await api.account()
    address = (await api.post(f"/api/exchange/accounts/{account_id}/deposit-address", None, key)).json()["address"]
    tx_hash = await world.mint(address.lower(), micros)
    await world.deposit_status(tx_hash, "credited")
    return account_id, key


async def _status(both: Opened, withdrawal_id: str, *wanted: str) -> None:
    await both[0].withdrawal_status(withdrawal_id, *wanted)


async def test_it_is_ready_and_knows_its_queues(both: Opened) -> None:
    _, api = both
    ready = (await api.get("/api/ready", None)).json()
    assert ready["ready"] is True
    assert ready["temporal"] == "ok"
    temporal = (await api.get("/api/system/status")).json()["temporal"]
    assert {queue["name"] for queue in temporal["queues"]} == set(QUEUES)
    assert all(queue["activity_backlog"] >= 0 for queue in temporal["queues"])


async def test_a_deposit_is_credited_and_a_withdrawal_waited_for(both: Opened) -> None:
    world, api = both
    account_id, key = await _funded(both, 30_000_000)
    deposit = (await api.get("/api/exchange/deposits", key)).json()["items"][0]
    assert deposit["status"] == "credited"
    assert deposit["confirmations"] >= deposit["required_confirmations"]
    to = "0x" + secrets.token_hex(20)
    answer = await api.withdraw(account_id, "12.5", key, to=to, Prefer="wait=10")
    body = answer.json()
    if answer.status_code == 202:
        await _status(both, body["id"], "settled")
        body = (await api.get(f"/api/exchange/withdrawals/{body['id']}", key)).json()
    assert body["status"] == "settled"
    assert body["tx_hash"] in body["tx_hashes"]
    assert await world.balance(to) == 12_500_000
    balances = (await api.get(f"/api/accounts/{account_id}/balances", key)).json()["items"]
    assert balances == [{"asset": "USDC", "available": "17.5", "held": "0"}]
    operation = (await api.get(f"/api/operations/{body['operation_id']}", key)).json()
    assert operation["status"] == "completed"
    problem(await api.post(f"/api/operations/{body['operation_id']}/cancel", None, key), 409, "not_cancellable")


async def test_invariants_hold_with_a_chain(both: Opened) -> None:
    body = (await both[1].get("/api/system/invariants")).json()
    assert body["ok"], body


async def _pending(both: Opened) -> tuple[str, str, str]:
    account_id, key = await _funded(both, 60_000_000)
    made = (await both[1].withdraw(account_id, "55", key)).json()
    await _status(both, made["id"], "pending_approval")
    return account_id, key, made["id"]


async def test_another_operator_approves(both: Opened) -> None:
    _, api = both
    _, key, withdrawal_id = await _pending(both)
    operator_id, operator = await api.account("operator")
    path = f"/api/exchange/withdrawals/{withdrawal_id}/approve"
    problem(await api.post(path, None, key), 403, "forbidden")
    idem = secrets.token_hex(8)
    answer = await api.post(path, {"note": "known customer"}, operator, Idempotency_Key=idem)
    assert answer.status_code == 200, answer.text
    assert answer.json()["decided_by"] == operator_id
    again = await api.post(path, {"note": "known customer"}, operator, Idempotency_Key=idem)
    assert again.headers["idempotency-hit"] == "true"
    await _status(both, withdrawal_id, "settled")
    problem(await api.post(path, None, operator), 409, "not_approvable")


async def test_the_requester_does_not_approve(both: Opened) -> None:
    world, api = both
    account_id, _ = await _funded(both, 60_000_000)
    operator_id, operator = await api.account("operator")
    made = (await api.withdraw(account_id, "55", operator)).json()
    assert made["requested_by"] == operator_id
    await world.withdrawal_status(made["id"], "pending_approval")
    problem(await api.post(f"/api/exchange/withdrawals/{made['id']}/approve", None, operator), 403, "self_approval")
    assert (await api.post(f"/api/exchange/withdrawals/{made['id']}/approve")).status_code == 200


async def test_rejecting_gives_the_money_back(both: Opened) -> None:
    _, api = both
    account_id, key, withdrawal_id = await _pending(both)
    _, operator = await api.account("operator")
    answer = await api.post(f"/api/exchange/withdrawals/{withdrawal_id}/reject", {"note": "no"}, operator)
    assert answer.json()["status"] == "rejected"
    balances = (await api.get(f"/api/accounts/{account_id}/balances", key)).json()["items"]
    assert balances == [{"asset": "USDC", "available": "60", "held": "0"}]


async def test_the_owner_cancels_once(both: Opened) -> None:
    _, api = both
    account_id, key, withdrawal_id = await _pending(both)
    path = f"/api/exchange/withdrawals/{withdrawal_id}/cancel"
    answers = await asyncio.gather(*(api.post(path, None, key) for _ in range(5)))
    assert {a.status_code for a in answers} <= {200, 409}
    assert any(a.status_code == 200 and a.json()["status"] == "cancelled" for a in answers)
    balances = (await api.get(f"/api/accounts/{account_id}/balances", key)).json()["items"]
    assert balances == [{"asset": "USDC", "available": "60", "held": "0"}]
    problem(await api.post(path, None, key), 409, "not_cancellable")


async def test_cancelling_through_the_operation(both: Opened) -> None:
    _, api = both
    _, key, withdrawal_id = await _pending(both)
    operation_id = (await api.get(f"/api/exchange/withdrawals/{withdrawal_id}", key)).json()["operation_id"]
    answer = await api.post(f"/api/operations/{operation_id}/cancel", {"note": "changed my mind"}, key)
    assert answer.status_code == 200
    assert answer.json()["status"] == "cancelled"


async def test_retry_reaches_running_processes_and_refuses_ended_ones(both: Opened) -> None:
    world, api = both
    _, key, withdrawal_id = await _pending(both)
    operation_id = (await api.get(f"/api/exchange/withdrawals/{withdrawal_id}", key)).json()["operation_id"]
    async with transaction(api.deps.writes) as connection:
        await set_operation(connection, operation_id, "needs_operator", "look at it")
    answer = await api.post(f"/api/operations/{operation_id}/retry", {"note": "refilled"})
    assert answer.status_code == 202
    assert (await api.post(f"/api/exchange/withdrawals/{withdrawal_id}/cancel", None, key)).status_code == 200
    handle = world.client.get_workflow_handle(f"withdrawal:{withdrawal_id}")
    await asyncio.wait_for(handle.result(), PATIENCE_S)
    async with transaction(api.deps.writes) as connection:
        await set_operation(connection, operation_id, "failed", "ended")
    problem(await api.post(f"/api/operations/{operation_id}/retry"), 409, "not_retryable")


async def test_a_delivery_whose_process_was_terminated_is_delivered_again(both: Opened) -> None:
    world, api = both
    account_id, key = await api.account()
    sink = WebhookSink()
    await sink.start()
    try:
        async with httpx.AsyncClient() as client:
            await client.post(f"{sink.url}/faults", json={"status": 500, "times": 1000})
            made = await api.post("/api/webhooks", {"url": f"{sink.url}/hook", "topics": ["accounts"]}, key)
            await api.post(f"/api/exchange/accounts/{account_id}/deposit-address", None, key)
            path = f"/api/webhooks/{made.json()['id']}/deliveries"

            async def tried() -> list[dict[str, Any]]:
                items: list[dict[str, Any]] = (await api.get(path, key)).json()["items"]
                return [item for item in items if item["attempts"]]

            found = await world.until(tried, bool)
            again = f"{path}/{found[0]['id']}/redeliver"
            problem(await api.post(again, None, key), 409, "conflict")
            await world.client.get_workflow_handle(f"webhook-delivery:{found[0]['id']}").terminate("an operator")
            await client.post(f"{sink.url}/faults", json={"status": 500, "times": 0})
            fresh = await api.post(again, None, key)
            assert fresh.status_code == 202, fresh.text

            async def status() -> str:
                return str((await api.get(fresh.headers["location"], key)).json()["status"])

            await world.until(status, lambda now: now == "delivered")
    finally:
        await sink.close()


async def test_a_process_temporal_never_saw_is_dispatched_again(both: Opened) -> None:
    _, api = both
    account_id, _ = await _funded(both, 5_000_000)
    made = (await api.withdraw(account_id, "1")).json()
    await _status(both, made["id"], "settled")
    rows = await api.rows(
        """UPDATE platform.operations SET status = 'needs_operator', workflow_id = workflow_id || ':lost',
             dispatched_at = now() WHERE id = %s RETURNING id""",
        made["operation_id"],
    )
    assert rows
    assert (await api.post(f"/api/operations/{made['operation_id']}/retry")).status_code == 202


async def test_an_asset_is_funded_and_traded(both: Opened) -> None:
    """Listed, funded up to the soft cap, bought and sold: every step by its own process."""
    world, api = both
    body = {"symbol": f"P{secrets.token_hex(4)}", "name": "Through all processes", "soft_cap_usdc": "5"}
    made = (await api.post("/api/exchange/assets", body, Idempotency_Key=secrets.token_hex(8))).json()
    path = f"/api/exchange/assets/{made['id']}"
    await world.until(lambda: api.deps.processes.state(f"lp-funding:{made['id']}"), lambda state: state == "running")
    account_id, key = await _funded(both, 30_000_000)
    given = {"account_id": account_id, "amount_usdc": "5"}
    contributed = await api.post(f"{path}/contributions", given, key, Idempotency_Key=secrets.token_hex(8))
    assert contributed.status_code in (200, 202), contributed.text
    await world.until(lambda: api.get(path), lambda answer: answer.json()["status"] == "active")
    buy = {"asset_id": made["id"], "account_id": account_id, "side": "buy", "amount_usdc": "10"}
    answer = await api.post("/api/exchange/trades", buy, key, Idempotency_Key=secrets.token_hex(8), Prefer="wait=10")
    assert (answer.status_code, answer.json()["status"]) == (200, "filled")
    shown = (await api.get(path)).json()
    assert shown["total_supply"] == answer.json()["shares"]
    assert (shown["reserve_usdc"], shown["lp_principal_usdc"]) == ("9.95", "5")
    balances = (await api.get(f"/api/accounts/{account_id}/balances", key)).json()["items"]
    assert {b["asset"]: b["available"] for b in balances} == {"USDC": "15", made["id"]: answer.json()["shares"]}
    operation = (await api.get(f"/api/operations/{made['operation_id']}")).json()
    assert operation["status"] in ("running", "waiting", "completed")
