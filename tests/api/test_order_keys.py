"""Idempotency keys of orders: needed, in flight, old, held by another process."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import psycopg

from storage.intents.orders import PATH
from tests.api.lab import Api, problem
from tests.api.market_lab import asset, order, trader


async def test_the_key_is_required(api: Api) -> None:
    account_id, key = await api.account()
    body = {"asset_id": account_id, "account_id": account_id, "side": "buy", "amount_usdc": "1"}
    problem(await api.post(PATH, body, key), 400, "idempotency_key_required")


async def test_old_and_abandoned_keys_are_taken_over(api: Api) -> None:
    asset_id = await asset(api)
    account_id, key = await trader(api)
    idem = secrets.token_hex(8)

    async def again(amount: str) -> Any:
        return await order(api, key, asset_id, account_id, idem=idem, amount_usdc=amount)

    first = await again("1")
    forget = "UPDATE platform.idempotency_keys SET created_at = now() - interval '8 days' WHERE key = %s"
    await api.rows(forget, idem)
    second = await again("2")
    assert (second.status_code, "idempotency-hit" in second.headers) == (202, False)
    assert second.json()["id"] != first.json()["id"]
    assert (await again("2")).headers["idempotency-hit"] == "true"
    in_flight = """UPDATE platform.idempotency_keys SET status = NULL, headers = NULL, body = NULL,
                     locked_at = clock_timestamp() - make_interval(secs => %s) WHERE key = %s"""
    await api.rows(in_flight, 5, idem)
    problem(await again("2"), 409, "idempotency_in_flight")
    await api.rows(in_flight, 35, idem)
    third = await again("2")
    assert third.status_code == 202
    assert third.json()["id"] != second.json()["id"]


async def test_a_key_held_by_another_process_is_in_flight(api: Api) -> None:
    asset_id = await asset(api)
    account_id, key = await trader(api)
    name = "\x1f".join((account_id, "POST", PATH, "held"))
    async with await psycopg.AsyncConnection.connect(api.deps.database_url) as other:
        await other.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))", [name])
        answers = await asyncio.gather(
            *(order(api, key, asset_id, account_id, idem=i, amount_usdc="1") for i in ("held", "free"))
        )
    problem(answers[0], 409, "idempotency_in_flight")
    assert answers[1].status_code == 202
