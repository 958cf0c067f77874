"""Accounts, keys, balances, ledger: who sees and may do what."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from api.http.scopes import BY_ROLE, EVERY
from storage.accounts import ADMIN_SCOPES, ensure_admin, new_key
from tests.api.lab import Api, problem


async def test_an_account_is_created_and_read(api: Api) -> None:
    made = await api.post("/api/accounts", {"name": "Ada ✓ 名", "role": "trader"})
    assert made.status_code == 201
    body = made.json()
    assert body["name"] == "Ada ✓ 名"
    assert body["role"] == "trader"
    assert body["created_at"].endswith("Z")
    assert made.headers["location"] == f"/api/accounts/{body['id']}"
    assert (await api.get(made.headers["location"])).json() == body


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "x"},
        {"name": "", "role": "trader"},
        {"name": "x" * 121, "role": "trader"},
        {"name": "x", "role": "king"},
        {"name": 5, "role": "trader"},
        {"name": "x", "role": "trader", "extra": 1},
        {"name": "nul\x00", "role": "trader"},
        {"name": "x", "role": "trader", "email": "a@b.example"},
        {"name": "x", "role": "trader", "password": "long enough pass"},
        {"name": "x", "role": "trader", "email": "not an address", "password": "long enough pass"},
        {"name": "x", "role": "trader", "email": "a@b.example", "password": "short"},
        [],
        "text",
    ],
)
async def test_bad_accounts_are_refused_and_change_nothing(api: Api, body: object) -> None:
    before = await api.rows("SELECT count(*) AS n FROM platform.accounts")
    found = problem(await api.post("/api/accounts", body), 400, "validation_failed")
    assert found["errors"], found
    assert await api.rows("SELECT count(*) AS n FROM platform.accounts") == before


async def test_an_email_belongs_to_one_account(api: Api) -> None:
    email = f"ada-{uuid4().hex}@example.org"
    body = {"name": "Ada", "role": "trader", "email": email, "password": "correct horse battery"}
    assert (await api.post("/api/accounts", body)).status_code == 201
    problem(await api.post("/api/accounts", body | {"email": email.upper()}), 409, "email_taken")


async def test_only_administrators_create_staff(api: Api) -> None:
    _, operator = await api.account("operator")
    for role in ("admin", "operator"):
        problem(await api.post("/api/accounts", {"name": "x", "role": role}, operator), 403, "forbidden")
    assert (await api.post("/api/accounts", {"name": "x", "role": "trader"}, operator)).status_code == 201
    _, trader = await api.account()
    problem(await api.post("/api/accounts", {"name": "x", "role": "trader"}, trader), 403, "forbidden")


async def test_a_trader_sees_only_itself(api: Api) -> None:
    mine, key = await api.account()
    other, _ = await api.account()
    for path in ("", "/balances", "/ledger", "/api-keys"):
        assert (await api.get(f"/api/accounts/{mine}{path}", key)).status_code == 200
        problem(await api.get(f"/api/accounts/{other}{path}", key), 404, "not_found")
        problem(await api.get(f"/api/accounts/{uuid4()}{path}"), 404, "not_found")
    problem(await api.get("/api/accounts", key), 403, "forbidden")
    problem(await api.post(f"/api/accounts/{other}/api-keys", {}, key), 404, "not_found")
    problem(await api.get("/api/accounts/not-a-uuid"), 404, "not_found")


async def test_accounts_are_listed_newest_first_and_paged(fresh_api: Api) -> None:
    made = [(await fresh_api.account())[0] for _ in range(5)]
    first = (await fresh_api.get("/api/accounts?limit=2&role=trader")).json()
    assert [a["id"] for a in first["items"]] == [made[4], made[3]]
    second = (await fresh_api.get(f"/api/accounts?limit=2&role=trader&cursor={first['next_cursor']}")).json()
    assert [a["id"] for a in second["items"]] == [made[2], made[1]]
    last = (await fresh_api.get(f"/api/accounts?limit=2&role=trader&cursor={second['next_cursor']}")).json()
    assert [a["id"] for a in last["items"]] == [made[0]]
    assert last["next_cursor"] is None


@pytest.mark.parametrize("cursor", ["x", "AAAA", "%FF", "====", "A" * 300])
async def test_a_foreign_cursor_is_refused(api: Api, cursor: str) -> None:
    problem(await api.get(f"/api/accounts?cursor={cursor}"), 400, "invalid_cursor")


async def test_a_cursor_belongs_to_its_list(fresh_api: Api) -> None:
    for _ in range(2):
        await fresh_api.account()
    cursor = (await fresh_api.get("/api/accounts?limit=1")).json()["next_cursor"]
    problem(await fresh_api.get(f"/api/operations?cursor={cursor}"), 400, "invalid_cursor")


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "１", "1_0", "9" * 40, "1.5", ""])
async def test_limits_are_whole_numbers_up_to_200(api: Api, limit: str) -> None:
    problem(await api.get(f"/api/accounts?limit={limit}"), 400, "validation_failed")


async def test_balances_and_ledger_follow_the_books(api: Api) -> None:
    account_id, key = await api.account()
    empty = await api.get(f"/api/accounts/{account_id}/balances", key)
    assert empty.json() == {"items": [{"asset": "USDC", "available": "0", "held": "0"}]}
    await api.fund(account_id, 100_250_000)
    await api.fund(account_id, 1)
    full = await api.get(f"/api/accounts/{account_id}/balances", key)
    assert full.json() == {"items": [{"asset": "USDC", "available": "100.250001", "held": "0"}]}
    lines = (await api.get(f"/api/accounts/{account_id}/ledger", key)).json()["items"]
    assert [line["amount"] for line in lines] == ["0.000001", "100.25"]
    assert {line["bucket"] for line in lines} == {"available"}
    assert {line["asset"] for line in lines} == {"USDC"}


async def test_the_largest_amount_is_written_exactly(api: Api) -> None:
    account_id, key = await api.account()
    await api.fund(account_id, 2**63 - 1)
    balances = (await api.get(f"/api/accounts/{account_id}/balances", key)).json()
    assert balances["items"][0]["available"] == "9223372036854.775807"


async def test_the_ledger_as_csv(api: Api) -> None:
    account_id, key = await api.account()
    for _ in range(3):
        await api.fund(account_id, 5_000_000)
    answer = await api.get(f"/api/accounts/{account_id}/ledger?limit=2", key, Accept="text/csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["amount"] for row in rows] == ["5", "5"]
    cursor = answer.headers["x-next-cursor"]
    rest = await api.get(f"/api/accounts/{account_id}/ledger?limit=2&cursor={cursor}", key, Accept="text/csv")
    assert len(list(csv.DictReader(io.StringIO(rest.text)))) == 1
    refused = await api.get(f"/api/accounts/{account_id}/ledger", key, Accept="image/png")
    problem(refused, 406, "not_acceptable")


async def test_a_key_is_shown_once_and_works_until_revoked(api: Api) -> None:
    account_id, _ = await api.account()
    given = await api.post(f"/api/accounts/{account_id}/api-keys", {"scopes": ["exchange:read"]})
    secret = given.json()["api_key"]
    assert secret.startswith("hf_")
    listed = await api.get(f"/api/accounts/{account_id}/api-keys")
    assert secret not in listed.text
    assert given.json()["id"] in listed.text
    stored = await api.rows("SELECT * FROM platform.api_keys WHERE id = %s", given.json()["id"])
    assert secret not in str(stored)
    assert (await api.get(f"/api/accounts/{account_id}", secret)).status_code == 200
    gone = await api.call("DELETE", f"/api/accounts/{account_id}/api-keys/{given.json()['id']}")
    assert gone.status_code == 204
    problem(await api.get(f"/api/accounts/{account_id}", secret), 401, "unauthorized")
    again = await api.call("DELETE", f"/api/accounts/{account_id}/api-keys/{given.json()['id']}")
    assert again.status_code == 204
    problem(await api.call("DELETE", f"/api/accounts/{account_id}/api-keys/{uuid4()}"), 404, "not_found")


async def test_a_key_never_gets_more_than_its_creator(api: Api) -> None:
    account_id, key = await api.account(scopes=["accounts:write", "exchange:read"])
    more = await api.post(f"/api/accounts/{account_id}/api-keys", {"scopes": ["exchange:withdraw"]}, key)
    problem(more, 403, "forbidden")
    default = await api.post(f"/api/accounts/{account_id}/api-keys", {}, key)
    assert default.json()["scopes"] == ["accounts:write", "exchange:read"]
    role = await api.post(f"/api/accounts/{account_id}/api-keys", {"scopes": ["system:write"]})
    problem(role, 403, "forbidden")


async def test_operators_do_not_make_keys_for_other_staff(api: Api) -> None:
    own, operator = await api.account("operator")
    other, _ = await api.account("operator")
    problem(await api.post(f"/api/accounts/{other}/api-keys", {}, operator), 403, "forbidden")
    problem(await api.post(f"/api/accounts/{api.admin_id}/api-keys", {}, operator), 403, "forbidden")
    assert (await api.post(f"/api/accounts/{own}/api-keys", {}, operator)).status_code == 201


async def test_keys_expire(api: Api) -> None:
    account_id, _ = await api.account()
    path = f"/api/accounts/{account_id}/api-keys"
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    problem(await api.post(path, {"expires_at": past}), 400, "validation_failed")
    problem(await api.post(path, {"expires_at": "2030-01-01T00:00:00"}), 400, "validation_failed")
    problem(await api.post(path, {"expires_at": 1900000000}), 400, "validation_failed")
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    key = (await api.post(path, {"expires_at": soon})).json()
    assert (await api.get("/api/auth/session", key["api_key"])).status_code == 200
    await api.rows("UPDATE platform.api_keys SET expires_at = now() WHERE id = %s", key["id"])
    api.app.state.authenticator.forget_keys()
    problem(await api.get("/api/auth/session", key["api_key"]), 401, "unauthorized")


async def test_a_disabled_account_cannot_ask(api: Api) -> None:
    account_id, key = await api.account()
    await api.rows("UPDATE platform.accounts SET disabled = true WHERE id = %s", account_id)
    problem(await api.get(f"/api/accounts/{account_id}", key), 401, "unauthorized")


async def test_missing_scopes_are_named(api: Api) -> None:
    account_id, key = await api.account(scopes=["exchange:trade"])
    found = problem(await api.get(f"/api/accounts/{account_id}", key), 403, "forbidden")
    assert "exchange:read" in found["detail"]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer x", "Basic aGY6", "Bearer hf_ü", "Bearer hf_no"])
async def test_wrong_keys_are_401(api: Api, header: str) -> None:
    answer = await api.client.get("/api/accounts", headers={"Authorization": header.encode()})
    problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_bootstrap_is_idempotent(fresh_api: Api) -> None:
    key = new_key()
    first = await ensure_admin(fresh_api.deps.writes, key)
    assert await ensure_admin(fresh_api.deps.writes, key) == first == fresh_api.admin_id
    assert (await fresh_api.get("/api/accounts", key)).status_code == 200


def test_the_bootstrap_key_has_every_scope() -> None:
    assert set(ADMIN_SCOPES) == EVERY == BY_ROLE["admin"]
