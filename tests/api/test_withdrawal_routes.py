"""Withdrawals as far as the API decides them."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from uuid import uuid4

import pytest

from storage.events import new_id
from tests.api.lab import CHAIN_ID, HOT, POLICY, TOKEN, Api, problem


async def test_a_withdrawal_is_accepted_durably(api: Api) -> None:
    account_id, key = await api.account()
    await api.fund(account_id, 10_000_000)
    answer = await api.withdraw(account_id, "2.5", key)
    assert answer.status_code == 202
    body = answer.json()
    assert answer.headers["location"] == f"/api/exchange/withdrawals/{body['id']}"
    assert body["status"] == "requested"
    assert body["amount_usdc"] == "2.5"
    assert body["fee_usdc"] == "0"
    assert body["tx_hashes"] == []
    assert body["requested_by"] == account_id
    read = await api.get(answer.headers["location"], key)
    assert read.json() == body
    operation = (await api.get(f"/api/operations/{body['operation_id']}", key)).json()
    assert operation["kind"] == "withdrawal"
    assert operation["status"] == "running"
    assert [s["name"] for s in operation["steps"]] == [
        "hold", "approval", "funds", "sign", "broadcast", "confirm", "settle",
    ]  # fmt: skip
    assert operation["temporal_ui_url"].endswith(f"/namespaces/default/workflows/withdrawal%3A{body['id']}")
    events = await api.rows("SELECT * FROM platform.outbox WHERE payload->>'id' = %s", body["id"])
    assert [e["type"] for e in events] == ["withdrawal_requested"]
    listed = (await api.get("/api/exchange/withdrawals?status=requested", key)).json()["items"]
    assert [w["id"] for w in listed] == [body["id"]]


async def test_without_temporal_the_dispatcher_is_left_the_work(api: Api) -> None:
    account_id, key = await api.account()
    await api.fund(account_id, 10_000_000)
    body = (await api.withdraw(account_id, "1", key)).json()
    await asyncio.sleep(1.5)
    rows = await api.rows("SELECT dispatched_at FROM platform.operations WHERE id = %s", body["operation_id"])
    assert rows[0]["dispatched_at"] is None
    cancel = await api.post(f"/api/exchange/withdrawals/{body['id']}/cancel", None, key)
    problem(cancel, 503, "temporal_unavailable")
    assert int(cancel.headers["retry-after"]) >= 1
    problem(await api.post(f"/api/operations/{body['operation_id']}/cancel", None, key), 503, "temporal_unavailable")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"amount_usdc": "1.0000001"}, 400, "amount_precision"),
        ({"amount_usdc": 5}, 400, "validation_failed"),
        ({"amount_usdc": 5.5}, 400, "validation_failed"),
        ({"amount_usdc": "-5"}, 400, "validation_failed"),
        ({"amount_usdc": "+5"}, 400, "validation_failed"),
        ({"amount_usdc": "1e3"}, 400, "validation_failed"),
        ({"amount_usdc": " 5"}, 400, "validation_failed"),
        ({"amount_usdc": "5\n"}, 400, "validation_failed"),
        ({"amount_usdc": "٥"}, 400, "validation_failed"),
        ({"amount_usdc": "５"}, 400, "validation_failed"),
        ({"amount_usdc": "05"}, 400, "validation_failed"),
        ({"amount_usdc": ""}, 400, "validation_failed"),
        ({"amount_usdc": "NaN"}, 400, "validation_failed"),
        ({"amount_usdc": "9223372036854.775808"}, 400, "validation_failed"),
        ({"amount_usdc": "9" * 400}, 400, "validation_failed"),
        ({"amount_usdc": None}, 400, "validation_failed"),
        ({"amount_usdc": ["5"]}, 400, "validation_failed"),
        ({"amount_usdc": True}, 400, "validation_failed"),
        ({"to_address": "0x123"}, 400, "invalid_address"),
        ({"to_address": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD"}, 400, "invalid_address"),
        ({"to_address": "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"}, 400, "invalid_address"),
        ({"to_address": "0X" + "ab" * 20}, 400, "invalid_address"),
        ({"to_address": ""}, 400, "invalid_address"),
        ({"to_address": 7}, 400, "validation_failed"),
        ({"to_address": "0x" + "00" * 20}, 409, "destination_not_allowed"),
        ({"to_address": TOKEN}, 409, "destination_not_allowed"),
        ({"to_address": HOT}, 409, "destination_not_allowed"),
        ({"amount_usdc": "0"}, 409, "amount_below_minimum"),
        ({"amount_usdc": "0.999999"}, 409, "amount_below_minimum"),
        ({"amount_usdc": "100.000001"}, 409, "insufficient_funds"),
        ({"amount_usdc": "5000.000001"}, 409, "account_daily_limit"),
        ({"account_id": str(uuid4())}, 404, "not_found"),
        ({"account_id": "x"}, 400, "validation_failed"),
        ({"memo": "x"}, 400, "validation_failed"),
    ],
)
async def test_what_is_refused_changes_nothing(api: Api, change: dict[str, object], status: int, code: str) -> None:
    account_id, _ = await api.account()
    await api.fund(account_id, 100_000_000)
    body = {"account_id": account_id, "to_address": "0x" + "ab" * 20, "amount_usdc": "1"} | change
    before = await api.rows("SELECT count(*) AS n FROM exchange.withdrawals")
    answer = await api.post("/api/exchange/withdrawals", body, Idempotency_Key=secrets.token_hex(8))
    problem(answer, status, code)
    assert await api.rows("SELECT count(*) AS n FROM exchange.withdrawals") == before
    balances = (await api.get(f"/api/accounts/{account_id}/balances")).json()["items"]
    assert balances == [{"asset": "USDC", "available": "100", "held": "0"}]


async def test_precision_points_at_the_field(api: Api) -> None:
    account_id, _ = await api.account()
    found = problem(await api.withdraw(account_id, "1.0000001"), 400, "amount_precision")
    assert found["errors"][0]["pointer"] == "/amount_usdc"


async def test_checksummed_addresses_are_accepted(api: Api) -> None:
    account_id, _ = await api.account()
    await api.fund(account_id, 10_000_000)
    good = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    for address in (good, good.lower(), "0x" + good[2:].upper()):
        answer = await api.withdraw(account_id, "1", to=address)
        assert answer.status_code == 202
        assert answer.json()["to_address"] == good


async def test_daily_limits_count_what_is_open_and_settled(database: str) -> None:
    policy = POLICY.model_copy(update={"account_daily_micros": 10_000_000, "platform_daily_micros": 15_000_000})
    async with Api.open(database, withdrawal_policy=policy) as api:
        first, _ = await api.account()
        second, _ = await api.account()
        for account_id in (first, second):
            await api.fund(account_id, 100_000_000)
        assert (await api.withdraw(first, "10")).status_code == 202
        problem(await api.withdraw(first, "1"), 409, "account_daily_limit")
        problem(await api.withdraw(second, "6"), 409, "platform_daily_limit")
        await api.rows("UPDATE exchange.withdrawals SET status = 'cancelled'")
        assert (await api.withdraw(second, "6")).status_code == 202


async def test_fees_are_part_of_what_must_be_there(database: str) -> None:
    async with Api.open(database, withdrawal_policy=POLICY.model_copy(update={"fee_micros": 500_000})) as api:
        account_id, _ = await api.account()
        await api.fund(account_id, 10_000_000)
        problem(await api.withdraw(account_id, "9.500001"), 409, "insufficient_funds")
        answer = await api.withdraw(account_id, "9.5")
        assert answer.status_code == 202
        assert answer.json()["fee_usdc"] == "0.5"


async def test_the_kill_switch_refuses_at_once(fresh_api: Api) -> None:
    api = fresh_api
    account_id, _ = await api.account()
    await api.fund(account_id, 10_000_000)
    off = {"name": "exchange.withdrawals", "enabled": False, "reason": "drill"}
    assert (await api.post("/api/system/controls", off)).status_code == 200
    problem(await api.withdraw(account_id, "1"), 409, "withdrawals_disabled")
    assert (await api.post("/api/system/controls", off | {"enabled": True})).status_code == 200
    assert (await api.withdraw(account_id, "1")).status_code == 202


async def test_a_trader_withdraws_only_for_itself(api: Api) -> None:
    account_id, key = await api.account()
    other, _ = await api.account()
    await api.fund(other, 10_000_000)
    problem(await api.withdraw(other, "1", key), 404, "not_found")
    _, reader = await api.account(scopes=["exchange:read"])
    problem(await api.withdraw(account_id, "1", reader), 403, "forbidden")
    made = (await api.withdraw(other, "1")).json()
    problem(await api.get(f"/api/exchange/withdrawals/{made['id']}", key), 404, "not_found")
    problem(await api.post(f"/api/exchange/withdrawals/{made['id']}/cancel", None, key), 404, "not_found")
    problem(await api.get(f"/api/operations/{made['operation_id']}", key), 404, "not_found")


async def _at(api: Api, status: str) -> dict[str, str]:
    account_id, _ = await api.account()
    await api.fund(account_id, 10_000_000)
    body: dict[str, str] = (await api.withdraw(account_id, "1")).json()
    await api.rows(
        "UPDATE exchange.withdrawals SET status = %s::exchange.withdrawal_status WHERE id = %s", status, body["id"]
    )
    return body


async def test_decisions_look_at_the_state_first(api: Api) -> None:
    _, operator = await api.account("operator")
    signed = await _at(api, "signed")
    for act in ("approve", "reject"):
        path = f"/api/exchange/withdrawals/{signed['id']}/{act}"
        problem(await api.post(path, {"note": "x"}, operator), 409, "not_approvable")
        problem(await api.post(path, None, operator), 409, "not_approvable")
        problem(await api.post(path, {"nope": 1}, operator), 400, "validation_failed")
        problem(await api.post(path), 403, "self_approval")
        _, trader = await api.account()
        problem(await api.post(path, None, trader), 403, "forbidden")
        problem(await api.post(f"/api/exchange/withdrawals/{uuid4()}/{act}"), 404, "not_found")
    problem(await api.post(f"/api/exchange/withdrawals/{signed['id']}/cancel"), 409, "not_cancellable")
    problem(await api.post(f"/api/operations/{signed['operation_id']}/cancel"), 409, "not_cancellable")
    pending = await _at(api, "pending_approval")
    path = f"/api/exchange/withdrawals/{pending['id']}/approve"
    problem(await api.post(path), 403, "self_approval")
    problem(await api.post(path, None, operator), 503, "temporal_unavailable")


async def test_every_replacement_is_listed(api: Api) -> None:
    body = await _at(api, "broadcast")
    transaction_id = new_id()
    await api.rows(
        """INSERT INTO exchange.transactions
             (id, chain_id, wallet, nonce, purpose, ref_id, to_address, value_wei, data, gas_limit)
           VALUES (%s, %s, %s, 0, 'withdrawal', %s, %s, 0, '', 60000)""",
        transaction_id, CHAIN_ID, HOT, body["id"], TOKEN,
    )  # fmt: skip
    hashes = ["0x" + secrets.token_hex(32) for _ in range(3)]
    for attempt, tx_hash in enumerate(hashes, 1):
        await api.rows(
            """INSERT INTO exchange.signed_transactions (tx_hash, transaction_id, attempt, raw, max_fee_wei,
                 priority_fee_wei) VALUES (%s, %s, %s, '', 1, 0)""",
            tx_hash, transaction_id, attempt,
        )  # fmt: skip
    assert (await api.get(f"/api/exchange/withdrawals/{body['id']}")).json()["tx_hashes"] == hashes


async def test_waiting_answers_the_finished_withdrawal(api: Api) -> None:
    account_id, key = await api.account()
    await api.fund(account_id, 10_000_000)

    async def finish() -> None:
        while True:
            rows = await api.rows(
                """UPDATE exchange.withdrawals SET status = 'settled', finished_at = now()
                   WHERE account_id = %s RETURNING id""",
                account_id,
            )
            if rows:
                return
            await asyncio.sleep(0.05)

    task = asyncio.create_task(finish())
    idem = secrets.token_hex(8)
    to = "0x" + "ef" * 20
    answer = await api.withdraw(account_id, "1", key, to=to, Prefer="wait=5", Idempotency_Key=idem)
    await task
    assert answer.status_code == 200
    assert answer.headers["preference-applied"] == "wait"
    assert answer.json()["status"] == "settled"
    again = await api.withdraw(account_id, "1", key, to=to, Prefer="wait=5", Idempotency_Key=idem)
    assert again.status_code == 200
    assert again.json() == answer.json()
    assert again.headers["idempotency-hit"] == "true"


async def test_waiting_gives_up_in_time(api: Api) -> None:
    account_id, key = await api.account()
    await api.fund(account_id, 10_000_000)
    before = asyncio.get_running_loop().time()
    answer = await api.withdraw(account_id, "1", key, Prefer="wait=1")
    assert answer.status_code == 202
    assert "preference-applied" not in answer.headers
    assert 0.9 < asyncio.get_running_loop().time() - before < 15


async def test_own_addresses_are_not_destinations(database: str) -> None:
    mine = "0x" + "77" * 20
    async with Api.open(database) as api:
        config = replace(api.deps.config, own_addresses=frozenset({mine}))
        assert mine in config.own_addresses
        account_id, _ = await api.account()
        given = (await api.post(f"/api/exchange/accounts/{account_id}/deposit-address")).json()["address"]
        problem(await api.withdraw(account_id, "1", to=given), 409, "destination_not_allowed")
