"""UN-011 over HTTP: what can be asked for, who may decide, and every refusal."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from domain.shared.ledger import PLATFORM_TREASURY, Transfer, custody, move
from domain.shared.money import USDC
from localnet.running import running_temporal
from storage.books import Books
from tests.api.lab import CHAIN_ID, Api, problem
from tests.corrections_lab import open_lab
from tests.patience import until
from workflows import client as temporal

PATH = "/api/system/corrections"
MADE_UP = "01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(new_database: Callable[[], Awaitable[str]], tmp_path_factory: Any) -> AsyncIterator[Api]:
    """An API with Temporal and our worker behind it; the treasury holds a thousand USDC."""
    directory: Path = tmp_path_factory.mktemp("corrections-api")
    dsn = await new_database()
    async with running_temporal(directory / "temporal") as server:
        client = await temporal.connect(server.address, "default")
        async with open_lab(dsn, client) as lab, lab.worker(), Api.open(dsn, address=server.address) as api:
            async with Books(api.deps.writes).begin() as book:
                postings = move(USDC, 1_000_000_000, custody(CHAIN_ID, "cold"), PLATFORM_TREASURY)
                await book.book(Transfer(key="test:treasury", kind="test_funding", postings=postings))
            yield api


def postings(account_id: str, amount: str = "25.5", source: str = PLATFORM_TREASURY) -> list[dict[str, str]]:
    return [
        {"account": source, "unit": "USDC", "amount": f"-{amount}"},
        {"account": f"users:{account_id}:available", "unit": "USDC", "amount": amount},
    ]


async def ask(api: Api, lines: Any, key: str = "admin", **headers: str) -> httpx.Response:
    headers.setdefault("Idempotency_Key", secrets.token_hex(8))
    return await api.post(PATH, {"reason": "refund by agreement", "postings": lines}, key, **headers)


async def ended(api: Api, correction_id: str) -> dict[str, Any]:
    async def look() -> dict[str, Any]:
        body: dict[str, Any] = (await api.get(f"{PATH}/{correction_id}")).json()
        return body

    return await until(look, lambda body: body["status"] not in ("pending_approval", "approved"))


async def balance(api: Api, account_id: str) -> str:
    items = (await api.get(f"/api/accounts/{account_id}/balances")).json()["items"]
    return str(next(item["available"] for item in items if item["asset"] == "USDC"))


async def test_two_persons_book_a_correction(desk: Api) -> None:
    account_id, key = await desk.account()
    operator, operator_key = await desk.account("operator")
    answer = await ask(desk, postings(account_id), Idempotency_Key="first")
    assert answer.status_code == 202
    body = answer.json()
    assert answer.headers["location"] == f"{PATH}/{body['id']}"
    assert body["status"] == "pending_approval"
    assert body["requested_by"] == desk.admin_id
    assert body["postings"] == postings(account_id)
    assert body["transfer"] is None
    again = await ask(desk, postings(account_id), Idempotency_Key="first")
    assert (again.json(), again.headers["idempotency-hit"]) == (body, "true")
    assert await balance(desk, account_id) == "0"
    problem(await desk.post(f"{PATH}/{body['id']}/approve"), 403, "self_approval")
    approved = await desk.post(f"{PATH}/{body['id']}/approve", {"note": "compared"}, operator_key)
    assert approved.status_code == 200, approved.text
    assert approved.json()["decided_by"] == operator
    done = await ended(desk, body["id"])
    assert (done["status"], done["transfer"]) == ("booked", f"correction:{body['id']}")
    assert await balance(desk, account_id) == "25.5"
    line = (await desk.get(f"/api/accounts/{account_id}/ledger", key)).json()["items"][0]
    assert (line["transfer"], line["kind"], line["amount"]) == (f"correction:{body['id']}", "correction", "25.5")
    operation = (await desk.get(f"/api/operations/{body['operation_id']}")).json()
    assert (operation["status"], [s["name"] for s in operation["steps"]]) == ("completed", ["approval", "booking"])
    problem(await desk.post(f"{PATH}/{body['id']}/approve", None, operator_key), 409, "not_approvable")
    problem(await desk.post(f"{PATH}/{body['id']}/reject", None, operator_key), 409, "not_approvable")
    problem(await desk.post(f"/api/operations/{body['operation_id']}/cancel"), 409, "not_cancellable")
    problem(await desk.get(f"/api/operations/{body['operation_id']}", key), 404, "not_found")


async def test_a_rejected_correction_moves_nothing(desk: Api) -> None:
    account_id, _ = await desk.account()
    _, operator_key = await desk.account("operator")
    for decider in (operator_key, "admin"):
        body = (await ask(desk, postings(account_id))).json()
        answer = await desk.post(f"{PATH}/{body['id']}/reject", {"note": "no"}, decider)
        assert answer.json()["status"] == "rejected", answer.text
    assert await balance(desk, account_id) == "0"


async def test_one_whose_process_was_terminated_can_still_be_decided(desk: Api) -> None:
    account_id, _ = await desk.account()
    _, operator_key = await desk.account("operator")
    body = (await ask(desk, postings(account_id))).json()
    handle = desk.deps.processes.client.get_workflow_handle(f"correction:{body['id']}")
    await until(lambda: desk.deps.processes.state(handle.id), lambda state: state == "running")
    await handle.terminate("an operator")
    answer = await desk.post(f"{PATH}/{body['id']}/approve", None, operator_key)
    assert answer.status_code == 200, answer.text
    assert (await ended(desk, body["id"]))["status"] == "booked"
    assert await balance(desk, account_id) == "25.5"


async def test_who_is_paid_does_not_approve(desk: Api) -> None:
    operator, operator_key = await desk.account("operator")
    body = (await ask(desk, postings(operator))).json()
    problem(await desk.post(f"{PATH}/{body['id']}/approve", None, operator_key), 403, "self_approval")


async def test_what_the_books_refuse_is_failed_and_an_alert(desk: Api) -> None:
    account_id, _ = await desk.account()
    _, operator_key = await desk.account("operator")
    body = (await ask(desk, postings(account_id, "100000"))).json()
    await desk.post(f"{PATH}/{body['id']}/approve", None, operator_key)
    done = await ended(desk, body["id"])
    assert (done["status"], done["failure_code"]) == ("failed", "insufficient_funds")
    alerts = (await desk.get("/api/system/alerts?open=true")).json()["items"]
    assert (body["id"], "correction_failed") in {(alert["subject"], alert["code"]) for alert in alerts}
    assert await balance(desk, account_id) == "0"


async def test_every_bad_request_is_refused_and_changes_nothing(desk: Api) -> None:
    account_id, _ = await desk.account()
    before = await desk.rows("SELECT count(*) AS n FROM platform.corrections")
    good = postings(account_id)
    tries: list[tuple[Any, int, str]] = [
        (good[:1], 400, "validation_failed"),
        (good * 11, 400, "validation_failed"),
        ([good[0], good[1] | {"amount": "25"}], 400, "validation_failed"),
        ([good[0], good[1] | {"amount": 25.5}], 400, "validation_failed"),
        ([good[0], good[1] | {"amount": "25.5000001"}], 400, "amount_precision"),
        ([good[0], good[1] | {"account": "users:ada:available"}], 400, "validation_failed"),
        ([good[0], good[1] | {"unit": "EUR"}], 400, "validation_failed"),
        ([good[0], good[1] | {"more": "x"}], 400, "validation_failed"),
        ([good[0], good[1], good[1]], 400, "validation_failed"),
        (postings(account_id, "0"), 400, "validation_failed"),
        (postings(MADE_UP), 404, "not_found"),
        (postings(account_id, source=f"assets:{MADE_UP}:lp_fees"), 404, "not_found"),
        (postings(account_id, source=f"assets:{MADE_UP}:reserve"), 409, "not_correctable"),
        (postings(account_id, source=f"assets:{MADE_UP}:lp_principal"), 409, "not_correctable"),
        (postings(account_id, source=f"users:{account_id}:held"), 409, "not_correctable"),
        (postings(account_id, source=f"custody:{CHAIN_ID}:hot"), 409, "not_correctable"),
        (postings(account_id, source="world"), 409, "not_correctable"),
        ([line | {"unit": MADE_UP} for line in good], 409, "not_correctable"),
    ]
    for lines, status, code in tries:
        problem(await ask(desk, lines), status, code)
    short = await desk.post(PATH, {"reason": "because", "postings": good}, Idempotency_Key="short")
    problem(short, 400, "validation_failed")
    unkeyed = await desk.post(PATH, {"reason": "refund by agreement", "postings": good})
    problem(unkeyed, 400, "idempotency_key_required")
    assert await desk.rows("SELECT count(*) AS n FROM platform.corrections") == before
    pointed = problem(await ask(desk, postings(account_id, source="world")), 409, "not_correctable")
    assert "world" in pointed["detail"]


async def test_only_staff_with_the_scope_may(desk: Api) -> None:
    account_id, key = await desk.account()
    _, reader = await desk.account("operator", ["system:read"])
    body = (await ask(desk, postings(account_id))).json()
    problem(await ask(desk, postings(account_id), key), 403, "forbidden")
    problem(await ask(desk, postings(account_id), reader), 403, "forbidden")
    for act in ("approve", "reject"):
        problem(await desk.post(f"{PATH}/{body['id']}/{act}", None, reader), 403, "forbidden")
        problem(await desk.post(f"{PATH}/{body['id']}/{act}", None, key), 403, "forbidden")
        problem(await desk.post(f"{PATH}/{uuid4()}/{act}"), 404, "not_found")
    problem(await desk.get(PATH, key), 403, "forbidden")
    problem(await desk.get(f"{PATH}/{uuid4()}"), 404, "not_found")
    assert (await desk.get(f"{PATH}/{body['id']}", reader)).json() == body


async def test_corrections_are_listed(desk: Api) -> None:
    account_id, _ = await desk.account()
    made = [(await ask(desk, postings(account_id))).json()["id"] for _ in range(3)]
    page = (await desk.get(f"{PATH}?status=pending_approval&limit=2")).json()
    assert [item["id"] for item in page["items"]] == made[:0:-1]
    rest = (await desk.get(f"{PATH}?status=pending_approval&limit=2&cursor={page['next_cursor']}")).json()
    assert rest["items"][0]["id"] == made[0]
    problem(await desk.get(f"{PATH}?status=odd"), 400, "validation_failed")
    problem(await desk.get(f"{PATH}?cursor=odd"), 400, "invalid_cursor")
    table = await desk.get(PATH, Accept="text/csv")
    assert table.text.splitlines()[0].startswith("id,reason,status,")


@pytest.mark.parametrize("act", ["approve", "reject"])
async def test_without_temporal_nothing_is_decided(api: Api, act: str) -> None:
    account_id, _ = await api.account()
    _, operator_key = await api.account("operator")
    body = (await ask(api, postings(account_id))).json()
    problem(await api.post(f"{PATH}/{body['id']}/{act}", None, operator_key), 503, "temporal_unavailable")
    assert (await api.get(f"{PATH}/{body['id']}")).json()["status"] == "pending_approval"
