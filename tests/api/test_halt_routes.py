"""Halting, extending and resuming an asset over HTTP."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from localnet.running import running_temporal
from storage.events import new_id
from tests.api.lab import Api, problem
from tests.price_lab import PriceLab
from tests.world.assets import funded_asset
from workflows.client import connect


async def halt(api: Api, asset_id: str, key: str = "admin", **body: Any) -> Any:
    wanted = {"reason": "news pending", **body}
    return await api.post(f"/api/exchange/assets/{asset_id}/halt", wanted, key, Idempotency_Key=secrets.token_hex(8))


async def status(api: Api, asset_id: str) -> str:
    (row,) = await api.rows("SELECT status::text AS s FROM exchange.assets WHERE id = %s", asset_id)
    return str(row["s"])


async def test_an_operator_halts_at_once_even_while_temporal_is_away(api: Api) -> None:
    asset_id = await funded_asset(api.deps.database_url)
    before = datetime.now(UTC)
    found = await halt(api, asset_id, seconds=60)
    assert found.status_code == 202, found.text
    body = found.json()
    assert (body["status"], body["cause"], body["reason"]) == ("halted", "operator", "news pending")
    until = datetime.fromisoformat(body["until"])
    assert before <= until - timedelta(seconds=60) <= datetime.now(UTC)
    assert await status(api, asset_id) == "halted"
    listed = (await api.get(f"/api/exchange/assets/{asset_id}/halts")).json()["items"]
    assert listed == [body]
    operation = (await api.get(f"/api/operations/{body['operation_id']}")).json()
    assert (operation["kind"], operation["status"]) == ("asset_halt", "waiting")
    assert operation["summary"].startswith("Trading in ")
    (entry,) = await api.rows("SELECT principal FROM platform.audit_log WHERE subject = %s", asset_id)
    assert entry["principal"] == api.admin_id
    resumed = await api.post(f"/api/exchange/assets/{asset_id}/resume")
    problem(resumed, 503, "temporal_unavailable")
    assert await status(api, asset_id) == "halted"


async def test_a_halt_lasts_as_long_as_the_breakers_when_it_does_not_say(api: Api) -> None:
    body = (await halt(api, await funded_asset(api.deps.database_url))).json()
    length = datetime.fromisoformat(body["until"]) - datetime.fromisoformat(body["started_at"])
    assert abs(length - timedelta(seconds=300)) < timedelta(seconds=5)


async def test_halting_is_idempotent_by_key(api: Api) -> None:
    path = f"/api/exchange/assets/{await funded_asset(api.deps.database_url)}/halt"
    first = await api.post(path, {"reason": "news"}, Idempotency_Key="once")
    again = await api.post(path, {"reason": "news"}, Idempotency_Key="once")
    assert (again.status_code, again.json(), again.headers["Idempotency-Hit"]) == (202, first.json(), "true")
    problem(await api.post(path, {"reason": "news"}), 400, "idempotency_key_required")


@pytest.mark.parametrize(
    ("found", "code"),
    [("funding", "asset_not_active"), ("cancelled", "asset_not_active"), ("halted", "asset_halted")],
)
async def test_only_what_trades_can_be_halted(api: Api, found: str, code: str) -> None:
    asset_id = await funded_asset(api.deps.database_url, status=found)
    problem(await halt(api, asset_id), 409, code)
    assert await status(api, asset_id) == found
    assert (await api.get(f"/api/exchange/assets/{asset_id}/halts")).json()["items"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": ""},
        {"reason": "no"},
        {"reason": "a\u0000b"},
        {"reason": "news", "seconds": 0},
        {"reason": "news", "seconds": 604_801},
        {"reason": "news", "seconds": "60"},
        {"reason": "news", "seconds": 1.5},
        {"reason": "news", "until": "2030-01-01T00:00:00Z"},
    ],
)
async def test_a_bad_halt_changes_nothing(api: Api, body: dict[str, Any]) -> None:
    asset_id = await funded_asset(api.deps.database_url)
    path = f"/api/exchange/assets/{asset_id}/halt"
    problem(await api.post(path, body, Idempotency_Key="bad"), 400, "validation_failed")
    assert await status(api, asset_id) == "active"


async def test_traders_see_halts_and_make_none(api: Api) -> None:
    asset_id = await funded_asset(api.deps.database_url)
    _, key = await api.account()
    assert (await api.get(f"/api/exchange/assets/{asset_id}/halts", key)).status_code == 200
    assert (await api.get(f"/api/exchange/assets/{asset_id}/ticks", key)).status_code == 200
    problem(await halt(api, asset_id, key), 403, "forbidden")
    for act in ("resume", "extend-halt"):
        problem(await api.post(f"/api/exchange/assets/{asset_id}/{act}", {"seconds": 5}, key), 403, "forbidden")


async def test_what_is_not_halted_is_neither_resumed_nor_extended(api: Api) -> None:
    asset_id = await funded_asset(api.deps.database_url)
    problem(await api.post(f"/api/exchange/assets/{asset_id}/resume"), 409, "not_halted")
    problem(await api.post(f"/api/exchange/assets/{asset_id}/extend-halt", {"seconds": 5}), 409, "not_halted")
    problem(await api.post(f"/api/exchange/assets/{new_id()}/resume"), 404, "not_found")
    problem(await halt(api, new_id()), 404, "not_found")


@pytest_asyncio.fixture(loop_scope="session")
async def served(database: str, tmp_path: Path) -> AsyncIterator[tuple[Api, PriceLab]]:
    """The API with a Temporal server and our price processes behind it."""
    async with running_temporal(tmp_path / "temporal") as temporal:
        client = await connect(temporal.address, "default")
        async with (
            PriceLab.open(database, client) as lab,
            lab.serving(),
            Api.open(database, address=temporal.address) as api,
        ):
            yield api, lab


async def test_operators_extend_and_resume_over_http(served: tuple[Api, PriceLab]) -> None:
    api, _ = served
    asset_id = await funded_asset(api.deps.database_url)
    path = f"/api/exchange/assets/{asset_id}"
    first = (await halt(api, asset_id)).json()
    for _ in range(2):
        longer = await api.post(f"{path}/extend-halt", {"seconds": 100}, Idempotency_Key="longer")
        assert longer.status_code == 200, longer.text
        added = datetime.fromisoformat(longer.json()["until"]) - datetime.fromisoformat(first["until"])
        assert added == timedelta(seconds=100)
    resumed = await api.post(f"{path}/resume", {"note": "news are out"}, Idempotency_Key="go")
    assert resumed.status_code == 200, resumed.text
    assert (resumed.json()["status"], resumed.json()["ended_by"]) == ("ended", api.admin_id)
    assert await status(api, asset_id) == "active"
    problem(await api.post(f"{path}/resume"), 409, "not_halted")
    operation = (await api.get(f"/api/operations/{first['operation_id']}")).json()
    assert (operation["status"], [step["status"] for step in operation["steps"]]) == ("completed", ["done", "done"])
    told = await api.rows(
        "SELECT type FROM platform.outbox WHERE topic = 'assets' AND payload->>'asset_id' = %s ORDER BY id", asset_id
    )
    assert [row["type"] for row in told] == ["asset_halted", "halt_extended", "asset_resumed"]
    audited = await api.rows("SELECT action FROM platform.audit_log WHERE subject = %s ORDER BY id", asset_id)
    assert [row["action"] for row in audited] == ["asset_halted", "halt_extended", "asset_resumed"]


async def test_a_halt_that_lost_its_process_can_still_be_ended(served: tuple[Api, PriceLab]) -> None:
    api, lab = served
    asset_id = await funded_asset(api.deps.database_url)
    halted = (await halt(api, asset_id)).json()
    name = f"asset-halt:{halted['id']}"
    await lab.until(lambda: lab.processes.state(name), lambda state: state == "running")
    await lab.client.get_workflow_handle(name).terminate()
    resumed = await api.post(f"/api/exchange/assets/{asset_id}/resume")
    assert resumed.status_code == 200, resumed.text
    assert await status(api, asset_id) == "active"
