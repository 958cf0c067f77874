"""Idempotency-Key, as api.md section 3 fixes it."""

from __future__ import annotations

import asyncio
import json
import secrets
from hashlib import sha256

import msgspec

from api.http.idempotency import _keep_unless_answered
from storage.intents.idempotency import Claim, Stored
from tests.api.lab import Api, problem

PATH = "/api/exchange/withdrawals"


async def _body(api: Api) -> dict[str, str]:
    account_id, _ = await api.account()
    await api.fund(account_id, 100_000_000)
    return {"account_id": account_id, "to_address": "0x" + "ab" * 20, "amount_usdc": "1"}


async def _count(api: Api, account_id: str) -> int:
    rows = await api.rows("SELECT count(*)::int AS n FROM exchange.withdrawals WHERE account_id = %s", account_id)
    return int(rows[0]["n"])


async def test_the_key_is_required_and_printable(api: Api) -> None:
    body = await _body(api)
    problem(await api.post(PATH, body), 400, "idempotency_key_required")
    for key in ("", " ", "x" * 256, "a b"):
        problem(await api.post(PATH, body, Idempotency_Key=key), 400, "idempotency_key_required")
    twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b"), ("Authorization", f"Bearer {api.admin}")]
    problem(await api.client.post(PATH, json=body, headers=twice), 400, "idempotency_key_required")
    assert await _count(api, body["account_id"]) == 0


async def test_the_same_request_gets_the_same_answer(api: Api) -> None:
    body, key = await _body(api), secrets.token_hex(8)
    first = await api.post(PATH, body, Idempotency_Key=key)
    assert first.status_code == 202
    assert "idempotency-hit" not in first.headers
    reordered = json.dumps(dict(reversed(body.items())), indent=3).encode()
    headers = {"Authorization": f"Bearer {api.admin}", "Idempotency-Key": key, "Content-Type": "application/json"}
    for again in (
        await api.post(PATH, body, Idempotency_Key=key),
        await api.client.post(PATH, content=reordered, headers=headers),
    ):
        assert again.status_code == 202
        assert again.json() == first.json()
        assert again.headers["location"] == first.headers["location"]
        assert again.headers["idempotency-hit"] == "true"
    assert await _count(api, body["account_id"]) == 1


async def test_another_body_is_refused(api: Api) -> None:
    body, key = await _body(api), secrets.token_hex(8)
    assert (await api.post(PATH, body, Idempotency_Key=key)).status_code == 202
    problem(await api.post(PATH, body | {"amount_usdc": "2"}, Idempotency_Key=key), 422, "idempotency_key_reused")
    assert await _count(api, body["account_id"]) == 1


async def test_keys_belong_to_their_principal(api: Api) -> None:
    body, key = await _body(api), secrets.token_hex(8)
    _, operator = await api.account("operator")
    first = await api.post(PATH, body, Idempotency_Key=key)
    second = await api.post(PATH, body, operator, Idempotency_Key=key)
    assert first.json()["id"] != second.json()["id"]


async def test_many_at_once_make_one(api: Api) -> None:
    body, key = await _body(api), secrets.token_hex(8)
    answers = await asyncio.gather(*(api.post(PATH, body, Idempotency_Key=key) for _ in range(20)))
    accepted = [a for a in answers if a.status_code == 202]
    assert accepted
    assert len({a.json()["id"] for a in accepted}) == 1
    for answer in answers:
        if answer.status_code != 202:
            problem(answer, 409, "idempotency_in_flight")
    assert await _count(api, body["account_id"]) == 1


async def test_a_refusal_is_repeated_too(api: Api) -> None:
    body, key = await _body(api), secrets.token_hex(8)
    much = body | {"amount_usdc": "500"}
    first = problem(await api.post(PATH, much, Idempotency_Key=key), 409, "insufficient_funds")
    await api.fund(body["account_id"], 1_000_000_000)
    again = await api.post(PATH, much, Idempotency_Key=key)
    assert again.status_code == 409
    assert again.json() == first
    assert again.headers["idempotency-hit"] == "true"
    assert again.headers["content-type"] == "application/problem+json"
    assert (await api.post(PATH, much, Idempotency_Key=secrets.token_hex(8))).status_code == 202


async def test_a_refusal_does_not_replace_an_answer_that_came_in_between(api: Api) -> None:
    """The refused transaction is rolled back first and its refusal kept after; the same key was accepted in between."""
    body, key = await _body(api), secrets.token_hex(8)
    accepted = await api.post(PATH, body, Idempotency_Key=key)
    assert accepted.status_code == 202
    digest = sha256(msgspec.json.encode(body, order="deterministic")).digest()
    claim = Claim(api.admin_id, "POST", PATH, key, digest)
    await _keep_unless_answered(api.deps, claim, Stored(409, {}, b"{}"))
    again = await api.post(PATH, body, Idempotency_Key=key)
    assert (again.status_code, again.json()) == (202, accepted.json())


async def test_malformed_requests_do_not_use_up_the_key(api: Api) -> None:
    body, key = await _body(api), secrets.token_hex(8)
    problem(await api.post(PATH, body | {"amount_usdc": "x"}, Idempotency_Key=key), 400, "validation_failed")
    problem(await api.post(PATH, body | {"to_address": "x"}, Idempotency_Key=key), 400, "invalid_address")
    assert (await api.post(PATH, body, Idempotency_Key=key)).status_code == 202


async def _in_flight(api: Api, key: str, seconds: int, path: str, body: dict[str, str] | None) -> None:
    """What a process leaves behind that died between claim and answer."""
    sent = await api.post(path, body, Idempotency_Key=key)
    assert sent.status_code in (202, 409), sent.text
    await api.rows(
        """UPDATE platform.idempotency_keys SET status = NULL, headers = NULL, body = NULL,
             locked_at = clock_timestamp() - make_interval(secs => %s) WHERE key = %s""",
        seconds,
        key,
    )


async def test_in_flight_is_told_and_taken_over_after_30_s(api: Api) -> None:
    body, key = await _body(api), secrets.token_hex(8)
    await _in_flight(api, key, 5, PATH, body)
    problem(await api.post(PATH, body, Idempotency_Key=key), 409, "idempotency_in_flight")
    await api.rows(
        "UPDATE platform.idempotency_keys SET locked_at = locked_at - interval '30 seconds' WHERE key = %s", key
    )
    assert (await api.post(PATH, body, Idempotency_Key=key)).status_code == 202
    hit = await api.post(PATH, body, Idempotency_Key=key)
    assert hit.headers["idempotency-hit"] == "true"


async def test_keys_are_forgotten_after_seven_days(api: Api) -> None:
    body, key = await _body(api), secrets.token_hex(8)
    first = await api.post(PATH, body, Idempotency_Key=key)
    await api.rows("UPDATE platform.idempotency_keys SET created_at = now() - interval '8 days' WHERE key = %s", key)
    second = await api.post(PATH, body | {"amount_usdc": "2"}, Idempotency_Key=key)
    assert second.status_code == 202
    assert second.json()["id"] != first.json()["id"]
    assert (await api.post(PATH, body | {"amount_usdc": "2"}, Idempotency_Key=key)).headers["idempotency-hit"]


async def test_accounts_take_a_key_without_needing_one(api: Api) -> None:
    body, key = {"name": "once", "role": "trader"}, secrets.token_hex(8)
    first = await api.post("/api/accounts", body, Idempotency_Key=key)
    again = await api.post("/api/accounts", body, Idempotency_Key=key)
    assert first.json() == again.json()
    assert again.headers["idempotency-hit"] == "true"


async def test_effects_keep_their_refusals_and_forget_outages(api: Api) -> None:
    made = (await api.post(PATH, await _body(api), Idempotency_Key=secrets.token_hex(8))).json()
    _, operator = await api.account("operator")
    path, key = f"{PATH}/{made['id']}/approve", secrets.token_hex(8)
    first = problem(await api.post(path, None, operator, Idempotency_Key=key), 409, "not_approvable")
    again = await api.post(path, None, operator, Idempotency_Key=key)
    assert again.json() == first
    assert again.headers["idempotency-hit"] == "true"
    await api.rows("UPDATE exchange.withdrawals SET status = 'pending_approval' WHERE id = %s", made["id"])
    key = secrets.token_hex(8)
    for _ in range(2):
        problem(await api.post(path, None, operator, Idempotency_Key=key), 503, "temporal_unavailable")
    problem(await api.post(path, None, Idempotency_Key=key), 403, "self_approval")
    left = await api.rows("SELECT * FROM platform.idempotency_keys WHERE key = %s", key)
    assert left == []
