"""The routes of launches, without a worker: what is accepted, what is refused, and who sees what."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from solders.keypair import Keypair

from api.launchpad.asked import REQUEST_EXAMPLE
from domain.launchpad.launching import LaunchPolicy
from storage.database import transaction
from storage.launchpad import promos
from tests.api.lab import Api, problem
from tests.picture_lab import png

DEPLOY = "/api/launchpad/deploy-token"
LAUNCHES = "/api/launchpad/launches"
PLATFORM = str(Keypair().pubkey())
POLICY = LaunchPolicy(
    cluster="devnet",
    platform=PLATFORM,
    program=str(Keypair().pubkey()),
    pool_program=str(Keypair().pubkey()),
    marketing=PLATFORM,
    treasury=PLATFORM,
    rewards=PLATFORM,
    tax_bps=200,
    referral_bps=2_500,
    listing_lamports=5 * 10**9,
    banner_s=60,
    top_s=60,
    budget_lamports=10**8,
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pad(new_database: Callable[[], Awaitable[str]]) -> AsyncIterator[Api]:
    """An app with a launchpad; nobody carries launches out."""
    async with Api.open(await new_database(), launch_policy=POLICY) as opened:
        yield opened


async def creator(api: Api) -> tuple[str, str, dict[str, Any]]:
    """An account, its key, and a request that fits."""
    account_id, key = await api.account("creator")
    sent = await api.client.post(
        "/api/launchpad/assets", files={"file": ("logo", png())}, headers={"Authorization": f"Bearer {key}"}
    )
    ends = (datetime.now(UTC) + timedelta(days=7)).isoformat()
    return account_id, key, REQUEST_EXAMPLE | {"logo": sent.json()["id"], "ends_at": ends}


async def deploy(api: Api, key: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    headers.setdefault("Idempotency_Key", secrets.token_hex(8))
    return await api.post(DEPLOY, body, key, **headers)


async def test_a_launch_is_accepted_with_its_operation(pad: Api) -> None:
    account_id, key, body = await creator(pad)
    answer = await deploy(pad, key, body)
    assert answer.status_code == 202, answer.text
    found = answer.json()
    assert answer.headers["location"] == f"{LAUNCHES}/{found['id']}"
    assert (found["status"], found["account_id"], found["symbol"]) == ("running", account_id, body["symbol"])
    assert (found["token_address"], found["sale_id"], found["signatures"], found["to_sign"]) == (None, None, [], None)
    assert [step["name"] for step in found["steps"]] == [
        *("validate", "pin_images", "pin_metadata", "promo_payment", "mint", "create_sale"),
        *("tax", "referral", "liquidity", "verify", "activate"),
    ]
    assert (await pad.get(answer.headers["location"], key)).json() == found
    operation = (await pad.get(f"/api/operations/{found['operation_id']}", "admin")).json()
    assert (operation["kind"], operation["subject_id"]) == ("token_launch", found["id"])
    [project] = await pad.rows(
        "SELECT status::text AS status, logo_uri FROM launchpad.projects WHERE id = %s", found["id"]
    )
    assert project["status"] == "preparing"
    assert project["logo_uri"].startswith("ipfs://")


async def test_the_same_key_is_the_same_launch(pad: Api) -> None:
    _, key, body = await creator(pad)
    first = await deploy(pad, key, body, Idempotency_Key="once")
    again = await deploy(pad, key, body, Idempotency_Key="once")
    assert (again.status_code, again.headers["idempotency-hit"]) == (202, "true")
    assert again.json() == first.json()
    problem(await deploy(pad, key, body | {"symbol": "ELSE"}, Idempotency_Key="once"), 422, "idempotency_key_reused")
    problem(await pad.post(DEPLOY, body, key), 400, "idempotency_key_required")
    found = (await pad.get(LAUNCHES, key)).json()
    assert [item["id"] for item in found["items"]] == [first.json()["id"]]


async def test_others_do_not_see_it_and_staff_does(pad: Api) -> None:
    (_, key, body), (_, other, _) = await creator(pad), await creator(pad)
    launch = (await deploy(pad, key, body)).json()["id"]
    problem(await pad.get(f"{LAUNCHES}/{launch}", other), 404, "not_found")
    for act in ("cancel", "retry"):
        problem(await pad.post(f"{LAUNCHES}/{launch}/{act}", None, other), 404, "not_found")
    assert (await pad.get(f"{LAUNCHES}/{launch}")).json()["id"] == launch
    assert (await pad.get(LAUNCHES, other)).json()["items"] == []
    listed = (await pad.get(f"{LAUNCHES}?status=running")).json()["items"]
    assert launch in [item["id"] for item in listed]
    assert (await pad.get(f"{LAUNCHES}?status=live")).json()["items"] == []


async def test_scopes_guard_it(pad: Api) -> None:
    _, _, body = await creator(pad)
    _, reader = await pad.account("creator", ["launchpad:read"])
    problem(await deploy(pad, reader, body), 403, "forbidden")
    problem(await pad.post(DEPLOY, body, None, Idempotency_Key="x"), 401, "unauthorized")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"soft_cap_sol": "0.0000000001"}, 400, "amount_precision"),
        ({"soft_cap_sol": 5}, 400, "validation_failed"),
        ({"soft_cap_sol": "14", "hard_cap_sol": "5"}, 400, "validation_failed"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, 400, "validation_failed"),
        ({"creator_wallet": "1" * 40}, 400, "validation_failed"),
        ({"soft_cap_sol": "0.999999999"}, 409, "launch_refused"),
        ({"signing": "nobody"}, 400, "validation_failed"),
        ({"logo": "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"}, 409, "launch_refused"),
    ],
)
async def test_what_breaks_a_rule_is_refused_at_once(pad: Api, change: dict[str, Any], status: int, code: str) -> None:
    _, key, body = await creator(pad)
    problem(await deploy(pad, key, body | change), status, code)
    assert (await pad.get(LAUNCHES, key)).json()["items"] == []


async def test_anothers_picture_is_none(pad: Api) -> None:
    (_, key, body), (_, _, other) = await creator(pad), await creator(pad)
    problem(await deploy(pad, key, body | {"logo": other["logo"]}), 409, "launch_refused")


async def test_a_payment_is_named_once(pad: Api) -> None:
    (_, key, body), (_, other, elses) = await creator(pad), await creator(pad)
    paid = {"promo_tier_sol": "0.5", "promo_payment_signature": str(Keypair().sign_message(b"paid"))}
    assert (await deploy(pad, key, body | paid)).status_code == 202
    problem(await deploy(pad, key, body | paid), 409, "payment_used")
    problem(await deploy(pad, other, elses | paid), 409, "payment_used")


async def test_a_creator_sees_his_payment_and_its_way_back(pad: Api) -> None:
    _, key, body = await creator(pad)
    payment = str(Keypair().sign_message(b"once"))
    asked = body | {"promo_tier_sol": "0.5", "promo_payment_signature": payment}
    launch = (await deploy(pad, key, asked)).json()
    wallet, where = body["creator_wallet"], f"{LAUNCHES}/{launch['id']}"
    named = launch["promotion"]
    assert (named["status"], named["payer"], named["received_sol"]) == ("claimed", None, None)
    async with transaction(pad.deps.writes) as connection:
        await promos.found(connection, launch["id"], wallet, 10**9 // 2)
        await promos.give_back(connection, launch["id"])
    owed = (await pad.get(where, key)).json()["promotion"]
    assert (owed["status"], owed["payer"], owed["received_sol"]) == ("refund_due", wallet, "0.5")
    listed = (await pad.get("/api/operations?kind=promo_refund", key)).json()["items"]
    assert [(one["subject_id"], one["summary"]) for one in listed] == [(owed["id"], f"Pay 0.5 SOL back to {wallet}")]
    await pad.rows(
        """UPDATE launchpad.promo_activations SET status = 'refunded', refund_signature = 'sig', refunded_at = now()
           WHERE id = %s""",
        owed["id"],
    )
    paid = (await pad.get(where, key)).json()["promotion"]
    assert (paid["status"], paid["refund_signature"]) == ("refunded", "sig")


async def test_launches_that_are_switched_off_are_refused(pad: Api) -> None:
    _, key, body = await creator(pad)
    control = {"name": "launchpad.launches", "enabled": False, "reason": "test"}
    assert (await pad.post("/api/system/controls", control)).status_code in (200, 201)
    try:
        refused = problem(await deploy(pad, key, body), 409, "launch_refused")
        assert "switched off" in refused["detail"]
    finally:
        await pad.post("/api/system/controls", control | {"enabled": True})


async def test_without_a_launchpad_there_are_no_launches(api: Api) -> None:
    _, key, body = await creator(api)
    problem(await deploy(api, key, body), 503, "launchpad_off")


async def test_acts_are_refused_where_they_make_no_sense(pad: Api) -> None:
    _, key, body = await creator(pad)
    launch = (await deploy(pad, key, body)).json()["id"]
    where = f"{LAUNCHES}/{launch}"
    problem(await pad.post(f"{where}/retry", None, key), 409, "launch_not_parked")
    handed = {"transaction_base64": "AQAAAA=="}
    problem(await pad.post(f"{where}/submit-signature", handed, key), 409, "signature_not_awaited")
    problem(await pad.post(f"{where}/cancel", None, key), 503, "temporal_unavailable")
    await pad.rows("UPDATE launchpad.launches SET status = 'live' WHERE id = %s", launch)
    problem(await pad.post(f"{where}/cancel", None, key), 409, "launch_not_cancellable")
    operation = (await pad.get(where, key)).json()["operation_id"]
    problem(await pad.post(f"/api/operations/{operation}/cancel"), 409, "launch_not_cancellable")
    problem(await pad.get(f"{LAUNCHES}/01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f", key), 404, "not_found")


async def test_a_parked_launch_says_so_and_where(pad: Api) -> None:
    _, key, body = await creator(pad)
    made = (await deploy(pad, key, body)).json()
    await pad.rows(
        """UPDATE platform.operations SET status = 'needs_operator', summary = 'launch_parked: it stopped',
             failure_code = 'launch_parked' WHERE id = %s""",
        made["operation_id"],
    )
    found = (await pad.get(f"{LAUNCHES}/{made['id']}", key)).json()
    assert (found["status"], found["failure_code"]) == ("needs_operator", "launch_parked")
    assert found["failure_detail"] == "launch_parked: it stopped"
    assert made["id"] in [i["id"] for i in (await pad.get(f"{LAUNCHES}?status=needs_operator", key)).json()["items"]]


async def test_classic_tokens_take_no_transfer_fee(new_database: Callable[[], Awaitable[str]]) -> None:
    async with Api.open(await new_database(), launch_policy=POLICY.model_copy(update={"classic_tokens": True})) as api:
        _, key, body = await creator(api)
        refused = problem(await deploy(api, key, body | {"transfer_fee_bps": 100}), 409, "launch_refused")
        assert "no fee of transfers" in refused["detail"]
        assert (await deploy(api, key, body | {"transfer_fee_bps": 0})).status_code == 202
